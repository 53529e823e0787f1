/**
 * What a chunk's steps read of what the chunk itself has put into the state: Σ_s' M[s, s']·x[s'], where M[s, s'] is
 * q[s]·k[s'] with the decays between the two steps, and 0 where s' has not been put in yet.
 */
import type { AxisId, NodeId } from "../../3-graph/types.js";
import type { Arithmetic } from "./arithmetic.js";
import type { Blocks, Cut } from "./chunks.js";

export interface Reading {
  readonly q: NodeId;
  /** Whether what is put in at a step is read there. */
  readonly of: "now" | "before";
  /** Logarithms cumulated until the state that is read. */
  readonly late: NodeId;
  /** Up to and with a step. */
  readonly since: NodeId;
  /** Before a step. */
  readonly until: NodeId;
}

export interface Put {
  readonly key: NodeId;
  readonly rest: NodeId;
}

/** Coordinates at which what was put in at `earlier` is in the state that `step` reads. */
function isIn(make: Arithmetic, of: Reading["of"], step: AxisId, earlier: AxisId): NodeId {
  return make.map(of === "now" ? "le" : "lt", make.coordinate(earlier), make.coordinate(step));
}

/** Nothing decays. */
export function withoutDecay(
  make: Arithmetic,
  { steps, earlier }: Cut,
  { key, rest }: Put,
  { q, of }: Pick<Reading, "q" | "of">,
  over: readonly AxisId[],
): NodeId {
  const scores = make.dot(q, make.rename(key, steps, earlier), ...over);
  const matrix = make.map("select", isIn(make, of, steps, earlier), scores, make.number(0));
  return make.dot(matrix, make.rename(rest, steps, earlier), earlier);
}

/** One decay for all keys: it multiplies the scores. */
export function byScores(
  make: Arithmetic,
  { steps, earlier }: Cut,
  { key, rest }: Put,
  { q, of, late, since }: Reading,
  over: readonly AxisId[],
): NodeId {
  const scores = make.dot(q, make.rename(key, steps, earlier), ...over);
  const decay = make.powerWhere(isIn(make, of, steps, earlier), late, make.rename(since, steps, earlier));
  return make.dot(make.map("mul", scores, decay), make.rename(rest, steps, earlier), earlier);
}

/** A decay for each key, within the sum over keys: pair by pair of steps, and between blocks by products. */
export function byPairs(
  make: Arithmetic,
  cut: Cut,
  put: Put,
  reading: Reading,
  over: readonly AxisId[],
): readonly NodeId[] {
  const { blocks } = cut;
  if (blocks === undefined) return [pairs(make, cut, put, reading, over)];
  const inner = { of: cut.steps, chunks: blocks.blocks, steps: blocks.steps };
  const block = (arg: NodeId): NodeId => make.chunk(inner, arg);
  const join = (arg: NodeId): NodeId => make.unchunk(inner, arg);
  const { q, of, late, since, until } = reading;
  const inBlocks = { of, q: block(q), late: block(late), since: block(since), until: block(until) };
  const across = acrossBlocks(make, cut, blocks, put, { ...inBlocks, since }, over);
  const within = pairs(make, blocks, { key: block(put.key), rest: block(put.rest) }, inBlocks, over);
  return [join(across), join(within)];
}

function pairs(
  make: Arithmetic,
  { steps, earlier }: Pick<Cut, "steps" | "earlier">,
  { key, rest }: Put,
  { q, of, late, since }: Reading,
  over: readonly AxisId[],
): NodeId {
  const decay = make.powerWhere(isIn(make, of, steps, earlier), late, make.rename(since, steps, earlier));
  const decayed = make.map("mul", make.map("mul", q, make.rename(key, steps, earlier)), decay);
  const scores = make.add({ kind: "reduce", fn: "sum", arg: decayed, over });
  return make.dot(scores, make.rename(rest, steps, earlier), earlier);
}

/**
 * From the blocks before: what decays until a block begins, with the key, times what decays from there on, with the query.
 * Neither grows where decays do not, which a quotient of decays since the chunk began would.
 */
function acrossBlocks(
  make: Arithmetic,
  cut: Cut,
  { blocks, steps, length }: Blocks,
  { key, rest }: Put,
  { q, late, since, until }: Reading,
  over: readonly AxisId[],
): NodeId {
  const begin = make.add({ kind: "slice", arg: until, axis: steps, start: 0, to: [] });
  const first = make.map("mul", make.coordinate(blocks), make.number(length));
  const isBefore = make.map("lt", make.coordinate(cut.earlier), first);
  const earlier = (arg: NodeId): NodeId => make.rename(arg, cut.steps, cut.earlier);
  const early = make.map("mul", earlier(key), make.powerWhere(isBefore, begin, earlier(since)));
  const scores = make.dot(make.map("mul", q, make.power(late, begin)), early, ...over);
  return make.dot(scores, earlier(rest), cut.earlier);
}
