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

/** Whether two operations compute the same. */
export function areEqual(p: Operation, q: Operation): boolean {
  switch (p.kind) {
    case "scalar":
      return q.kind === "scalar" && Object.is(p.value, q.value);
    case "input":
      return q.kind === "input" && p.name === q.name;
    case "param":
      return q.kind === "param" && p.param === q.param;
    case "coordinate":
      return q.kind === "coordinate" && p.axis === q.axis;
    case "prev":
    case "continuous":
      return q.kind === p.kind && p.state === q.state;
    case "coefficient":
      return q.kind === "coefficient" && p.state === q.state && p.of === q.of;
    case "map":
      return q.kind === "map" && p.fn === q.fn && areLists(p.args, q.args);
    case "reduce":
      return (
        q.kind === "reduce" &&
        p.fn === q.fn &&
        p.arg === q.arg &&
        p.where === q.where &&
        areLists(p.over, q.over)
      );
    case "dot":
      return q.kind === "dot" && p.lhs === q.lhs && p.rhs === q.rhs && areLists(p.over, q.over);
    case "gather":
      return q.kind === "gather" && p.table === q.table && p.index === q.index && p.axis === q.axis;
    case "conv":
      return (
        q.kind === "conv" &&
        p.x === q.x &&
        p.w === q.w &&
        p.history === q.history &&
        p.along === q.along &&
        p.over === q.over
      );
    case "rename":
      return q.kind === "rename" && p.arg === q.arg && areRenamings(p.axes, q.axes);
    case "slice":
      return (
        q.kind === "slice" &&
        p.arg === q.arg &&
        p.axis === q.axis &&
        p.start === q.start &&
        areLists(p.to, q.to)
      );
    case "concat":
      return q.kind === "concat" && p.axis === q.axis && areLists(p.parts, q.parts);
    case "flip":
      return q.kind === "flip" && p.arg === q.arg && p.axis === q.axis;
    case "chunk":
      return (
        q.kind === "chunk" &&
        p.arg === q.arg &&
        p.of === q.of &&
        p.chunks === q.chunks &&
        p.steps === q.steps &&
        p.past === q.past
      );
    case "unchunk":
      return (
        q.kind === "unchunk" &&
        p.arg === q.arg &&
        p.of === q.of &&
        p.chunks === q.chunks &&
        p.steps === q.steps
      );
    case "window":
      return (
        q.kind === "window" && p.arg === q.arg && p.from === q.from && p.to === q.to && p.offset === q.offset
      );
  }
}
