/**
 * Whether f32 can follow float64 at all: the graph is evaluated again with every result off by about a rounding of f32.
 * Where that alone moves the outputs by a good part of the tolerance, comparing them says nothing.
 */
import { originOf, rewrite } from "../../compiler/3-graph/rewrite.js";
import type { AxisId, Graph, NodeId } from "../../compiler/3-graph/types.js";
import {
  interpret,
  type Interpretation,
  type InterpretOptions,
  type Values,
} from "../../compiler/interpret/index.js";
import { relativeError } from "../support/expect-close.js";
import { seeded } from "../support/random.js";

const ROUNDING = 2 ** -23;
/** A fifth of what f32 is allowed. */
const MOST = 2e-6;
const LARGEST = 1e5;
const SMALLEST = 1e-12;

const EXACT = new Set([
  "neg",
  "abs",
  "min",
  "max",
  "select",
  "floor",
  "ceil",
  "round",
  "sign",
  "complex",
  "re",
  "im",
  "conj",
  "float",
]);

export function isWellConditioned(
  graph: Graph,
  options: InterpretOptions,
  expected: Interpretation,
  seed: number,
): boolean {
  const results = (of: Interpretation): (readonly [string, ArrayLike<number>])[] =>
    [...Object.entries(of.outputs), ...Object.entries(of.states)].map(([name, { data }]) => [name, data]);
  const clean = results(expected);
  if (!clean.every(([, data]) => isModerate(data))) return false;
  const { noisy, noise } = withNoise(graph);
  const random = seeded(seed);
  const sizeOf = (axis: AxisId): number => {
    const size = graph.axes.get(axis)?.size;
    if (typeof size === "number") return size;
    return options.sizes?.[size?.runtime ?? ""] ?? NaN;
  };
  const inputs = noise.map(({ name, axes }): [string, Values] => [
    name,
    random.tensor(axes.map(sizeOf), (r) => 1 + ROUNDING * r.uniform(-1, 1)),
  ]);
  const got = results(
    interpret(noisy, { ...options, inputs: { ...options.inputs, ...Object.fromEntries(inputs) } }),
  );
  // Rebuilding a graph drops the states that nothing reads.
  const moved = new Map(got);
  return clean.every(([name, data]) => relativeError(moved.get(name) ?? data, data) <= MOST);
}

function isModerate(data: ArrayLike<number>): boolean {
  let most = 0;
  for (let i = 0; i < data.length; i++) {
    const size = Math.abs(data[i] ?? NaN);
    if (!Number.isFinite(size)) return false;
    most = Math.max(most, size);
  }
  return most < LARGEST && (most === 0 || most > SMALLEST);
}

/** Counts and ranks: sums of whole numbers don't round. */
function isWhole(graph: Graph, id: NodeId): boolean {
  const node = graph.nodes[id];
  if (node === undefined || node.type.scalar === "index") return true;
  if (node.kind === "scalar") return Number.isInteger(node.value);
  if (node.kind === "reduce") return isWhole(graph, node.arg);
  if (node.kind !== "map") return false;
  if (node.fn === "select") return node.args.slice(1).every((arg) => isWhole(graph, arg));
  return (
    ["float", "add", "sub", "neg", "min", "max"].includes(node.fn) &&
    node.args.every((arg) => isWhole(graph, arg))
  );
}

interface Noise {
  readonly name: string;
  readonly axes: readonly AxisId[];
}

/** The graph with every rounding operation multiplied by an input of its own, around 1. */
function withNoise(graph: Graph): { readonly noisy: Graph; readonly noise: readonly Noise[] } {
  const noise: Noise[] = [];
  const noisy = rewrite(graph, {
    visit(node, { builder, operation, copy }) {
      const blurred = (id: NodeId, axes: readonly AxisId[]): NodeId => {
        const name = `noise ${String(noise.length)}`;
        noise.push({ name, axes });
        builder.input({ name, scalar: "f32", axes, spans: [] });
        return builder.add(
          { kind: "map", fn: "mul", args: [id, builder.add({ kind: "input", name }, originOf(node))] },
          originOf(node),
        );
      };
      if (node.type.scalar !== "f32") return copy(node);
      if (node.kind === "dot") {
        const made = operation(node);
        if (made.kind !== "dot") return copy(node);
        const { axes } = graph.nodes[node.lhs]?.type ?? node.type;
        return blurred(
          builder.add({ ...made, lhs: blurred(made.lhs, axes) }, originOf(node)),
          node.type.axes,
        );
      }
      if (isWhole(graph, node.id)) return copy(node);
      const rounds =
        node.kind === "conv" ||
        (node.kind === "reduce" && node.fn === "sum") ||
        (node.kind === "map" && !EXACT.has(node.fn));
      return rounds ? blurred(copy(node), node.type.axes) : copy(node);
    },
  });
  return { noisy, noise };
}
