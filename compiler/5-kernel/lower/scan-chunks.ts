/**
 * A scan with time cut into chunks, as three kernels: the states of each chunk from nothing, and the products of its decays; a
 * scan over chunks that carries them; and each chunk again, from the state before it.
 */
import type { Dim } from "../../../runtime/bundle-format.js";
import { InternalError } from "../../diagnostics/internal-error.js";
import type { AxisId, State } from "../../3-graph/types.js";
import type { Expr, ScanKernel, Store } from "../types.js";
import { axisSize, type Tensor } from "./buffers.js";
import { identifier } from "./names.js";
import type { Coordinates } from "./scalarize.js";
import {
  partOf,
  withFinal,
  type KernelState,
  type Loops,
  type ScanBuilder,
  type Solved,
} from "./scan-builder.js";
import type { Cut } from "./scan-layout.js";
import type { Value } from "./scope.js";
import type { Decay } from "./semiring.js";

/** Each chunk from a state of nothing: its last state, and the product of its decays. Stores nothing else. */
export function localStates(scan: ScanBuilder, cut: Cut): ScanKernel {
  const place = chunkOf(scan, cut);
  const { zero, decay } = scan.semiring;
  const solved = scan.solved(place.at, () => scan.filled(zero), false);
  const states = solved.flatMap((each) => {
    const last = scan.filled("last");
    const chunked = (what: string): readonly (Store | undefined)[] =>
      scan.scope.store(chunkTensor(scan, each.state, what, cut), chunkPlace(scan, each.state, place), last);
    const locals = chunked("local");
    const kept = each.parts.map((part, k) => withFinal(part, locals[k]));
    if (decay === undefined) return kept;
    const decays = chunked("decay");
    return [...kept, ...products(scan, each, decay).map((part, k) => withFinal(part, decays[k]))];
  });
  return scan.finish(chunkLoops(scan, cut, place, "_local"), states, []);
}

/** The product of the decays so far, as states beside those whose decays they are. */
function products(
  scan: ScanBuilder,
  { parts, decay, inner }: Solved,
  { one, times }: Decay,
): readonly KernelState[] {
  if (decay === undefined) throw new InternalError("lower", "a chunk without decay");
  const { e } = scan;
  const names = parts.map((part) => `${part.name}_decay`);
  const previous = scan.valueOf(names.map((each) => e.variable(`prev_${each}`, "f32")));
  const product = times(decay, previous, e);
  return names.map((name, k) => {
    const next = scan.step(`${name}_next`, inner, partOf(product, k, e));
    return { name, inner, initial: e.f32(k === 0 ? one : 0), next };
  });
}

/** A scan over chunks: the state before each chunk, and after the last. */
export function carryOver(scan: ScanBuilder, cut: Cut): ScanKernel {
  const { e, layout, leads, scope, semiring, values } = scan;
  const channels = scan.channels * scan.inner;
  const at = new Map<AxisId, Expr>();
  scan.spread(at, layout.lead, e.variable("lead", "u32", leads));
  scan.spread(at, [...layout.channel, ...layout.inner], e.variable("channel", "u32", channels));
  const place = { at, chunk: e.variable("t", "u32", cut.chunks) };
  const stores: Store[] = [];
  const states = layout.states.flatMap((state) => {
    const base = values.fresh(identifier(state.name));
    const names = scan.parts().map((part) => scan.part(base, part));
    const previous = scan.valueOf(names.map((name) => e.variable(`prev_${name}`, "f32")));
    const read = (what: string): Value => {
      const loaded = scope.load(chunkTensor(scan, state, what, cut), chunkPlace(scan, state, place));
      return scan.valueOf(
        names.map((name, k) => values.stage(`${name}_${what}`, "channel", partOf(loaded, k, e))),
      );
    };
    const decayed = semiring.decay?.times(read("decay"), previous, e) ?? previous;
    const next = semiring.plus(decayed, read("local"), e);
    const before = scan.valueOf(
      names.map((name, k) => values.reduce(`${name}_before_chunk`, "sum", partOf(previous, k, e))),
    );
    stores.push(
      ...scope.store(chunkTensor(scan, state, "carry", cut), chunkPlace(scan, state, place), before),
    );
    const finals = scope.store(scan.tensor(state, "next"), scan.place(state, at), scan.filled("last"));
    const initial = scope.load(scan.tensor(state, "state"), scan.place(state, at));
    return names.map((name, k) => {
      const step = scan.step(values.fresh(`${name}_next`), true, partOf(next, k, e));
      return withFinal({ name, inner: true, initial: partOf(initial, k, e), next: step }, finals[k]);
    });
  });
  const loops = { suffix: "_carry", leads, begin: e.u32(0), end: e.number(cut.chunks), channels, inner: 1 };
  return scan.finish(loops, states, stores);
}

