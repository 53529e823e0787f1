/** Making nodes of the matrix form: arithmetic, and powers of two of differences of cumulated logarithms. */
import type { GraphBuilder } from "../../3-graph/build.js";
import type { AxisId, MapFn, NodeId } from "../../3-graph/types.js";
import type { Span } from "../../diagnostics/types.js";
import { PACKED_INPUTS } from "../../../runtime/bundle-format.js";
import type { Cut } from "./chunks.js";
import { GREATEST_LOG, LEAST_LOG } from "./logarithm.js";

/** What cutting a time axis, and joining it again, needs to know. */
type Ends = Pick<Cut, "of" | "chunks" | "steps" | "documents">;

export class Arithmetic {
  constructor(
    private readonly builder: GraphBuilder,
    private readonly spans: readonly Span[],
  ) {}

  add(operation: Parameters<GraphBuilder["add"]>[0]): NodeId {
    return this.builder.add(operation, { spans: this.spans });
  }

  map(fn: MapFn, ...args: NodeId[]): NodeId {
    return this.add({ kind: "map", fn, args });
  }

  /** Of one value at least. */
  sum(values: readonly NodeId[]): NodeId {
    return values.reduce((x, y) => this.map("add", x, y));
  }

  number(value: number): NodeId {
    return this.add({ kind: "scalar", value });
  }

  coordinate(axis: AxisId): NodeId {
    return this.add({ kind: "coordinate", axis });
  }

  rename(arg: NodeId, from: AxisId, to: AxisId): NodeId {
    return this.add({ kind: "rename", arg, axes: [{ from, to }] });
  }

  dot(lhs: NodeId, rhs: NodeId, ...over: readonly AxisId[]): NodeId {
    return this.add({ kind: "dot", lhs, rhs, over });
  }

  /** A value along time in chunks; past the end of a document, and of time, there is `past`. */
  chunk(cut: Ends, arg: NodeId, past?: number): NodeId {
    const chunkTable = this.chunkTable(cut);
    return this.add({
      ...{ kind: "chunk", arg, of: cut.of, chunks: cut.chunks, steps: cut.steps },
      ...(past === undefined ? {} : { past }),
      ...(chunkTable === undefined ? {} : { chunkTable }),
    });
  }

  /** The way back. */
  unchunk(cut: Ends, arg: NodeId): NodeId {
    const { of, chunks, steps } = cut;
    const chunkTable = this.chunkTable(cut);
    const joined = { kind: "unchunk", arg, of, chunks, steps } as const;
    if (chunkTable === undefined) return this.add(joined);
    return this.add({ ...joined, stepTable: this.input(PACKED_INPUTS.steps), chunkTable });
  }

  /** index[chunks, field], where documents have chunks of their own. */
  chunkTable({ documents }: Ends): NodeId | undefined {
    return documents && this.input(documents.chunks.name);
  }

  input(name: string): NodeId {
    return this.add({ kind: "input", name });
  }

  /** 2 to a cumulated logarithm. */
  exponential(cumulated: NodeId): NodeId {
    return this.map("exp2", this.whole(cumulated));
  }

  /** 2 to the difference of two. */
  power(late: NodeId, early: NodeId): NodeId {
    return this.map("exp2", this.exponent(late, early));
  }

  /** The same where a condition holds, else 0; with no load behind the condition, and nothing that overflows where it fails. */
  powerWhere(isIn: NodeId, late: NodeId, early: NodeId): NodeId {
    const exponent = this.map("min", this.exponent(late, early), this.number(GREATEST_LOG));
    const mask = this.map("select", isIn, this.number(0), this.number(LEAST_LOG - GREATEST_LOG));
    return this.map("exp2", this.map("add", exponent, mask));
  }

  private exponent(late: NodeId, early: NodeId): NodeId {
    return this.whole(this.map("sub", late, early));
  }

  /** A logarithm that is a number, or a whole part and a fraction. */
  private whole(logarithm: NodeId): NodeId {
    if (this.builder.typeOf(logarithm).scalar !== "c64") return logarithm;
    return this.map("add", this.map("re", logarithm), this.map("im", logarithm));
  }
}
