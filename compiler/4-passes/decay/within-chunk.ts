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
  /** Logarithms cumulated; absent: nothing decays. */
  readonly decays?: {
    /** Until the state that is read. */
    readonly late: NodeId;
    /** Up to and with a step. */
    readonly since: NodeId;
    /** Before a step. */
    readonly until: NodeId;
    /** Whether there is one decay for all keys: it multiplies the scores. Else it is within the sum over keys. */
    readonly isScalar: boolean;
  };
}

type Decays = NonNullable<Reading["decays"]>;

export interface Put {
  readonly key: NodeId;
  readonly rest: NodeId;
}

/** Σ_s' M[s, s']·rest[s'], as values to add up: pair by pair of steps and between blocks, where each key decays by its own. */
export function readWithin(
  make: Arithmetic,
  cut: Cut,
  { key, rest }: Put,
  reading: Reading,
  over: readonly AxisId[],
): readonly NodeId[] {
  const { steps, earlier, blocks } = cut;
  const { decays } = reading;
  if (decays === undefined || decays.isScalar || blocks === undefined)
    return [make.dot(matrix(make, cut, key, reading, over), make.rename(rest, steps, earlier), earlier)];
  const across = make.dot(
    acrossBlocks(make, cut, blocks, key, reading, decays, over),
    make.rename(rest, steps, earlier),
    earlier,
  );
  const inner = inBlocks(make, cut, blocks);
  const within = make.dot(
    withinBlocks(make, cut, blocks, key, reading, decays, over),
    make.rename(inner.block(rest), blocks.steps, blocks.earlier),
    blocks.earlier,
  );
  return [inner.join(across), inner.join(within)];
}

/** M[s, s'], whole. */
export function matrix(
  make: Arithmetic,
  cut: Cut,
  key: NodeId,
  reading: Reading,
  over: readonly AxisId[],
): NodeId {
  const { steps, earlier, blocks } = cut;
  const { q, of, decays } = reading;
  if (decays === undefined) {
    const scores = make.dot(q, make.rename(key, steps, earlier), ...over);
    return make.map("select", isIn(make, of, steps, earlier), scores, make.number(0));
  }
  if (decays.isScalar) {
    const scores = make.dot(q, make.rename(key, steps, earlier), ...over);
    const { late, since } = decays;
    const decay = make.powerWhere(isIn(make, of, steps, earlier), late, make.rename(since, steps, earlier));
    return make.map("mul", scores, decay);
  }
  if (blocks === undefined) return pairs(make, cut, key, reading, decays, over);
  const { join } = inBlocks(make, cut, blocks);
  const across = join(acrossBlocks(make, cut, blocks, key, reading, decays, over));
  const within = join(withinBlocks(make, cut, blocks, key, reading, decays, over));
  // A step's own block: from its first step on.
  const [step, other] = [make.coordinate(steps), make.coordinate(earlier)];
  const inBlock = (at: NodeId): NodeId => make.map("mod", at, make.number(blocks.length));
  const isOwn = make.map("ge", other, make.map("sub", step, inBlock(step)));
  const isSame = make.map("eq", make.coordinate(blocks.earlier), inBlock(other));
  const spread = make.dot(within, make.map("select", isSame, make.number(1), make.number(0)), blocks.earlier);
  return make.map("select", isOwn, spread, across);
}

/** Coordinates at which what was put in at `earlier` is in the state that `step` reads. */
function isIn(make: Arithmetic, of: Reading["of"], step: AxisId, earlier: AxisId): NodeId {
  return make.map(of === "now" ? "le" : "lt", make.coordinate(earlier), make.coordinate(step));
}

/** A chunk's steps in blocks, and the way back. */
function inBlocks(
  make: Arithmetic,
  cut: Cut,
  blocks: Blocks,
): { readonly block: (arg: NodeId) => NodeId; readonly join: (arg: NodeId) => NodeId } {
  const inner = { of: cut.steps, chunks: blocks.blocks, steps: blocks.steps };
  return { block: (arg) => make.chunk(inner, arg), join: (arg) => make.unchunk(inner, arg) };
}

function withinBlocks(
  make: Arithmetic,
  cut: Cut,
  blocks: Blocks,
  key: NodeId,
  { q, of }: Reading,
  { late, since, until, isScalar }: Decays,
  over: readonly AxisId[],
): NodeId {
  const { block } = inBlocks(make, cut, blocks);
  const decays = { late: block(late), since: block(since), until: block(until), isScalar };
  return pairs(make, blocks, block(key), { q: block(q), of }, decays, over);
}

/** A decay for each key: pair by pair of steps. */
function pairs(
  make: Arithmetic,
  { steps, earlier }: Pick<Cut, "steps" | "earlier">,
  key: NodeId,
  { q, of }: Pick<Reading, "q" | "of">,
  { late, since }: Decays,
  over: readonly AxisId[],
): NodeId {
  const decay = make.powerWhere(isIn(make, of, steps, earlier), late, make.rename(since, steps, earlier));
  const decayed = make.map("mul", make.map("mul", q, make.rename(key, steps, earlier)), decay);
  return make.add({ kind: "reduce", fn: "sum", arg: decayed, over });
}

/**
 * From the blocks before: what decays until a block begins, with the key, times what decays from there on, with the query.
 * Neither grows where decays do not, which a quotient of decays since the chunk began would. [block, step, earlier].
 */
function acrossBlocks(
  make: Arithmetic,
  cut: Cut,
  blocks: Blocks,
  key: NodeId,
  reading: Reading,
  decays: Decays,
  over: readonly AxisId[],
): NodeId {
  const { block } = inBlocks(make, cut, blocks);
  const until = block(decays.until);
  const begin = make.add({ kind: "slice", arg: until, axis: blocks.steps, start: 0, to: [] });
  const first = make.map("mul", make.coordinate(blocks.blocks), make.number(blocks.length));
  const isBefore = make.map("lt", make.coordinate(cut.earlier), first);
  const earlier = (arg: NodeId): NodeId => make.rename(arg, cut.steps, cut.earlier);
  const early = make.map("mul", earlier(key), make.powerWhere(isBefore, begin, earlier(decays.since)));
  return make.dot(make.map("mul", block(reading.q), make.power(block(decays.late), begin)), early, ...over);
}
