/** Whether a value's axes suit the place it goes to. */
import { extraAxes, missingAxes } from "../../diagnostics/codes/shapes.js";
import type { RelatedSpan, Span } from "../../diagnostics/types.js";
import { operands } from "../rewrite.js";
import type { AxisId, NodeId } from "../types.js";
import { report, type Env } from "./env.js";
import { axesOf, describe } from "./nodes.js";
import { listAxes, tensor } from "./values.js";

export interface Place {
  /** As a message calls the value: "the argument `u`". */
  readonly what: string;
  readonly axes: readonly AxisId[];
  /** Axes that the value may carry besides. */
  readonly besides: readonly AxisId[];
  /** `some`: axes of fixed size must be there, for run-time axes a constant value is fine. `none`: any may lack. */
  readonly required: "some" | "none";
  readonly declared: Span;
}

/** Reports an axis too many or too few; true if there is none. */
export function fits(env: Env, node: NodeId, place: Place, span: Span): boolean {
  const has = axesOf(env, node);
  const { builder } = env.elaboration;
  const found = (): string => describe(env, tensor(node));
  const expected = (): string => listAxes(place.axes);
  const extra = has.filter((axis) => !place.axes.includes(axis) && !place.besides.includes(axis));
  if (extra.length > 0) {
    const sources = extra.flatMap((axis) => sourceOf(env, node, axis, span));
    report(env, extraAxes(span, place.what, extra.join(", "), found(), expected(), place.declared, sources));
    return false;
  }
  const missing = place.axes.filter((axis) => !has.includes(axis) && builder.axisOf(axis).role === "plain");
  if (missing.length === 0 || place.required === "none") return true;
  const hint = missing.map((axis) => namesakeHint(env, axis, has)).find((text) => text !== undefined);
  report(env, missingAxes(span, place.what, missing.join(", "), found(), expected(), place.declared, hint));
  return false;
}

/** The operand that brought an axis into a value, if it is another place in the same source. */
function sourceOf(env: Env, value: NodeId, axis: AxisId, from: Span): RelatedSpan[] {
  const { builder } = env.elaboration;
  let source = value;
  for (let next: NodeId | undefined = value; next !== undefined;) {
    source = next;
    next = operands(builder.node(source)).find((operand) => axesOf(env, operand).includes(axis));
  }
  const [span] = builder.node(source).spans;
  if (span?.file !== from.file || (span.start === from.start && span.end === from.end)) return [];
  return [{ span, message: `\`${axis}\` comes from here` }];
}

/** Axes of two files that have one name and two sizes: the second is called `m_2` in messages. */
function namesakeHint(env: Env, missing: AxisId, has: readonly AxisId[]): string | undefined {
  const { builder } = env.elaboration;
  const source = (axis: AxisId): string => axis.replace(/_\d+$/, "");
  const namesake = has.find((axis) => source(axis) === source(missing));
  if (namesake === undefined) return undefined;
  const size = (axis: AxisId): string => JSON.stringify(builder.axisOf(axis).size);
  return (
    `\`${namesake}\` has size ${size(namesake)}, \`${missing}\` has size ${size(missing)}: axes of one name are the same ` +
    "where their sizes are; `use … with name = value` sets the constants of the other file"
  );
}
