/**
 * What every operation means, in float64. A rule first *places* an item's value: operations that only look at numbers
 * in another way (rename, slice, flip, window) share those of their operand; the others get storage of their own and
 * *fill* it, either whole or one step of a recurrence at a time.
 */
import { InternalError } from "../diagnostics/internal-error.js";
import type { AxisId, NodeId } from "../3-graph/types.js";
import { COMPLEX, type ComplexFn, type Result } from "./complex.js";
import { chunkPlaces, chunkRanges, earlier, mirrored } from "./documents.js";
import { copier, nest, type Body } from "./nest.js";
import type { Item } from "./plan.js";
import { REAL } from "./real.js";
import type { Scope } from "./run.js";
import { allocate, at, constant, from, replaceAxis, rowMajor, strideOf, type View } from "./view.js";

/** Computes a value: all of it, or the part at one step of the axis it was prepared for. */
export type Fill = (step: number) => void;

type Of<K extends Item["kind"]> = Extract<Item, { readonly kind: K }>;

interface Rule<K extends Item["kind"]> {
  /** Default: new storage in canonical order. */
  readonly place?: (item: Of<K>, scope: Scope) => View;
  /** Absent where the value is another's numbers. With `along`, the fill takes steps of that axis. */
  readonly fill?: (item: Of<K>, out: View, scope: Scope, along?: AxisId) => Fill | undefined;
}

const RULES: { readonly [K in Item["kind"]]: Rule<K> } = {
  scalar: { place: (item) => constant(item.value, item.type.scalar) },
  input: { place: (item, scope) => scope.input(item.name) },
  param: { place: (item, scope) => scope.param(item.param) },
  probe: { place: (item, scope) => scope.probe(item.state) },
  coordinate: { fill: fillCoordinate },
  map: { fill: fillMap },
  reduce: { fill: fillReduce },
  dot: { fill: fillDot },
  gather: { fill: fillGather },
  conv: { fill: fillConv },
  rename: {
    place: (item, scope) => {
      const arg = scope.view(item.arg);
      const to = new Map(item.axes.map((pair) => [pair.from, pair.to]));
      const strides = new Map([...arg.strides].map(([axis, stride]) => [to.get(axis) ?? axis, stride]));
      return { ...arg, strides };
    },
  },
  slice: {
    place: (item, scope) =>
      replaceAxis(
        from(scope.view(item.arg), item.axis, item.start),
        item.axis,
        rowMajor(item.to, scope.sizeOf, 1).strides,
      ),
  },
  concat: { fill: fillConcat },
  flip: {
    place: (item, scope) => {
      if (item.steps !== undefined) return allocate(item.type.axes, item.type.scalar, scope.sizeOf);
      const arg = scope.view(item.arg);
      const last = from(arg, item.axis, Math.max(0, scope.sizeOf(item.axis) - 1));
      return replaceAxis(last, item.axis, new Map([[item.axis, -1]]));
    },
    fill: fillFlip,
  },
  window: {
    place: (item, scope) => {
      const moved = from(scope.view(item.arg), item.from, scope.number(item.offset));
      return replaceAxis(moved, item.from, new Map([[item.to, 1]]));
    },
  },
  chunk: { fill: fillChunk },
  unchunk: { fill: fillUnchunk },
  prev: { fill: fillPrev },
  continuous: { place: (item) => fail(item, "the continuous variable has no value outside of its der") },
  coefficient: { place: (item) => fail(item, "a coefficient was not opened up") },
};

/** Where the item's value lies. Operands whose numbers it shares must have been placed. */
export function place(item: Item, scope: Scope): View {
  const rule = RULES[item.kind] as Rule<Item["kind"]>;
  return rule.place?.(item, scope) ?? allocate(item.type.axes, item.type.scalar, scope.sizeOf);
}

/** How to compute the item's value into its place; nothing where placing was all. Everything it reads must have been placed. */
export function prepare(item: Item, out: View, scope: Scope, along?: AxisId): Fill | undefined {
  const rule = RULES[item.kind] as Rule<Item["kind"]>;
  return rule.fill?.(item, out, scope, along);
}

