/** Proves that the right-hand side of der(h) is a·h + b, element by element: a third evaluation, at random h. */
import { InternalError } from "../diagnostics/internal-error.js";
import type { State } from "../3-graph/types.js";
import type { Scope } from "./run.js";
import type { LinearityCheck, Plan } from "./plan.js";
import { toTensor } from "./values.js";
import { rowMajor, widthOf, type SizeOf, type View } from "./view.js";

/** Other numbers for every element, of size about 1 and far from 0 and 1: fractions of multiples of the golden ratio. */
export function probeOf(state: State, sizeOf: SizeOf): View {
  const { strides, length } = rowMajor(state.axes, sizeOf, widthOf(state.scalar));
  const data = Float64Array.from({ length }, (_, k) => 1.5 + ((((k + 1) * (Math.sqrt(5) - 1)) / 2) % 1));
  return { data, offset: 0, strides, complex: state.scalar === "c64" };
}

/** Throws unless der's right-hand side is linear in the state, element by element. */
export function checkLinear(check: LinearityCheck, plan: Plan, scope: Scope): void {
  const type = plan.items.get(check.atProbe)?.type;
  if (type === undefined) throw new InternalError("interpret", `no node %${check.atProbe}`);
  const axes = [...new Set([...type.axes, ...check.state.axes])];
  const [a, b, h, got] = [check.a, check.b, check.probe, check.atProbe].map(
    (id) => toTensor(scope.view(id), axes, check.state.scalar, scope.sizeOf).data,
  );
  if (a === undefined || b === undefined || h === undefined || got === undefined) return;
  const width = widthOf(check.state.scalar);
  for (let k = 0; k < got.length; k += width) {
    const [ar = 0, ai = 0] = [a[k], width === 2 ? a[k + 1] : 0];
    const [hr = 0, hi = 0] = [h[k], width === 2 ? h[k + 1] : 0];
    const [br = 0, bi = 0] = [b[k], width === 2 ? b[k + 1] : 0];
    const [gr = 0, gi = 0] = [got[k], width === 2 ? got[k + 1] : 0];
    const error = Math.hypot(ar * hr - ai * hi + br - gr, ar * hi + ai * hr + bi - gi);
    const size = Math.hypot(ar, ai) * Math.hypot(hr, hi) + Math.hypot(br, bi);
    if (error > 1e-9 * size)
      throw new InternalError(
        "interpret",
        `der(${check.state.name}) is not linear in it, element by element`,
      );
  }
}
