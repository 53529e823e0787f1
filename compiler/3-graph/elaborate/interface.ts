/** What callers pass and receive: `input` and `output`. */
import type { InterfaceScalar, Statement } from "../../1-parse/ast.js";
import { runtimeSize } from "../../diagnostics/codes/axes.js";
import type { Span } from "../../diagnostics/types.js";
import { alreadyDefined } from "../../diagnostics/codes/names.js";
import { interfaceType } from "../../diagnostics/codes/programs.js";
import { scalarType } from "../../diagnostics/codes/shapes.js";
import type { NodeId } from "../types.js";
import { define } from "./assignments.js";
import { grouping, resolveAxis, resolveDimensions } from "./axes.js";
import { origin, report, type Env } from "./env.js";
import { evaluate } from "./evaluate.js";
import { fits } from "./fit.js";
import { describe, scalarOf, toNode, toNumber } from "./nodes.js";
import { POISON, tensor, type Value } from "./values.js";

export function declareInput(env: Env, statement: Extract<Statement, { kind: "input" }>): undefined {
  const { builder, inputs } = env.elaboration;
  const { name, span } = statement.name;
  const declared = resolveDimensions(env, statement.axes);
  const scalar = interfaceScalar(env, statement.scalar, "inputs");
  const first = inputs.get(name);
  if (first !== undefined) {
    report(env, alreadyDefined(span, name, first));
    return;
  }
  if (declared === undefined || scalar === undefined) {
    define(env, statement.name, POISON, "an input");
    return;
  }
  inputs.set(name, span);
  const dimensions = grouping(env, declared);
  builder.input({
    name,
    ...scalar,
    axes: declared.flatMap(({ axes }) => axes),
    ...(dimensions === undefined ? {} : { dimensions }),
    spans: [statement.span],
    ...(statement.doc === undefined ? {} : { doc: statement.doc }),
  });
  define(
    env,
    statement.name,
    tensor(builder.add({ kind: "input", name }, origin(env, span, name))),
    "an input",
  );
}

type Scalar = { readonly scalar: "f32" } | { readonly scalar: "index"; readonly bound: number };

function interfaceScalar(env: Env, scalar: InterfaceScalar, what: string): Scalar | undefined {
  if (scalar.kind === "real") {
    if (scalar.name.name === "f32") return { scalar: "f32" };
    report(env, interfaceType(scalar.name.span, what, scalar.name.name));
    return undefined;
  }
  const { name, span } = scalar.axis;
  const primes = resolveAxis(env, name, span);
  if (primes === undefined) return undefined;
  const { axes } = env.elaboration;
  if (axes.isFixed(primes)) return { scalar: "index", bound: axes.size(primes) };
  report(env, runtimeSize(span, name));
  return undefined;
}

export function declareOutput(env: Env, statement: Extract<Statement, { kind: "output" }>): undefined {
  const { builder, outputs } = env.elaboration;
  const { name, span } = statement.name;
  const declared = resolveDimensions(env, statement.axes);
  const value = evaluate(env, statement.value);
  const first = outputs.get(name);
  if (first !== undefined) {
    report(env, alreadyDefined(span, name, first));
    return;
  }
  outputs.set(name, span);
  const scalar: Scalar | undefined =
    statement.scalar === undefined ? { scalar: "f32" } : interfaceScalar(env, statement.scalar, "outputs");
  if (scalar === undefined) return;
  const what = `the output \`${name}\``;
  const node =
    scalar.scalar === "index"
      ? toIndex(env, value, statement.value.span, what)
      : toNumber(env, value, statement.value.span);
  if (declared === undefined || node === undefined) return;
  const axes = declared.flatMap((dimension) => dimension.axes);
  if (scalarOf(env, node) === "c64") {
    const hint = "return its parts: `re(…)` and `im(…)`";
    report(env, scalarType(statement.value.span, what, describe(env, tensor(node)), "real numbers", hint));
    return;
  }
  const place = { what, axes, besides: [], required: "some" as const, declared: statement.axes.span };
  if (!fits(env, node, place, statement.value.span)) return;
  const dimensions = grouping(env, declared);
  builder.rename(node, name);
  builder.output({
    name,
    ...(scalar.scalar === "index" ? { bound: scalar.bound } : {}),
    axes,
    ...(dimensions === undefined ? {} : { dimensions }),
    value: node,
    spans: origin(env, statement.span).spans,
    ...(statement.doc === undefined ? {} : { doc: statement.doc }),
  });
}

/** A value that is made of whole numbers already: nothing is rounded to one. */
function toIndex(env: Env, value: Value, span: Span, what: string): NodeId | undefined {
  const node = toNode(env, value, span);
  if (node === undefined || scalarOf(env, node) === "index") return node;
  const hint = "`argmax`, `top_k` and `pos` give coordinates";
  report(env, scalarType(span, what, describe(env, tensor(node)), "whole numbers (index)", hint));
  return undefined;
}
