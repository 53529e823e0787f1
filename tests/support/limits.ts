/** What a bundle's dispatches bind, against a limit. */
import assert from "node:assert/strict";
import { evaluateDim, type Bundle, type TargetEntry } from "../../runtime/index.js";
import type { ConstantBufferEntry, Program } from "../../runtime/bundle-format.js";

/** What every dispatch of a program binds of constants and, at these sizes, of all else. */
function* boundBytes(
  { numbers, body, tail }: Program,
  sizes: Readonly<Record<string, number>>,
): Generator<{ readonly what: string; readonly place: string; readonly bytes: number }> {
  const values: Record<string, number> = { pos: 0, tail_begin: 0, tail_count: 1, ...sizes };
  for (const { name, value } of numbers)
    values[name] = value === undefined ? (values[name] ?? 1) : evaluateDim(value, values);
  for (const { shader, bindings } of [...body, ...tail])
    for (const range of bindings)
      yield {
        place: range.in,
        what: `${shader}: ${range.in} ${"id" in range ? range.id : ""}`,
        bytes: evaluateDim(range.bytes, values),
      };
}

export function targetOf(bundle: Bundle): TargetEntry {
  const [target] = bundle.manifest.targets;
  assert.ok(target !== undefined);
  return target;
}

/** The buffers of a parameter in banks. */
export const banksOf = (bundle: Bundle, param: string): readonly ConstantBufferEntry[] =>
  targetOf(bundle).constants.filter(
    ({ id, params }) => id.includes("#") && params.some((place) => place.param === param),
  );

/** Every range of constants that is bound, and of all else in a run of one step of one sequence, is within the limit. */
export function assertWithin(bundle: Bundle, limit: number, of: "all" | "constants" = "all"): void {
  const { load, prefill, step, constants } = targetOf(bundle);
  for (const { id, bytes } of constants) assert.ok(bytes <= limit, `the constants ${id}: ${bytes} bytes`);
  for (const program of [load, prefill, ...(step ? [step] : [])])
    for (const { what, place, bytes } of boundBytes(program, { b: 1, t: 1 }))
      if (of === "all" || place === "constant") assert.ok(bytes <= limit, `${what}: ${bytes} bytes`);
}