function fail(item: Item, detail: string): never {
  throw new InternalError("interpret", `%${item.id}: ${detail}`);
}

function fillCoordinate(item: Of<"coordinate">, out: View, scope: Scope): Fill {
  return () => {
    const first = scope.start(item.axis);
    for (let i = 0; i < scope.sizeOf(item.axis); i++) out.data[i] = first + i;
  };
}

function fillMap(item: Of<"map">, out: View, scope: Scope, along?: AxisId): Fill {
  const args = item.args.map((id) => scope.view(id));
  const loops = nest(item.type.axes, [out, ...args], scope.sizeOf, along);
  const body =
    out.complex || args.some((arg) => arg.complex) ? complexMap(item, out, args) : realMap(item, out, args);
  return (step) => {
    loops(step, body);
  };
}

function realMap(item: Of<"map">, out: View, args: readonly View[]): Body {
  if (item.fn === "complex") return fail(item, "complex() of a real type");
  const fn = REAL[item.fn];
  const [x, y, z] = args.map((arg) => arg.data);
  const o = out.data;
  if (args.length !== fn.args || x === undefined) return fail(item, `${item.fn} of ${args.length} arguments`);
  if (fn.args === 1)
    return ([p = 0, i = 0], count, [sp = 0, si = 0]) => {
      for (let n = 0; n < count; n++) o[p + n * sp] = fn.apply(x[i + n * si] ?? NaN);
    };
  if (y === undefined) return fail(item, "an argument is missing");
  if (fn.args === 2)
    return ([p = 0, i = 0, j = 0], count, [sp = 0, si = 0, sj = 0]) => {
      for (let n = 0; n < count; n++) o[p + n * sp] = fn.apply(x[i + n * si] ?? NaN, y[j + n * sj] ?? NaN);
    };
  if (z === undefined) return fail(item, "an argument is missing");
  return ([p = 0, i = 0, j = 0, k = 0], count, [sp = 0, si = 0, sj = 0, sk = 0]) => {
    for (let n = 0; n < count; n++)
      o[p + n * sp] = fn.apply(x[i + n * si] ?? NaN, y[j + n * sj] ?? NaN, z[k + n * sk] ?? NaN);
  };
}

function complexMap(item: Of<"map">, out: View, args: readonly View[]): Body {
  const fn: ComplexFn = COMPLEX[item.fn] ?? fail(item, `${item.fn} of complex numbers`);
  const result: Result = { re: 0, im: 0 };
  const read = (k: number, position: number, part: 0 | 1): number => {
    const arg = args[k];
    if (arg === undefined || (part === 1 && !arg.complex)) return 0;
    return arg.data[position + part] ?? NaN;
  };
  return ([p = 0, i = 0, j = 0, k = 0], count, [sp = 0, si = 0, sj = 0, sk = 0]) => {
    for (let n = 0; n < count; n++, p += sp, i += si, j += sj, k += sk) {
      fn(result, read(0, i, 0), read(0, i, 1), read(1, j, 0), read(1, j, 1), read(2, k, 0), read(2, k, 1));
      out.data[p] = result.re;
      if (out.complex) out.data[p + 1] = result.im;
    }
  };
}

/** `start` is what a reduction of nothing gives, `least` of whole numbers, which are 32 bits wide. */
const REDUCTIONS = {
  sum: { start: 0, least: 0, apply: (sum: number, x: number) => sum + x },
  max: { start: -Infinity, least: 0, apply: Math.max },
  min: { start: Infinity, least: 2 ** 32 - 1, apply: Math.min },
} as const;

