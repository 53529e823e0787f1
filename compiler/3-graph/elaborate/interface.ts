/** What callers pass and receive: `input` and `output`. */
import type { Statement } from "../../1-parse/ast.js";
import { runtimeSize } from "../../diagnostics/codes/axes.js";
import { alreadyDefined } from "../../diagnostics/codes/names.js";
import { inputType } from "../../diagnostics/codes/programs.js";
import { scalarType } from "../../diagnostics/codes/shapes.js";
import { define } from "./assignments.js";
import { grouping, resolveAxis, resolveDimensions } from "./axes.js";
import { origin, report, type Env } from "./env.js";
import { evaluate } from "./evaluate.js";
import { fits } from "./fit.js";
import { describe, scalarOf, toNumber } from "./nodes.js";
import { POISON, tensor } from "./values.js";

type InputStatement = Extract<Statement, { kind: "input" }>;

export function declareInput(env: Env, statement: InputStatement): undefined {
  const { builder, inputs } = env.elaboration;
  const { name, span } = statement.name;
  const declared = resolveDimensions(env, statement.axes);
  const scalar = inputScalar(env, statement);
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

function inputScalar(
  env: Env,
  { scalar }: InputStatement,
): { readonly scalar: "f32" } | { readonly scalar: "index"; readonly bound: number } | undefined {
  if (scalar.kind === "real") {
    if (scalar.name.name === "f32") return { scalar: "f32" };
    report(env, inputType(scalar.name.span, scalar.name.name));
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
  const node = toNumber(env, value, statement.value.span);
  if (declared === undefined || node === undefined) return;
  const axes = declared.flatMap((dimension) => dimension.axes);
  const what = `the output \`${name}\``;
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
    axes,
    ...(dimensions === undefined ? {} : { dimensions }),
    value: node,
    spans: origin(env, statement.span).spans,
    ...(statement.doc === undefined ? {} : { doc: statement.doc }),
  });
}
