/** The binary logarithm of a decay, as its form gives it: of e^z it is z·log₂e, and nothing is lost on the way. */
import type { GraphBuilder } from "../../3-graph/build.js";
import type { Graph, MapFn, NodeId } from "../../3-graph/types.js";
import type { Span } from "../../diagnostics/types.js";
import { rangeOf } from "./ranges.js";
import type { Factor } from "./terms.js";

/** 2^-150 is 0 in f32: what decays more has decayed. */
export const LEAST_LOG = -150;
/** 2^128 is infinite. */
export const GREATEST_LOG = 128;

/** How a factor's logarithm is found: undefined where it may be negative. */
type Form =
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "power"; readonly exponent: NodeId; readonly scale: number }
  | { readonly kind: "select"; readonly condition: NodeId; readonly yes: Form; readonly no: Form }
  | { readonly kind: "sum"; readonly parts: readonly { readonly form: Form; readonly sign: 1 | -1 }[] }
  | { readonly kind: "log"; readonly of: NodeId };

function formOf(graph: Graph, id: NodeId): Form | undefined {
  const node = graph.nodes[id];
  if (node?.kind === "scalar")
    return node.value < 0
      ? undefined
      : { kind: "constant", value: Math.max(Math.log2(node.value), LEAST_LOG) };
  if (node?.kind === "map") {
    const [x, y, z] = node.args;
    const sum = (p: NodeId | undefined, q: NodeId | undefined, sign: 1 | -1): Form | undefined => {
      const [left, right] = [p, q].map((arg) => (arg === undefined ? undefined : formOf(graph, arg)));
      return (
        left &&
        right && {
          kind: "sum",
          parts: [
            { form: left, sign: 1 },
            { form: right, sign },
          ],
        }
      );
    };
    if (node.fn === "exp" && x !== undefined) return { kind: "power", exponent: x, scale: Math.LOG2E };
    if (node.fn === "exp2" && x !== undefined) return { kind: "power", exponent: x, scale: 1 };
    if (node.fn === "mul" && x !== y) return sum(x, y, 1) ?? logarithm(graph, id);
    if (node.fn === "div") return sum(x, y, -1) ?? logarithm(graph, id);
    if (node.fn === "select" && x !== undefined && y !== undefined && z !== undefined) {
      const [yes, no] = [formOf(graph, y), formOf(graph, z)];
      return yes && no && { kind: "select", condition: x, yes, no };
    }
  }
  return logarithm(graph, id);
}

const logarithm = (graph: Graph, id: NodeId): Form | undefined =>
  rangeOf(graph, id).low >= 0 ? { kind: "log", of: id } : undefined;

/** Whether a product has a logarithm: no factor can be negative. */
export function hasLogarithm(graph: Graph, scale: number, factors: readonly Factor[]): boolean {
  return scale >= 0 && factors.every((factor) => factorForm(graph, factor) !== undefined);
}

function factorForm(graph: Graph, { node, as }: Factor): Form | undefined {
  const [one, zero]: readonly Form[] = [
    { kind: "constant", value: 0 },
    { kind: "constant", value: LEAST_LOG },
  ];
  if (one === undefined || zero === undefined) return undefined;
  if (as === "where") return { kind: "select", condition: node, yes: one, no: zero };
  if (as === "unless") return { kind: "select", condition: node, yes: zero, no: one };
  const form = formOf(graph, node);
  return as === "value" ? form : form && { kind: "sum", parts: [{ form, sign: -1 }] };
}

/** log₂ of a product, no less than LEAST_LOG, in nodes of the builder; undefined where it is always 1. */
export function logarithmOf(
  scale: number,
  factors: readonly Factor[],
  context: {
    readonly graph: Graph;
    readonly builder: GraphBuilder;
    readonly at: (id: NodeId) => NodeId;
    readonly spans: readonly Span[];
  },
): NodeId | undefined {
  const { graph, builder, at, spans } = context;
  const map = (fn: MapFn, ...args: NodeId[]): NodeId => builder.add({ kind: "map", fn, args }, { spans });
  const number = (value: number): NodeId => builder.add({ kind: "scalar", value }, { spans });
  const build = (form: Form): NodeId => {
    switch (form.kind) {
      case "constant":
        return number(form.value);
      case "power":
        return form.scale === 1 ? at(form.exponent) : map("mul", at(form.exponent), number(form.scale));
      case "select":
        return map("select", at(form.condition), build(form.yes), build(form.no));
      case "sum":
        return form.parts
          .map(({ form: part, sign }) => (sign === 1 ? build(part) : map("neg", build(part))))
          .reduce((x, y) => map("add", x, y));
      case "log":
        return map("mul", map("log", at(form.of)), number(Math.LOG2E));
    }
  };
  const forms = factors.flatMap((factor) => factorForm(graph, factor) ?? []);
  const parts = [
    ...forms.map(build),
    ...(scale === 1 ? [] : [number(Math.max(Math.log2(scale), LEAST_LOG))]),
  ];
  if (parts.length === 0) return undefined;
  return map(
    "max",
    parts.reduce((x, y) => map("add", x, y)),
    number(LEAST_LOG),
  );
}