function fillReduce(item: Of<"reduce">, out: View, scope: Scope, along?: AxisId): Fill {
  const arg = scope.view(item.arg);
  const where = item.where === undefined ? constant(1, "bool") : scope.view(item.where);
  if (arg.complex && item.fn !== "sum") return fail(item, `${item.fn} of complex numbers`);
  const { start, least, apply } = REDUCTIONS[item.fn];
  const nothing = item.type.scalar === "index" ? least : start;
  const clear = copier(item.type.axes, out, constant(nothing, item.type.scalar), scope.sizeOf, along);
  const loops = nest([...item.type.axes, ...item.over], [out, arg, where], scope.sizeOf, along);
  const o = out.data;
  const x = arg.data;
  const mask = where.data;
  const body: Body = ([p = 0, i = 0, m = 0], count, [sp = 0, si = 0, sm = 0]) => {
    for (let n = 0; n < count; n++, p += sp, i += si, m += sm) {
      if (mask[m] === 0) continue;
      o[p] = apply(o[p] ?? NaN, x[i] ?? NaN);
      if (arg.complex) o[p + 1] = (o[p + 1] ?? NaN) + (x[i + 1] ?? NaN);
    }
  };
  return (step) => {
    clear(step);
    loops(step, body);
  };
}

function fillDot(item: Of<"dot">, out: View, scope: Scope, along?: AxisId): Fill {
  const lhs = scope.view(item.lhs);
  const rhs = scope.view(item.rhs);
  const clear = copier(item.type.axes, out, constant(0, item.type.scalar), scope.sizeOf, along);
  const loops = nest([...item.type.axes, ...item.over], [out, lhs, rhs], scope.sizeOf, along);
  const body = multiplyAdd(out, lhs, rhs);
  return (step) => {
    clear(step);
    loops(step, body);
  };
}

/** out += lhs · rhs. */
function multiplyAdd(out: View, lhs: View, rhs: View): Body {
  const [o, x, y] = [out.data, lhs.data, rhs.data];
  if (!out.complex)
    return ([p = 0, i = 0, j = 0], count, [sp = 0, si = 0, sj = 0]) => {
      for (let n = 0; n < count; n++, p += sp, i += si, j += sj)
        o[p] = (o[p] ?? NaN) + (x[i] ?? NaN) * (y[j] ?? NaN);
    };
  return ([p = 0, i = 0, j = 0], count, [sp = 0, si = 0, sj = 0]) => {
    for (let n = 0; n < count; n++, p += sp, i += si, j += sj) {
      const [a, b] = [x[i] ?? NaN, lhs.complex ? (x[i + 1] ?? NaN) : 0];
      const [c, d] = [y[j] ?? NaN, rhs.complex ? (y[j + 1] ?? NaN) : 0];
      o[p] = (o[p] ?? NaN) + a * c - b * d;
      o[p + 1] = (o[p + 1] ?? NaN) + a * d + b * c;
    }
  };
}

function fillGather(item: Of<"gather">, out: View, scope: Scope, along?: AxisId): Fill {
  const table = scope.view(item.table);
  const index = scope.view(item.index);
  const stride = strideOf(table, item.axis);
  const last = scope.sizeOf(item.axis) - 1;
  // The table's own axes; along the gathered one the index decides.
  const rows = replaceAxis(table, item.axis, new Map());
  const loops = nest(item.type.axes, [out, rows, index], scope.sizeOf, along);
  const body: Body = ([p = 0, i = 0, j = 0], count, [sp = 0, si = 0, sj = 0]) => {
    for (let n = 0; n < count; n++, p += sp, i += si, j += sj) {
      const row = i + Math.min(Math.max(index.data[j] ?? NaN, 0), last) * stride;
      out.data[p] = table.data[row] ?? NaN;
      if (table.complex) out.data[p + 1] = table.data[row + 1] ?? NaN;
    }
  };
  return (step) => {
    loops(step, body);
  };
}

/** Within documents: numbers are shared where one run is one document. */
function fillFlip(item: Of<"flip">, out: View, scope: Scope): Fill | undefined {
  if (item.steps === undefined) return undefined;
  const mirror = mirrored(item.steps, scope);
  const arg = scope.view(item.arg);
  const rest = item.type.axes.filter((axis) => axis !== item.axis);
  return () => {
    for (let step = 0; step < scope.sizeOf(item.axis); step++)
      copier(rest, at(out, item.axis, step), at(arg, item.axis, mirror(step)), scope.sizeOf)(0);
  };
}

