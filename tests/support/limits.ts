/** What a bundle's dispatches bind, against a limit. */
import assert from "node:assert/strict";
import { evaluateDim, type Bundle, type TargetEntry } from "../../runtime/index.js";
import type { Program } from "../../runtime/bundle-format.js";

/** What every dispatch of a program binds of constants and, at these sizes, of all else. */
function* boundBytes(
  { numbers, body, tail }: Program,
  sizes: Readonly<Record<string, number>>,
): Generator<{ readonly what: string; readonly bytes: number }> {
  const values: Record<string, number> = { pos: 0, tail_begin: 0, tail_count: 1, ...sizes };
  for (const { name, value } of numbers) if (value !== undefined) values[name] = evaluateDim(value, values);
  for (const { shader, bindings } of [...body, ...tail])
    for (const range of bindings)
      yield {
        what: `${shader}: ${range.in} ${"id" in range ? range.id : ""}`,
        bytes: evaluateDim(range.bytes, values),
      };
}

export function targetOf(bundle: Bundle): TargetEntry {
  const [target] = bundle.manifest.targets;
  assert.ok(target !== undefined);
  return target;
}

/** Every range that a run of one step of one sequence binds, and every buffer of constants, is within the limit. */
export function assertWithin(bundle: Bundle, limit: number): void {
  const { load, prefill, step, constants } = targetOf(bundle);
  for (const { id, bytes } of constants) assert.ok(bytes <= limit, `the constants ${id}: ${bytes} bytes`);
  for (const program of [load, prefill, ...(step ? [step] : [])])
    for (const { what, bytes } of boundBytes(program, { b: 1, t: 1 }))
      assert.ok(bytes <= limit, `${what}: ${bytes} bytes`);
}
