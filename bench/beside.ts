/** Times of another implementation, measured elsewhere, to stand beside Krait's. */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import * as v from "valibot";
import type { BenchRun } from "./case.js";

const TimesSchema = v.array(v.object({ name: v.string(), ms: v.pipe(v.number(), v.gtValue(0)) }));

/** By the names of runs; called after the file. @throws Error that says what is wrong with it. */
export function readBeside(path: string): ReadonlyMap<string, NonNullable<BenchRun["reference"]>> {
  const parsed = v.safeParse(TimesSchema, JSON.parse(readFileSync(path, "utf8")));
  if (!parsed.success) throw new Error(`${path} is no list of { name, ms }:\n${v.summarize(parsed.issues)}`);
  const source = basename(path, ".json");
  return new Map(parsed.output.map(({ name, ms }) => [name, { name: source, ms }]));
}