/** y[t] = Σ_k w[k] · x[t − (K − 1) + k], the x of other documents left out for what the step's own carried in. */
function fillConvWithin(item: Of<"conv">, steps: NodeId, out: View, scope: Scope, along?: AxisId): Fill {
  const state = scope.graph.states[item.history] ?? fail(item, "no such history");
  const before = earlier(state, steps, scope.view(item.x), scope);
  const w = scope.view(item.w);
  const taps = scope.sizeOf(item.over);
  const axes = item.type.axes.filter((axis) => axis !== item.along);
  const one: Fill = (step) => {
    const y = at(out, item.along, step);
    copier(axes, y, constant(0, item.type.scalar), scope.sizeOf)(0);
    for (let k = 0; k < taps; k++) {
      const operands = [y, before(step, taps - 1 - k), at(at(w, item.over, k), item.along, step)] as const;
      nest(axes, operands, scope.sizeOf)(0, multiplyAdd(...operands));
    }
  };
  if (along === item.along) return one;
  return () => {
    for (let step = 0; step < scope.sizeOf(item.along); step++) one(step);
  };
}

/** y[t] = Σ_k w[k] · z[t + k], where z is the history followed by x. */
function fillConv(item: Of<"conv">, out: View, scope: Scope, along?: AxisId): Fill {
  if (item.steps !== undefined) return fillConvWithin(item, item.steps, out, scope, along);
  const x = scope.view(item.x);
  const w = scope.view(item.w);
  const before = scope.sizeOf(item.over) - 1;
  const state = scope.graph.states[item.history] ?? fail(item, "no such history");
  const taps = state.axes.at(-1) ?? fail(item, "its history has no axes");
  const lead = [...new Set([...state.axes.slice(0, -1), ...x.strides.keys()])].filter(
    (a) => a !== item.along,
  );
  const steps = scope.sizeOf(item.along);

  const z = allocate([...lead, item.along], x.complex ? "c64" : "f32", (axis) =>
    axis === item.along ? before + steps : scope.sizeOf(axis),
  );
  const zTaps = replaceAxis(z, item.along, new Map([[taps, 1]]));
  copier([...lead, taps], zTaps, scope.initial(item.history), scope.sizeOf)(0);
  const append = copier([...lead, item.along], from(z, item.along, before), x, scope.sizeOf, along);
  const clear = copier(item.type.axes, out, constant(0, item.type.scalar), scope.sizeOf, along);
  // Along time and along the taps z moves alike.
  const both = new Map([
    [item.along, 1],
    [item.over, 1],
  ]);
  const zBoth = replaceAxis(z, item.along, both);
  const loops = nest([...item.type.axes, item.over], [out, zBoth, w], scope.sizeOf, along);
  const body = multiplyAdd(out, zBoth, w);
  return (step) => {
    append(step);
    clear(step);
    loops(step, body);
  };
}

function fillConcat(item: Of<"concat">, out: View, scope: Scope, along?: AxisId): Fill {
  const layout = scope.graph.axes.get(item.axis)?.parts ?? fail(item, `${item.axis} has no parts`);
  const copies = item.parts.map((id, k) => {
    const part = layout[k] ?? fail(item, `${item.axis} has no part ${k}`);
    const target = replaceAxis(
      from(out, item.axis, part.start),
      item.axis,
      rowMajor(part.axes, scope.sizeOf, 1).strides,
    );
    return copier([...target.strides.keys()], target, scope.view(id), scope.sizeOf, along);
  });
  return (step) => {
    for (const copy of copies) copy(step);
  };
}

