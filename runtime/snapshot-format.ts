/**
 * Saved sessions as bytes: a safetensors file, whose metadata say which model it is of, how far it has come, and what its
 * bytes are to hash to. SPEC.md § Saved sessions.
 */
import { sha256 } from "./bundle.js";
import { KraitError } from "./errors.js";
import { bytesFile, readRange } from "./random-access.js";
import { readSafetensorsFile, type TensorEntry } from "./safetensors.js";
import { safetensorsParts, type WritableTensor } from "./safetensors-writer.js";
import type { HeldTensor, Snapshot } from "./snapshot.js";
import type { HostTensor } from "./tensor.js";

const FORMAT = "krait-snapshot";
const VERSION = "1";
/** Before the name of an input that the session holds; all other tensors are states, under their own names. */
const INPUT = "input:";
const BEFORE = '{"__metadata__":{"sha256":"';
/** What stands in the place of the checksum while it is computed. */
const BLANK = "0".repeat(64);

/** A snapshot as bytes, for a file or a database. The same snapshot gives the same bytes. */
export async function serializeSnapshot(snapshot: Snapshot): Promise<Uint8Array<ArrayBuffer>> {
  const { model, pos, positions, states, inputs = {} } = snapshot;
  const held = Object.entries(inputs).map(([name, tensor]) => [INPUT + name, tensor] as const);
  const tensors = new Map<string, WritableTensor>([...Object.entries(states), ...held]);
  const metadata = {
    format: FORMAT,
    version: VERSION,
    pos: String(pos),
    ...(positions !== undefined && { positions: positions.join() }),
    ...(model !== undefined && { model }),
  };
  const bytes = joined(safetensorsParts(tensors, { sha256: BLANK, ...metadata }));
  bytes.set(new TextEncoder().encode(await sha256(bytes)), placeOf(bytes, BLANK));
  return bytes;
}

/**
 * The snapshot in bytes that `serializeSnapshot` made. They are not trusted: everything is checked but whether the
 * snapshot fits a session, which `restore` does.
 * @throws KraitError R0408.
 */
export async function parseSnapshot(bytes: Uint8Array<ArrayBuffer>): Promise<Snapshot> {
  const { tensors, metadata } = await read(bytes);
  const { format, version, sha256: checksum, model, pos, positions } = metadata;
  if (format !== FORMAT) throw unreadable("they are tensors, but not a saved session");
  if (version !== VERSION) {
    throw new KraitError(
      "R0408",
      `The session was saved in version ${String(version)} of the format, and this runtime reads version ${VERSION}.`,
      { hint: "Restore it with the version of Krait that saved it." },
    );
  }
  await verify(bytes, checksum);
  if (!/^\d{1,10}$/.test(pos ?? "")) throw unreadable("they have no position");
  if (!/^\d{1,10}(,\d{1,10})*$/.test(positions ?? "0")) throw unreadable("their positions are no numbers");
  const states: [string, HostTensor][] = [];
  const inputs: [string, HeldTensor][] = [];
  for (const [name, entry] of tensors) {
    if (name.startsWith(INPUT)) inputs.push([name.slice(INPUT.length), await tensorOf(entry)]);
    else states.push([name, await stateOf(entry)]);
  }
  return {
    ...(model !== undefined && { model }),
    pos: Number(pos),
    ...(positions !== undefined && { positions: positions.split(",").map(Number) }),
    states: Object.fromEntries(states),
    inputs: Object.fromEntries(inputs),
  };
}

async function read(bytes: Uint8Array): ReturnType<typeof readSafetensorsFile> {
  try {
    return await readSafetensorsFile(bytesFile("the snapshot", bytes));
  } catch (cause) {
    if (!(cause instanceof KraitError) || cause.code !== "R0301") throw cause;
    const [what = ""] = cause.message.split(`.\n${cause.hint ?? ""}`);
    throw unreadable(what, cause);
  }
}

/** The checksum is of all bytes, with zeros (digits) where it stands itself. */
async function verify(bytes: Uint8Array, checksum = ""): Promise<void> {
  const at = /^[0-9a-f]{64}$/.test(checksum) ? placeOf(bytes, checksum) : -1;
  if (at < 0) throw unreadable("they have no checksum");
  const blanked = bytes.slice();
  blanked.set(new TextEncoder().encode(BLANK), at);
  if ((await sha256(blanked)) !== checksum) throw unreadable("their checksum is another");
}

/** Where the checksum stands: first in the metadata, which are first in the header; -1 where it does not. */
function placeOf(bytes: Uint8Array, checksum: string): number {
  const begin = new TextDecoder().decode(bytes.subarray(8, 8 + BEFORE.length + checksum.length));
  return begin === BEFORE + checksum ? 8 + BEFORE.length : -1;
}

async function stateOf(entry: TensorEntry): Promise<HostTensor> {
  const { data, shape } = await tensorOf(entry);
  if (!(data instanceof Float32Array)) throw unreadable(`the state "${entry.name}" is ${entry.dtype}`);
  return { data, shape };
}

async function tensorOf({ name, dtype, shape, file, offset, bytes }: TensorEntry): Promise<HeldTensor> {
  const { buffer } = (await readRange(file, offset, bytes)).slice(); // a copy, aligned
  if (dtype === "F32") return { data: new Float32Array(buffer), shape };
  if (dtype === "U32") return { data: new Uint32Array(buffer), shape };
  if (dtype === "I32") return { data: new Int32Array(buffer), shape };
  throw unreadable(`"${name}" is ${dtype}`);
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function unreadable(why: string, cause?: unknown): KraitError {
  return new KraitError("R0408", `These bytes are no sound saved session: ${why}.`, {
    hint: "They have to be the bytes that serializeSnapshot gave, whole and unchanged (krait run --state-out writes them).",
    cause,
  });
}
