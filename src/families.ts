/** The model families that come with Krait, as sources to compile. */
import type { SourceFile } from "../compiler/diagnostics/types.js";
import { MODELS } from "../templates/sources.js";

/** The families' names, sorted: what checkpoints call `model_type` in config.json. */
export const familyNames = (): readonly string[] => Object.keys(MODELS).sort();

/** The Krait source of a family, to be compiled with a checkpoint's config.json as `config`; undefined if there is none. */
export function familySource(family: string): SourceFile | undefined {
  const text = Object.hasOwn(MODELS, family) ? MODELS[family] : undefined;
  return text === undefined ? undefined : { path: `${family}.krait`, text };
}
