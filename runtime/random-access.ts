/** Files read by ranges, so that a checkpoint never has to fit in memory. */
import { KraitError } from "./errors.js";

/** A file that is read by ranges. Of your own, to read from anywhere: only `read` and `size` are asked for. */
export interface RandomAccess {
  /** For messages. */
  readonly name: string;
  /** Bytes; may exceed 4 GiB. */
  readonly size: number;
  /** Exactly `length` bytes from `offset`. Called with ranges inside the file. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** Bytes in memory. */
export function bytesFile(name: string, bytes: Uint8Array): RandomAccess {
  return {
    name,
    size: bytes.length,
    read: (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)),
  };
}

/** A file that a user picked in a browser, or any Blob. */
export function blobFile(name: string, blob: Blob): RandomAccess {
  return {
    name,
    size: blob.size,
    read: async (offset, length) => new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer()),
  };
}

/**
 * A file on a server that answers range requests.
 * @throws KraitError R0305 where the server does not.
 */
export async function urlFile(url: string): Promise<RandomAccess> {
  const first = await fetchRange(url, 0, 1);
  const size = Number(/\/(\d+)$/.exec(first.headers.get("content-range") ?? "")?.[1]);
  if (!Number.isSafeInteger(size)) {
    throw new KraitError("R0305", `The server does not say how long ${url} is.`, {
      hint: "Its answer to a range request needs a Content-Range header that scripts may read.",
    });
  }
  return {
    name: url,
    size,
    read: async (offset, length) =>
      new Uint8Array(await (await fetchRange(url, offset, length)).arrayBuffer()),
  };
}

async function fetchRange(url: string, offset: number, length: number): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, {
      headers: { Range: `bytes=${String(offset)}-${String(offset + length - 1)}` },
    });
  } catch (cause) {
    throw new KraitError("R0305", `${url} cannot be read: ${String(cause)}`, { cause });
  }
  if (response.status === 206) return response;
  await response.body?.cancel();
  throw new KraitError(
    "R0305",
    response.ok
      ? `The server of ${url} does not answer range requests.`
      : `${url} cannot be read: ${String(response.status)} ${response.statusText}`,
    response.ok ? { hint: "A file that fits in memory can be fetched whole and given as `bytesFile`." } : {},
  );
}

/** `file.read`, checked: a short read must not pass for data. */
export async function readRange(file: RandomAccess, offset: number, length: number): Promise<Uint8Array> {
  const bytes = await file.read(offset, length);
  if (bytes.length !== length) {
    throw new KraitError(
      "R0305",
      `${file.name} gave ${String(bytes.length)} bytes at ${String(offset)} where ${String(length)} were asked for.`,
      { hint: "Did the file change while it was read?" },
    );
  }
  return bytes;
}
