/** Arguments of a call, read against what the callee takes. */
import type { AxisList, Expression } from "../../1-parse/ast.js";
import { pathWithoutParameters, wrongArguments } from "../../diagnostics/codes/names.js";
import type { Span } from "../../diagnostics/types.js";
import type { AxisId } from "../types.js";
import type { Operand } from "./arithmetic.js";
import { resolveAxes } from "./axes.js";
import { report, type Env } from "./env.js";
import { evaluate } from "./evaluate.js";

export type Call = Extract<Expression, { kind: "call" }>;
export type AxisKeyword = "over" | "along" | "as";
export type Clause = "where" | "init";

/** What a built-in function takes. */
export interface Signature {
  /** As messages show it. */
  readonly text: string;
  /** Least and most plain values. */
  readonly values: readonly [number, number];
  readonly axes?: readonly AxisKeyword[];
  readonly optionalAxes?: readonly AxisKeyword[];
  readonly clauses?: readonly Clause[];
}

export interface AxisArgument {
  readonly primes: readonly AxisId[];
  readonly list: AxisList;
}

export interface Arguments {
  readonly values: readonly Operand[];
  readonly axes: Readonly<Partial<Record<AxisKeyword, AxisArgument>>>;
  readonly clauses: Readonly<Partial<Record<Clause, Operand>>>;
}

/** Evaluates the arguments of a built-in; `undefined` after reporting, or where one of them is in error. */
export function readArguments(env: Env, call: Call, signature: Signature): Arguments | undefined {
  const problem = shapeProblem(call, signature);
  if (problem !== undefined) {
    report(env, wrongArguments(problem.span, call.callee.name, problem.text, signature.text));
    return undefined;
  }
  if (call.at !== undefined) {
    report(env, pathWithoutParameters(call.at.span, call.callee.name));
    return undefined;
  }
  const values: Operand[] = [];
  const axes: Partial<Record<AxisKeyword, AxisArgument>> = {};
  const clauses: Partial<Record<Clause, Operand>> = {};
  let broken = false;
  const operand = (value: Expression): Operand => {
    const result = { value: evaluate(env, value), span: value.span };
    broken ||= result.value.kind === "poison";
    return result;
  };
  for (const arg of call.args) {
    if (arg.kind === "value") values.push(operand(arg.value));
    else if (arg.kind === "clause") clauses[arg.keyword] = operand(arg.value);
    else if (arg.kind === "axis") {
      const primes = resolveAxes(env, arg.axes);
      if (primes === undefined) broken = true;
      else axes[arg.keyword] = { primes, list: arg.axes };
    }
  }
  return broken ? undefined : { values, axes, clauses };
}

interface Problem {
  readonly span: Span;
  readonly text: string;
}

function shapeProblem(call: Call, signature: Signature): Problem | undefined {
  const count = call.args.filter((arg) => arg.kind === "value").length;
  const [least, most] = signature.values;
  if (count < least || count > most) {
    const wanted =
      least === most ? String(least) : most === Infinity ? `${least} or more` : `${least} to ${most}`;
    return {
      span: call.span,
      text: `takes ${wanted} value${wanted === "1" ? "" : "s"}, and is given ${count}`,
    };
  }
  const allowed = [...(signature.axes ?? []), ...(signature.optionalAxes ?? [])];
  const seen = new Set<string>();
  for (const arg of call.args) {
    if (arg.kind === "value") continue;
    if (arg.kind === "named") return { span: arg.span, text: `has no argument \`${arg.name.name}:\`` };
    const { keyword } = arg;
    const known =
      arg.kind === "axis" ? allowed.includes(arg.keyword) : signature.clauses?.includes(arg.keyword);
    if (known !== true) return { span: arg.span, text: `takes no \`${keyword}\`` };
    if (seen.has(keyword)) return { span: arg.span, text: `is given \`${keyword}\` twice` };
    seen.add(keyword);
  }
  const missing = signature.axes?.find((keyword) => !seen.has(keyword));
  return missing === undefined ? undefined : { span: call.span, text: `needs \`${missing}\` and an axis` };
}