/** Chunk by chunk: a view of the steps that are there, then what stands past the end. */
function fillChunk(item: Of<"chunk">, out: View, scope: Scope): Fill {
  const { of, chunks, steps, past } = item;
  const arg = scope.view(item.arg);
  const rest = item.type.axes.filter((axis) => axis !== chunks && axis !== steps);
  const size = scope.sizeOf(steps);
  const range = item.chunkTable === undefined ? undefined : chunkRanges(item.chunkTable, scope);
  const total = scope.sizeOf(of);
  const copy = (chunk: number, step: number): void => {
    const { first, end } = range?.(chunk) ?? { first: chunk * size, end: total };
    const source =
      first + step >= end && past !== undefined
        ? constant(past, item.type.scalar)
        : at(arg, of, Math.max(0, Math.min(first + step, end - 1)));
    copier(rest, at(at(out, chunks, chunk), steps, step), source, scope.sizeOf)(0);
  };
  return () => {
    for (let k = 0; k < scope.sizeOf(chunks) * size; k++) copy(Math.floor(k / size), k % size);
  };
}

function fillUnchunk(item: Of<"unchunk">, out: View, scope: Scope): Fill {
  const { of, chunks, steps } = item;
  const arg = scope.view(item.arg);
  const rest = item.type.axes.filter((axis) => axis !== of);
  const size = scope.sizeOf(steps);
  const { stepTable } = item;
  const placeOf = stepTable === undefined ? undefined : chunkPlaces(stepTable, size, scope);
  return () => {
    for (let t = 0; t < scope.sizeOf(of); t++) {
      const { chunk, step } = placeOf?.(t) ?? { chunk: Math.floor(t / size), step: t % size };
      copier(rest, at(out, of, t), at(at(arg, chunks, chunk), steps, step), scope.sizeOf)(0);
    }
  };
}

/** The state's value a step earlier; before the first step, what was carried in. */
function fillPrev(item: Of<"prev">, out: View, scope: Scope, along?: AxisId): Fill {
  const state = scope.graph.states[item.state] ?? fail(item, "no such state");
  const axes = item.type.axes;
  const rest = axes.filter((axis) => axis !== state.along);
  const value = scope.view(state.equation.value);
  const first = copier(rest, at(out, state.along, 0), scope.initial(item.state), scope.sizeOf);
  const later = copier(axes, out, from(value, state.along, -1), scope.sizeOf, state.along);
  const before = item.steps === undefined ? undefined : earlier(state, item.steps, value, scope);
  const one: Fill = (step) => {
    if (before !== undefined) copier(rest, at(out, state.along, step), before(step, 1), scope.sizeOf)(0);
    else if (step === 0) first(0);
    else later(step);
  };
  if (along === state.along) return one;
  return () => {
    for (let step = 0; step < scope.sizeOf(state.along); step++) one(step);
  };
}

/** Whether the item can be computed step by step along an axis: its value at a step needs that step of its operands alone. */
export function isStepwise(item: Item, along: AxisId, inside: ReadonlySet<NodeId>): boolean {
  const touches = (id: NodeId, axes: readonly AxisId[]): boolean => inside.has(id) && axes.includes(along);
  if (!item.type.axes.includes(along)) return false;
  switch (item.kind) {
    case "reduce":
      return !item.over.includes(along);
    case "dot":
      return !item.over.includes(along);
    case "gather":
      return !touches(item.table, [item.axis]);
    case "rename":
      return !touches(
        item.arg,
        item.axes.flatMap((pair) => [pair.from, pair.to]),
      );
    case "slice":
      return !touches(item.arg, [item.axis, ...item.to]);
    case "flip":
      return !touches(item.arg, [item.axis]);
    case "window":
      return !touches(item.arg, [item.from, item.to]);
    case "chunk":
    case "unchunk":
      return !touches(item.arg, [item.of, item.chunks, item.steps]);
    case "concat":
      return item.axis !== along;
    case "conv":
      return item.along === along && item.over !== along;
    case "scalar":
    case "input":
    case "param":
    case "coordinate":
    case "map":
    case "prev":
    case "continuous":
    case "coefficient":
    case "probe":
      return true;
  }
}
