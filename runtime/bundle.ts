/** Reading a bundle and checking that it is what the compiler wrote. */
import { FORMAT_VERSION, type Bundle, type FileEntry, type Manifest } from "./bundle-format.js";
import { KraitError } from "./errors.js";
import { parseManifest } from "./schema.js";

/** The manifest's file in a bundle's folder. */
export const MANIFEST_FILE = "model.json";

/**
 * A bundle from anywhere: `read` gives the text of a file by its path inside the bundle (over the network, from disk).
 * @throws KraitError R0101, R0102 for a manifest that is none; whatever `read` throws.
 */
export async function loadBundle(read: (path: string) => Promise<string>): Promise<Bundle> {
  const manifest = parseManifest(await read(MANIFEST_FILE));
  const paths = [...new Set([...fileEntries(manifest)].map(({ file }) => file))];
  const texts = await Promise.all(paths.map(async (path) => [path, await read(path)] as const));
  return { manifest, files: new Map(texts) };
}

/** Every file that a manifest names. */
export function* fileEntries(manifest: Manifest): Generator<FileEntry> {
  yield* manifest.sources;
  for (const target of manifest.targets) yield* target.shaders;
}

/**
 * Compares every file with its hash in the manifest.
 * @throws KraitError R0102 (format version), R0103 (missing file), R0104 (edited file; `allowEdited` lets it pass).
 */
export async function verifyBundle(bundle: Bundle, { allowEdited = false } = {}): Promise<void> {
  const { manifest, files } = bundle;
  if ((manifest.formatVersion as unknown) !== FORMAT_VERSION) {
    const versions = `${String(manifest.formatVersion)}, and this runtime reads ${String(FORMAT_VERSION)}`;
    throw new KraitError("R0102", `The bundle has format version ${versions}.`);
  }
  const entries = [...fileEntries(manifest)];
  const missing = entries.filter(({ file }) => !files.has(file)).map(({ file }) => file);
  if (missing.length > 0) throw new KraitError("R0103", `The bundle lacks ${missing.join(", ")}.`);
  if (allowEdited) return;
  const hashes = await Promise.all(entries.map(({ file }) => sha256(files.get(file) ?? "")));
  const edited = entries.filter(({ sha256: expected }, i) => hashes[i] !== expected).map(({ file }) => file);
  if (edited.length > 0) {
    throw new KraitError("R0104", `Not what the compiler wrote: ${[...new Set(edited)].join(", ")}.`, {
      hint: "Build the bundle again, or if the change is yours, open it with `allowEdited: true` (on the command line, --allow-edited).",
    });
  }
}

/** SHA-256 of bytes, or of a text's UTF-8, in hexadecimal. */
export async function sha256(data: string | Uint8Array<ArrayBuffer>): Promise<string> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