/** Each chunk again, from the state before it. */
export function rescan(scan: ScanBuilder, cut: Cut): ScanKernel {
  const place = chunkOf(scan, cut);
  const solved = scan.solved(
    place.at,
    (state) => scan.scope.load(chunkTensor(scan, state, "carry", cut), chunkPlace(scan, state, place)),
    false,
  );
  return scan.withResults(place.at, chunkLoops(scan, cut, place, "_rescan"), solved);
}

interface Place {
  readonly at: Coordinates;
  readonly chunk: Expr;
}

/** Where a lead is that counts chunks too, the chunk fastest. */
function chunkOf(scan: ScanBuilder, cut: Cut): Place {
  const { e } = scan;
  const lead = e.variable("lead", "u32", chunkLeads(scan, cut));
  const chunks = e.number(cut.chunks);
  return { at: scan.coordinates(e.div(lead, chunks)), chunk: e.mod(lead, chunks) };
}

const chunkLeads = (scan: ScanBuilder, cut: Cut): Dim => ["*", scan.leads, cut.chunks];

function chunkLoops(scan: ScanBuilder, cut: Cut, { at, chunk }: Place, suffix: string): Loops {
  const { e } = scan;
  const steps = e.number(cut.steps);
  const leads = chunkLeads(scan, cut);
  const offset = e.mul(chunk, steps);
  const document = scan.values.documentOf(at);
  if (document === undefined) {
    const all = e.dim(axisSize(scan.context.graph, scan.layout.time));
    return { isCut: true, suffix, leads, begin: offset, end: e.op("min", e.add(offset, steps), all) };
  }
  const begin = e.op("min", e.add(document.begin, offset), document.end);
  return { isCut: true, suffix, leads, begin, end: e.op("min", e.add(begin, steps), document.end) };
}

/** What the three kernels hand on: [lead, chunk, channel, inner] of a state. */
function chunkTensor({ context, group, layout }: ScanBuilder, state: State, what: string, cut: Cut): Tensor {
  const rest = state.axes.filter((axis) => !layout.lead.includes(axis));
  const extent = (axis: AxisId): Tensor["layout"][number] => ({
    axis,
    size: axisSize(context.graph, axis),
  });
  return {
    ref: {
      kind: "own",
      group: context.fusion.groups.indexOf(group),
      id: `${layout.states.indexOf(state)}.${what}`,
    },
    name: `${identifier(state.name)}_${what}`,
    layout: [...layout.lead.map(extent), { size: cut.chunks }, ...rest.map(extent)],
    complex: layout.complex,
    element: "f32",
  };
}

function chunkPlace({ e, layout }: ScanBuilder, state: State, { at, chunk }: Place): readonly Expr[] {
  const rest = state.axes.filter((axis) => !layout.lead.includes(axis));
  const coordinate = (axis: AxisId): Expr => at.get(axis) ?? e.u32(0);
  return [...layout.lead.map(coordinate), chunk, ...rest.map(coordinate)];
}
