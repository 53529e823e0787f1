/** The memory plan of a program: buffers whose lives do not overlap share a slot. */
import type { Dim } from "../../runtime/bundle-format.js";
import { product } from "../5-kernel/lower/buffers.js";

/** A buffer's life, in dispatches: from the first that touches it to the last. */
export interface Life {
  readonly key: string;
  readonly bytes: Dim;
  readonly first: number;
  /** Infinity: read by a part that may run again. */
  readonly last: number;
}

export interface ScratchPlan {
  readonly slots: readonly { readonly id: string; readonly bytes: Dim }[];
  readonly slotOf: ReadonlyMap<string, string>;
}

/** A size as a constant times a product of run-time numbers. */
interface Scaled {
  readonly factor: number;
  readonly runtime: readonly Dim[];
}

/**
 * First fit in the order of first use. Slots are shared among buffers whose sizes have the same run-time factor, so that
 * the larger is known when compiled.
 */
export function planScratch(lives: readonly Life[]): ScratchPlan {
  const slots: { id: string; runtime: string; size: Scaled; free: number }[] = [];
  const slotOf = new Map<string, string>();
  for (const life of [...lives].sort((p, q) => p.first - q.first || compareText(p.key, q.key))) {
    const size = scaled(life.bytes);
    const runtime = JSON.stringify(size.runtime);
    const fits = slots.filter((slot) => slot.runtime === runtime && slot.free < life.first);
    const best = fits.sort(
      (p, q) => Math.abs(p.size.factor - size.factor) - Math.abs(q.size.factor - size.factor),
    )[0];
    if (best === undefined) {
      const id = `s${slots.length}`;
      slots.push({ id, runtime, size, free: life.last });
      slotOf.set(life.key, id);
      continue;
    }
    best.size = { ...size, factor: Math.max(size.factor, best.size.factor) };
    best.free = life.last;
    slotOf.set(life.key, best.id);
  }
  return {
    slots: slots.map(({ id, size }) => ({ id, bytes: product([...size.runtime, size.factor]) })),
    slotOf,
  };
}

const compareText = (p: string, q: string): number => (p < q ? -1 : p > q ? 1 : 0);

function scaled(dim: Dim): Scaled {
  if (typeof dim === "number") return { factor: dim, runtime: [] };
  if (typeof dim === "string" || dim[0] !== "*") return { factor: 1, runtime: [dim] };
  const left = scaled(dim[1]);
  const right = scaled(dim[2]);
  const runtime = [...left.runtime, ...right.runtime].sort((p, q) =>
    compareText(JSON.stringify(p), JSON.stringify(q)),
  );
  return { factor: left.factor * right.factor, runtime };
}
