/** What tells operations apart. */
import type { Operation } from "./types.js";

/** A text that two operations share exactly if they compute the same. Written out, since every pass asks it of every node. */
export function operationKey(op: Operation): string {
  switch (op.kind) {
    case "scalar":
      return Object.is(op.value, -0) ? "-0" : String(op.value);
    case "input":
      return `input ${op.name}`;
    case "param":
      return `param ${op.param}`;
    case "coordinate":
      return `coordinate ${op.axis}`;
    case "prev":
      return `prev ${op.state}`;
    case "continuous":
      return `continuous ${op.state}`;
    case "coefficient":
      return `coefficient ${op.of} ${op.state}`;
    case "map":
      return `${op.fn}(${op.args.join()})`;
    case "reduce":
      return `reduce ${op.fn} ${op.arg} ${op.where ?? ""} ${op.over.join()}`;
    case "dot":
      return `dot ${op.lhs} ${op.rhs} ${op.over.join()}`;
    case "gather":
      return `gather ${op.table} ${op.index} ${op.axis}`;
    case "conv":
      return `conv ${op.x} ${op.w} ${op.history} ${op.along} ${op.over}`;
    case "rename":
      return `rename ${op.arg} ${op.axes.map(({ from, to }) => `${from}>${to}`).join()}`;
    case "slice":
      return `slice ${op.arg} ${op.axis} ${op.start} ${op.to.join()}`;
    case "concat":
      return `concat ${op.axis} ${op.parts.join()}`;
    case "flip":
      return `flip ${op.arg} ${op.axis}`;
    case "chunk":
      return `chunk ${op.arg} ${op.of} ${op.chunks} ${op.steps} ${op.past ?? ""}`;
    case "unchunk":
      return `unchunk ${op.arg} ${op.of} ${op.chunks} ${op.steps}`;
    case "window":
      return `window ${op.arg} ${op.from} ${op.to} ${op.offset}`;
  }
}
