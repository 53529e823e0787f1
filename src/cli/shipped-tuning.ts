/** Tuning files that come with the package: `tuning/nvidia-h100.json` is `nvidia-h100`. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "./errors.js";
import { packageRoot } from "./package-files.js";

const ENDING = ".json";

const folder = (): string => join(packageRoot(), "tuning");

/** Their names, sorted. */
export function shippedTunings(): readonly string[] {
  if (!existsSync(folder())) return [];
  const files = readdirSync(folder()).filter((file) => file.endsWith(ENDING));
  return files.map((file) => file.slice(0, -ENDING.length)).sort();
}

/**
 * The file that a name stands for; anything else is a path already.
 * @throws InputError where there is neither
 */
export function tuningPath(nameOrPath: string): string {
  const names = shippedTunings();
  if (names.includes(nameOrPath)) return join(folder(), nameOrPath + ENDING);
  if (existsSync(nameOrPath)) return nameOrPath;
  throw new InputError(
    `${nameOrPath}: no such file, and no tuning of that name comes with Krait`,
    names.length === 0 ? undefined : `Those that do: ${names.join(", ")}. 'krait tune' writes others.`,
  );
}
