/** Which operations a graph has already: two that compute the same are one node. */
import type { AxisId, NodeId, Operation } from "./types.js";

/** At first: as many as the graphs of small models have. A power of two. */
const FIRST_SLOTS = 1024;

/**
 * A hash table of places in a list of operations: its keys are numbers of an operation, since texts of all its fields would take
 * longer than all else. Open addressing, at most half full.
 */
export class OperationTable {
  /** Places counted from 1; 0 is free. */
  private slots = new Int32Array(FIRST_SLOTS);
  /** The hash of each entry, by its place. */
  private readonly hashes: number[] = [];
  private count = 0;

  /** `operations`: what the places are places in. The caller adds to it what was entered. */
  constructor(private readonly operations: readonly Operation[]) {}

  /** The place of an equal operation that was entered before; else undefined, and this one is entered. */
  findOrEnter(operation: Operation, place: NodeId): NodeId | undefined {
    const hash = hashOf(operation);
    const mask = this.slots.length - 1;
    let slot = slotOf(hash, mask);
    for (let entry = this.slots[slot]; entry; entry = this.slots[slot]) {
      const known = this.operations[entry - 1];
      if (this.hashes[entry - 1] === hash && known !== undefined && areEqual(known, operation))
        return (entry - 1) as NodeId;
      slot = (slot + 1) & mask;
    }
    this.slots[slot] = place + 1;
    this.hashes[place] = hash;
    if (++this.count * 2 > this.slots.length) this.grow();
    return undefined;
  }

  private grow(): void {
    const old = this.slots;
    this.slots = new Int32Array(old.length * 4);
    const mask = this.slots.length - 1;
    for (const entry of old) {
      if (entry === 0) continue;
      let slot = slotOf(this.hashes[entry - 1] ?? 0, mask);
      while (this.slots[slot] !== 0) slot = (slot + 1) & mask;
      this.slots[slot] = entry;
    }
  }
}

/** The high bits of a hash depend on all of its operation, the low ones on low bits alone. */
const slotOf = (hash: number, mask: number): number => (hash ^ (hash >>> 15)) & mask;

/** 2³² over the golden ratio: spreads numbers that lie near each other, as operands do. */
const mix = (hash: number, value: number): number => (Math.imul(hash, 0x9e3779b1) + value) | 0;

const scalar = new Float64Array(1);
const bits = new Int32Array(scalar.buffer);

function hashOfScalar(value: number): number {
  scalar[0] = value;
  return mix(mix(1, bits[0] ?? 0), bits[1] ?? 0);
}

/** Equal for equal operations; of the fields only those that tell most operations apart. */
function hashOf(op: Operation): number {
  switch (op.kind) {
    case "scalar":
      return hashOfScalar(op.value);
    case "param":
      return mix(2, op.param);
    case "map": {
      let hash = mix(3, op.fn.charCodeAt(0) + op.fn.length);
      for (const arg of op.args) hash = mix(hash, arg);
      return hash;
    }
    case "dot":
      return mix(mix(4, op.lhs), op.rhs);
    case "reduce":
      return mix(5, op.arg);
    case "slice":
      return mix(mix(6, op.arg), op.start);
    case "rename":
      return mix(7, op.arg);
    case "prev":
      return mix(8, op.state);
    case "continuous":
      return mix(9, op.state);
    case "coefficient":
      return mix(op.of === "a" ? 10 : 11, op.state);
    case "gather":
      return mix(mix(12, op.table), op.index);
    case "conv":
      return mix(mix(13, op.x), op.w);
    case "flip":
      return mix(14, op.arg);
    case "window":
      return mix(15, op.arg);
    case "chunk":
      return mix(16, op.arg);
    case "unchunk":
      return mix(17, op.arg);
    case "concat":
      return op.parts.reduce(mix, 18);
    case "input":
      return 19;
    case "coordinate":
      return 20;
  }
}

/** Whether two lists have the same items in the same order. */
export function areLists<T>(p: readonly T[], q: readonly T[]): boolean {
  if (p === q) return true;
  if (p.length !== q.length) return false;
  for (let k = 0; k < p.length; k++) if (p[k] !== q[k]) return false;
  return true;
}

type Renaming = readonly { readonly from: AxisId; readonly to: AxisId }[];

const areRenamings = (p: Renaming, q: Renaming): boolean =>
  p.length === q.length && p.every(({ from, to }, k) => from === q[k]?.from && to === q[k].to);

type Fields<K extends Operation["kind"]> = Required<Omit<Extract<Operation, { readonly kind: K }>, "kind">>;

/** How each field of each kind of operation is compared: none is forgotten. */
const SAME: {
  readonly [K in Operation["kind"]]: {
    readonly [F in keyof Fields<K>]: (p: Fields<K>[F], q: Fields<K>[F]) => boolean;
  };
} = {
  scalar: { value: Object.is },
  input: { name: Object.is },
  param: { param: Object.is },
  coordinate: { axis: Object.is },
  prev: { state: Object.is, steps: Object.is },
  continuous: { state: Object.is },
  coefficient: { state: Object.is, of: Object.is },
  map: { fn: Object.is, args: areLists },
  reduce: { fn: Object.is, arg: Object.is, where: Object.is, over: areLists },
  dot: { lhs: Object.is, rhs: Object.is, over: areLists },
  gather: { table: Object.is, index: Object.is, axis: Object.is },
  conv: {
    x: Object.is,
    w: Object.is,
    history: Object.is,
    along: Object.is,
    over: Object.is,
    steps: Object.is,
  },
  rename: { arg: Object.is, axes: areRenamings },
  slice: { arg: Object.is, axis: Object.is, start: Object.is, to: areLists },
  concat: { axis: Object.is, parts: areLists },
  flip: { arg: Object.is, axis: Object.is, steps: Object.is },
  chunk: {
    arg: Object.is,
    of: Object.is,
    chunks: Object.is,
    steps: Object.is,
    past: Object.is,
    chunkTable: Object.is,
  },
  unchunk: {
    arg: Object.is,
    of: Object.is,
    chunks: Object.is,
    steps: Object.is,
    stepTable: Object.is,
    chunkTable: Object.is,
  },
  window: { arg: Object.is, from: Object.is, to: Object.is, offset: Object.is },
};

type Comparison = readonly [field: keyof Operation, same: (p: unknown, q: unknown) => boolean];

const COMPARISONS = new Map(
  Object.entries(SAME).map(([kind, fields]) => [kind, Object.entries(fields) as unknown as Comparison[]]),
);

/** Whether two operations compute the same. */
export function areEqual(p: Operation, q: Operation): boolean {
  if (p.kind !== q.kind) return false;
  for (const [field, same] of COMPARISONS.get(p.kind) ?? []) if (!same(p[field], q[field])) return false;
  return true;
}
