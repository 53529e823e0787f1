/** Between which bounds a value lies, as far as its form says: a logarithm needs to know that its argument is no less than 0. */
import type { Graph, Node, NodeId } from "../../3-graph/types.js";

export interface Range {
  readonly low: number;
  readonly high: number;
}

const ANYTHING: Range = { low: -Infinity, high: Infinity };

/** Bounds of a real value. Those of a parameter or an input are not known. */
export function rangeOf(graph: Graph, id: NodeId): Range {
  const known = new Map<NodeId, Range>();
  const visit = (at: NodeId): Range => {
    const node = graph.nodes[at];
    const found = known.get(at) ?? (node === undefined ? ANYTHING : rangeOfNode(node, graph, visit));
    known.set(at, found);
    return found;
  };
  return visit(id);
}

function rangeOfNode(node: Node, graph: Graph, visit: (id: NodeId) => Range): Range {
  switch (node.kind) {
    case "scalar":
      return { low: node.value, high: node.value };
    case "coordinate": {
      const { size, role } = graph.axes.get(node.axis) ?? {};
      return { low: 0, high: typeof size === "number" && role === "plain" ? size - 1 : Infinity };
    }
    case "rename":
    case "slice":
    case "flip":
    case "window":
      return visit(node.arg);
    case "map":
      return rangeOfMap(node, visit);
    default:
      return ANYTHING;
  }
}

function rangeOfMap(node: Node & { readonly kind: "map" }, visit: (id: NodeId) => Range): Range {
  const [x = ANYTHING, y = ANYTHING, z = ANYTHING] = node.args.map(visit);
  switch (node.fn) {
    case "add":
      return { low: x.low + y.low, high: x.high + y.high };
    case "sub":
      return { low: x.low - y.high, high: x.high - y.low };
    case "neg":
      return { low: -x.high, high: -x.low };
    case "mul":
      return node.args[0] === node.args[1] ? { ...timesRange(x, x), low: 0 } : timesRange(x, y);
    case "div":
      return y.low > 0 ? timesRange(x, { low: 1 / y.high, high: 1 / y.low }) : ANYTHING;
    case "recip":
      return x.low > 0 ? { low: 1 / x.high, high: 1 / x.low } : ANYTHING;
    case "min":
      return { low: Math.min(x.low, y.low), high: Math.min(x.high, y.high) };
    case "max":
      return { low: Math.max(x.low, y.low), high: Math.max(x.high, y.high) };
    case "select":
      return { low: Math.min(y.low, z.low), high: Math.max(y.high, z.high) };
    case "exp":
      return { low: Math.exp(x.low), high: Math.exp(x.high) };
    case "exp2":
      return { low: 2 ** x.low, high: 2 ** x.high };
    case "log1p":
      return x.low > -1 ? { low: Math.log1p(x.low), high: Math.log1p(x.high) } : ANYTHING;
    case "pow":
      return powerRange(x, y);
    case "abs":
    case "sqrt":
    case "rsqrt":
    case "phi":
      return { low: 0, high: Infinity };
    case "tanh":
    case "erf":
    case "sin":
    case "cos":
      return { low: -1, high: 1 };
    case "float":
      return x;
    default:
      return ANYTHING;
  }
}

/** Of a positive base, which grows or falls with its exponent. */
function powerRange(base: Range, exponent: Range): Range {
  if (base.low <= 0 || base.low !== base.high) return { low: 0, high: Infinity };
  const ends = [base.low ** exponent.low, base.low ** exponent.high];
  return { low: Math.min(...ends), high: Math.max(...ends) };
}

function timesRange(x: Range, y: Range): Range {
  const corners = [x.low * y.low, x.low * y.high, x.high * y.low, x.high * y.high];
  // 0 · ∞ is 0: a bound is reached by no value beyond it.
  const numbers = corners.map((corner) => (Number.isNaN(corner) ? 0 : corner));
  return { low: Math.min(...numbers), high: Math.max(...numbers) };
}
