/**
 * Tuning files: which schedules were measured to be the fastest, on which adapters. `krait tune` writes them, `krait build
 * --tuning` takes from them what a model has use for. SPEC.md § Tuning.
 */
import { readFileSync, statSync } from "node:fs";
import * as v from "valibot";
import type { AdapterTuning } from "../../runtime/bundle-format.js";
import { InputError } from "./errors.js";
import { collect } from "./arguments.js";
import { tuningPath } from "./shipped-tuning.js";

const FORMAT = "krait-tuning";
const VERSION = 1;

/** More than anybody measures; what is beyond is refused before it is looked at. */
const MOST_BYTES = 64 * 2 ** 20;

const name = v.pipe(v.string(), v.nonEmpty(), v.maxLength(256));
const size = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** Of a run-time axis, which is a u32. */
const extent = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 32 - 1));
const milliseconds = v.pipe(v.number(), v.finite(), v.minValue(0));

const entry = v.object({
  target: name,
  kernel: v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/, "is not a kernel's identity: 16 hexadecimal digits")),
  shape: v.record(name, extent),
  schedule: v.record(name, v.union([size, name])),
  /** The model that it was measured with, and what that calls it. */
  model: v.exactOptional(v.string()),
  label: v.string(),
  /** Of one launch; of one by the schedule that the compiler takes by itself; and how many were measured. */
  ms: milliseconds,
  defaultMs: milliseconds,
  measured: size,
});

const file = v.object({
  format: v.literal(FORMAT),
  version: v.literal(VERSION),
  adapters: v.array(
    v.object({
      vendor: name,
      architecture: name,
      description: v.string(),
      entries: v.array(entry),
    }),
  ),
});

export type TuningFile = v.InferOutput<typeof file>;
export type MeasuredEntry = v.InferOutput<typeof entry>;

export const NOTHING_MEASURED: TuningFile = { format: FORMAT, version: VERSION, adapters: [] };

/** For commands that build a bundle. */
export const TUNING = [
  "--tuning <name-or-file>",
  "schedules that were measured: adds a target for each adapter in it (repeatable)",
  collect,
] as const;

/** @throws InputError that says what is wrong with the file. */
export function readTuning(path: string): TuningFile {
  if (statSync(path).isDirectory()) throw new InputError(`${path} is a folder, not a tuning file`);
  const bytes = readFileSync(path);
  if (bytes.length > MOST_BYTES) throw new InputError(`${path} is no tuning file: it has more than 64 MiB`);
  return parseTuning(bytes.toString("utf8"), path);
}

export function parseTuning(text: string, path: string): TuningFile {
  const again = "Measure again with 'krait tune', which writes such files.";
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new InputError(`${path} is no tuning file, or was cut off: ${String(cause)}`, again);
  }
  const head = (typeof json === "object" ? json : undefined) as {
    format?: unknown;
    version?: unknown;
  } | null;
  if (head?.format !== FORMAT)
    throw new InputError(`${path} is no tuning file: its "format" is not "${FORMAT}"`, again);
  if (head.version !== VERSION)
    throw new InputError(
      `${path} has version ${JSON.stringify(head.version)} of the format, and this compiler reads version ${VERSION}`,
      again,
    );
  const result = v.safeParse(file, json);
  if (result.success) return result.output;
  const lines = result.issues.slice(0, 8).map(({ message, path: where }) => {
    const field = where?.map(({ key }) => String(key)).join(".") ?? "the whole";
    return `  ${field}: ${message}`;
  });
  throw new InputError(`${path} is damaged:\n${lines.join("\n")}`, again);
}

/** Entries of several files; of two for the same kernel and shape, the later file's counts. */
export function merged(files: readonly TuningFile[]): TuningFile {
  const adapters = new Map<string, TuningFile["adapters"][number]>();
  for (const one of files.flatMap((each) => each.adapters)) {
    const key = `${one.vendor} ${one.architecture}`;
    const before = adapters.get(key)?.entries ?? [];
    const entries = new Map([...before, ...one.entries].map((each) => [keyOf(each), each]));
    adapters.set(key, { ...one, entries: [...entries.values()] });
  }
  return { ...NOTHING_MEASURED, adapters: [...adapters.values()] };
}

const keyOf = ({ target, kernel, shape }: MeasuredEntry): string =>
  JSON.stringify([target, kernel, Object.entries(shape).sort(([p], [q]) => (p < q ? -1 : 1))]);

/** As one line an entry, so that a file can be read and compared. */
export function tuningText({ adapters }: TuningFile): string {
  const lines = adapters.map(({ entries, ...adapter }) => {
    const head = JSON.stringify(adapter).slice(0, -1);
    const rows = entries.map((each) => `    ${JSON.stringify(each)}`).join(",\n");
    return `  ${head},"entries":[\n${rows}\n  ]}`;
  });
  return `{"format":"${FORMAT}","version":${VERSION},"adapters":[\n${lines.join(",\n")}\n]}\n`;
}

/** What a compiler is given of the files, or shipped names, that `--tuning` has. */
export function tuningOption(given: readonly string[] = []): { readonly tuning?: readonly AdapterTuning[] } {
  const files = given.map((nameOrPath) => readTuning(tuningPath(nameOrPath)));
  return files.length === 0 ? {} : { tuning: merged(files).adapters };
}
