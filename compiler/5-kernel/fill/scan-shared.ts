/** Prints the sums that the lanes of a channel share (shared-sums.ts): a stretch each, four at a time, added up in workgroup memory. */
import { sharedSums, type Sum } from "../shared-sums.js";
import {
  element,
  binary,
  code,
  join,
  name,
  nothing,
  variable,
  wgsl,
  type Code,
  type Name,
  type Wgsl,
} from "../../../templates/wgsl.js";
import { scalarValue, type Value } from "../print-scope.js";
import type { ScanFrame } from "./scan-frame.js";

export interface SharedSums {
  /** Workgroup memory: a number for each invocation. */
  readonly memory: readonly Name[];
  /** The lanes' parts, and the sums after a barrier. */
  readonly parts: Code;
  readonly totals: Code;
}

/** Whatever is printed from now on finds the sums at hand. */
export function printSharedSums(frame: ScanFrame): SharedSums {
  const { kernel, shape, context, root } = frame;
  const sums = sharedSums(kernel, shape.lanes).map((sum) => ({
    sum,
    memory: name(context.names.take("shared_sums")),
    to: variable<"f32">(context.names.take("shared_sum")),
  }));
  if (sums.length === 0) return { memory: [], parts: nothing, totals: nothing };
  const parts = sums.map(({ sum, memory }) => printPart(frame, sum, memory));
  const at = (lane: number): Wgsl<"u32"> =>
    lane === 0 ? variable<"u32">("channel_slot") : wgsl<"u32">`${lane * shape.channels}u + channel_slot`;
  const totals = sums.map(({ memory, to }) => {
    const all = Array.from({ length: shape.lanes }, (_, lane) => element<"f32">(memory, at(lane)));
    return code`let ${to} = ${all.reduce((p, q) => binary<"f32">(p, "+", q))};`;
  });
  for (const { sum, to } of sums) root.hold(sum, scalarValue(to));
  return {
    memory: sums.map(({ memory }) => memory),
    parts: join(parts),
    totals: join([code`workgroupBarrier();`, ...totals]),
  };
}

/** A lane's stretch of a sum, into workgroup memory. */
function printPart({ shape, context, root }: ScanFrame, sum: Sum, memory: Name): Code {
  const extent = sum.extent.value;
  const share = 4 * Math.ceil(extent / (4 * shape.lanes));
  const byFour = extent % 4 === 0;
  const own = variable<"f32">(context.names.take("own"));
  const first = variable<"u32">(context.names.take(sum.index));
  const four = variable<"vec4u">(context.names.take(`${sum.index}_four`));
  const index: Value = byFour ? { wgsl: four, width: 4, first } : scalarValue(first);
  const inside = root.nested(new Map([[sum.index, index]]));
  const value = byFour ? inside.vec4f(sum.body) : inside.f32(sum.body);
  const loop = code`
    for (var ${first} = lane * ${share}u; ${first} < min((lane + 1u) * ${share}u, ${extent}u); ${first} += ${byFour ? 4 : 1}u) {
      ${byFour ? code`let ${four} = ${first} + vec4u(0u, 1u, 2u, 3u);` : nothing}
      ${inside.flush()}
      ${own} += ${value};
    }
  `;
  return join([
    root.flush(),
    code`var ${own} = ${byFour ? wgsl<"vec4f">`vec4f(0.0)` : wgsl<"f32">`0.0`};`,
    loop,
    code`${memory}[invocation] = ${byFour ? wgsl<"f32">`dot(${own}, vec4f(1.0))` : own};`,
  ]);
}
