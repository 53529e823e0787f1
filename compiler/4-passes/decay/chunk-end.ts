/** What is left at the end of a chunk of what it came with, and of what its steps have put in. */
import type { NodeId } from "../../3-graph/types.js";
import type { Arithmetic } from "./arithmetic.js";
import type { Cut } from "./chunks.js";
import type { Put } from "./within-chunk.js";

export class ChunkEnd {
  /** The cumulated logarithms of all of the chunk; absent: nothing decays. */
  private readonly last: NodeId | undefined;
  /** What decays from each step to the end. */
  private readonly power: NodeId | undefined;
  /** 1, and 0 past the end of time. */
  private readonly inside: NodeId;

  /** @param decays cumulated logarithms up to and with each step, of one decay for all keys if `isScalar`. */
  constructor(
    private readonly make: Arithmetic,
    private readonly cut: Cut,
    private readonly isScalar: boolean,
    decays: NodeId | undefined,
  ) {
    this.inside = make.chunk(cut, make.number(1), 0);
    if (decays === undefined) return;
    this.last = make.add({ kind: "slice", arg: decays, axis: cut.steps, start: cut.length - 1, to: [] });
    this.power = make.power(this.last, decays);
  }

  /** Of the state before the chunk. */
  kept(before: NodeId): NodeId {
    const { make, last } = this;
    return last === undefined ? before : make.map("mul", make.exponential(last), before);
  }

  /** Of the outer product that each step puts in. */
  left({ key, rest }: Put): Put {
    const { make, power, inside } = this;
    if (!this.isScalar)
      return {
        key: make.map("mul", power ?? make.number(1), key),
        rest: make.map("mul", inside, rest),
      };
    const left = power === undefined ? inside : make.map("mul", power, inside);
    return { key, rest: make.map("mul", left, rest) };
  }

  /** Of all of them together. */
  sum(put: Put): NodeId {
    const { key, rest } = this.left(put);
    return this.make.dot(rest, key, this.cut.steps);
  }
}
