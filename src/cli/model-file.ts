/** What the user named as a model: a source file, or a bundle on disk. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { SourceFile } from "../../compiler/diagnostics/types.js";
import type { Bundle } from "../../runtime/bundle-format.js";
import type { Settings } from "./arguments.js";
import { InputError, UsageError } from "./errors.js";

export type ModelFile =
  | { readonly kind: "source"; readonly source: SourceFile }
  | { readonly kind: "bundle"; readonly path: string; readonly bundle: Bundle };

export interface ModelFileOptions {
  readonly set?: Settings;
  /** Takes a bundle whose files are not those that the compiler wrote. */
  readonly allowEdited?: boolean;
}

/** For commands that take a bundle. */
export const ALLOW_EDITED = [
  "--allow-edited",
  "take a bundle whose shaders or sources were changed by hand",
] as const;

/** A folder, or a path to a `model.json`, is a bundle; any other file is Krait source, which alone takes `--set`. */
export async function openModelFile(
  path: string,
  { set, allowEdited = false }: ModelFileOptions,
): Promise<ModelFile> {
  const isFolder = statSync(path).isDirectory();
  if (!isFolder && basename(path) !== "model.json") return { kind: "source", source: readSource(path) };
  if (set !== undefined) {
    throw new UsageError("--set is for sources; a bundle's constants were fixed when it was built");
  }
  return openBundle(isFolder ? path : dirname(path), allowEdited);
}

async function openBundle(path: string, allowEdited: boolean): Promise<ModelFile> {
  if (!existsSync(join(path, "model.json"))) {
    const hint = existsSync(join(path, "config.json"))
      ? `It looks like a checkpoint; compile its model first:\n  krait import ${path} -o DIR`
      : "Make a bundle with 'krait build' or 'krait import'.";
    throw new InputError(`${path} is no bundle: it has no model.json`, hint);
  }
  const { readBundle } = await import("../node/index.js");
  const bundle = await readBundle(path);
  const { verifyBundle } = await import("../../runtime/bundle.js");
  await verifyBundle(bundle, { allowEdited });
  return { kind: "bundle", path, bundle };
}

/** Reads a `.krait` file; `path` is what messages will show. */
export function readSource(path: string): SourceFile {
  if (statSync(path).isDirectory()) throw new InputError(`${path} is a folder, not a Krait source file`);
  const bytes = readFileSync(path);
  try {
    return { path, text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    throw new InputError(`${path} is not a Krait source file: it is not UTF-8 text`);
  }
}

/** Finds the files that `use … from "PATH"` names: relative to the working folder, as the compiler resolved them. */
export function loadSource(path: string): SourceFile | undefined {
  return existsSync(path) && statSync(path).isFile() ? readSource(path) : undefined;
}
