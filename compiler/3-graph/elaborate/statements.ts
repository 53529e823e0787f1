/** Statements of a body, one after the other. `if` and `repeat` are over constants and are written out. */
import type { Statement } from "../../1-parse/ast.js";
import { defineAxis } from "../../2-analyze/axes.js";
import { describeConstant } from "../../2-analyze/constant-operations.js";
import { configured } from "../../2-analyze/settings.js";
import type { AxisSymbol } from "../../2-analyze/types.js";
import { unknownAxis } from "../../diagnostics/codes/axes.js";
import {
  conditionType,
  repeatBackwards,
  repeatBound,
  repeatCount,
} from "../../diagnostics/codes/constants.js";
import { alreadyDefined, misplacedStatement } from "../../diagnostics/codes/names.js";
import type { Span } from "../../diagnostics/types.js";
import { assign, define } from "./assignments.js";
import { listAlong } from "./coordinates.js";
import { report, Scope, spend, type Env } from "./env.js";
import { evaluate, requireConstant } from "./evaluate.js";
import { declareInput, declareOutput } from "./interface.js";
import { joinPath, fillHoles } from "./paths.js";
import { solveDerivative } from "./derivatives.js";
import { elaborateParam } from "./params.js";
import { declareState } from "./recurrences.js";
import { constant, POISON, tensor, type Value } from "./values.js";

type StatementOf<K extends Statement["kind"]> = Extract<Statement, { kind: K }>;

/** Runs a body; gives what it returns, `undefined` if it does not come to a `return`. */
export function body(env: Env, statements: readonly Statement[]): readonly Value[] | undefined {
  for (const statement of statements) {
    if (env.elaboration.sink.isFull) break;
    if (!belongs(env, statement)) continue;
    const results = run(env, statement);
    if (results !== undefined) return results;
  }
  return undefined;
}

/** Whether a statement may stand here. The parser has reported one that may not. */
function belongs({ frame }: Env, { kind }: Statement): boolean {
  switch (kind) {
    case "input":
    case "output":
      return frame.kind === "model";
    case "return":
      return frame.kind !== "model";
    case "param":
    case "state":
    case "der":
      return frame.kind === "model" || frame.kind === "block";
    default:
      return true;
  }
}

function run(env: Env, statement: Statement): readonly Value[] | undefined {
  spend(env, statement.span); // so that rounds of statements without expressions end too
  switch (statement.kind) {
    case "const":
      return defineConstants(env, statement);
    case "axis":
      return defineAxes(env, statement);
    case "fn":
      env.scope.functions.set(statement.name.name, { declaration: statement, scope: env.scope });
      return undefined;
    case "input":
      return declareInput(env, statement);
    case "param":
      return defineParams(env, statement);
    case "state":
      return defineStates(env, statement);
    case "der":
      solveDerivative(env, statement);
      return undefined;
    case "assign":
      return assign(env, statement);
    case "repeat":
      return repeat(env, statement);
    case "if":
      return branch(env, statement);
    case "output":
      return declareOutput(env, statement);
    case "return":
      return statement.values.length === 1 && statement.values[0] !== undefined
        ? env.elaboration.walk.expression(env, statement.values[0])
        : statement.values.map((value) => evaluate(env, value));
  }
}

function defineConstants(env: Env, { definitions }: StatementOf<"const">): undefined {
  for (const definition of definitions) {
    const own = requireConstant(env, definition.value, "a constant");
    const value = configured(definition, own, env.scope.home.config, env.elaboration.sink);
    const plain = value === undefined ? POISON : constant(value);
    const along =
      value === undefined || definition.axis === undefined
        ? plain
        : listAlong(env, value, definition.axis, definition.name.span);
    define(env, definition.name, along, "a constant");
  }
}

function defineAxes(env: Env, { definitions }: StatementOf<"axis">): undefined {
  const scope = {
    constant: (expression: Parameters<typeof evaluate>[1]) =>
      requireConstant(env, expression, "the size of an axis"),
    axis: (name: string, span: Span) => axisSymbol(env, name, span),
  };
  for (const definition of definitions) {
    const symbol = defineAxis(definition, scope, env.elaboration.sink);
    const { name, span } = definition.name;
    const known = env.scope.axes.get(name);
    if (known?.kind === "symbol") report(env, alreadyDefined(span, name, known.span));
    else env.scope.axes.set(name, { kind: "symbol", symbol, span });
  }
}

function axisSymbol(env: Env, name: string, span: Span): AxisSymbol | undefined {
  if (name.endsWith("'")) {
    const of = axisSymbol(env, name.slice(0, -1), span);
    return of === undefined ? undefined : { kind: "copy", name, of, span };
  }
  for (const scope of env.scope.chain()) {
    const local = scope.axes.get(name);
    if (local?.kind === "symbol") return local.symbol;
  }
  if (!env.scope.home.axes.has(name)) report(env, unknownAxis(span, name, undefined));
  return env.scope.home.axes.get(name);
}

function defineParams(env: Env, { definitions }: StatementOf<"param">): undefined {
  for (const definition of definitions) {
    const values = elaborateParam(env, definition);
    definition.parts.forEach((part, k) => {
      const node = values?.[k]?.node;
      define(env, part.name, node === undefined ? POISON : tensor(node), "a parameter");
    });
  }
}

function defineStates(env: Env, { definitions }: StatementOf<"state">): undefined {
  for (const definition of definitions) {
    const { name, span } = definition.name;
    const first = env.scope.owner(name)?.values.get(name);
    if (first !== undefined) {
      report(env, alreadyDefined(span, name, first.span));
      continue;
    }
    const binding = declareState(env, definition);
    env.scope.values.set(name, binding);
    env.frame.states.push(binding);
  }
}

/** Each round is written out: more than this is a mistake, not a model. */
const MOST_ROUNDS = 10_000;

function repeat(env: Env, statement: StatementOf<"repeat">): readonly Value[] | undefined {
  const [from, to] = [statement.from, statement.to].map((bound) => {
    const value = requireConstant(env, bound, "a bound of `repeat`");
    if (value === undefined || (typeof value === "number" && Number.isInteger(value))) return value;
    report(env, repeatBound(bound.span, describeConstant(value)));
    return undefined;
  });
  if (typeof from !== "number" || typeof to !== "number") return undefined;
  if (from > to)
    report(env, repeatBackwards({ ...statement.from.span, end: statement.to.span.end }, from, to));
  if (to - from > MOST_ROUNDS) {
    report(env, repeatCount(statement.span, to - from, MOST_ROUNDS));
    return undefined;
  }
  for (let index = from; index < to && spend(env, statement.span); index++) {
    const scope = new Scope(env.scope.home, env.scope, false);
    const { name, span } = statement.name;
    scope.values.set(name, { kind: "value", value: constant(index), what: "a constant", span });
    const inner = { ...env, scope };
    const at = statement.at === undefined ? undefined : fillHoles(inner, statement.at);
    const frame = {
      ...env.frame,
      paramPath: at === undefined ? env.frame.paramPath : joinPath(env.frame.paramPath, at),
      path: joinPath(env.frame.path, at?.replace(/^\//, "") ?? `${name}.${index}`),
    };
    const results = body({ ...inner, frame }, statement.body);
    end(scope, "`repeat`");
    if (results === undefined) continue;
    report(
      env,
      misplacedStatement(statement.span, "`return`", "`repeat`", "a body returns once, at its end"),
    );
    return results.map(() => POISON);
  }
  return undefined;
}

/** Leaves with the scope around it what a message may say of its names. */
export function end(scope: Scope, within: string): void {
  for (const [name, { span }] of scope.values) scope.parent?.ended.set(name, { span, within });
}

/** Only the branch that is taken is elaborated. Names that both branches define outlive it. */
function branch(env: Env, statement: StatementOf<"if">): readonly Value[] | undefined {
  const condition = requireConstant(env, statement.condition, "the condition of `if`");
  if (condition === undefined) return undefined;
  if (typeof condition !== "boolean") {
    report(env, conditionType(statement.condition.span, describeConstant(condition)));
    return undefined;
  }
  const scope = new Scope(env.scope.home, env.scope, false);
  const results = body({ ...env, scope }, condition ? statement.then : statement.otherwise);
  const otherwise = definedNames(statement.otherwise);
  for (const name of definedNames(statement.then)) {
    const binding = scope.values.get(name);
    if (otherwise.has(name) && binding !== undefined) env.scope.values.set(name, binding);
  }
  end(scope, "one branch of `if`");
  return results;
}

/** The names of values that outlive an `if` if its other branch defines them too. */
export function definedNames(statements: readonly Statement[]): ReadonlySet<string> {
  const names = new Set<string>();
  const enter = (name: string): void => void names.add(name);
  for (const statement of statements) {
    switch (statement.kind) {
      case "const":
      case "state":
        statement.definitions.forEach((definition) => enter(definition.name.name));
        break;
      case "param":
        statement.definitions.forEach(({ parts }) => parts.forEach((part) => enter(part.name.name)));
        break;
      case "assign":
        if (statement.op === "=") statement.targets.forEach((target) => enter(target.name.name));
        break;
      case "if": {
        const otherwise = definedNames(statement.otherwise);
        for (const name of definedNames(statement.then)) if (otherwise.has(name)) enter(name);
        break;
      }
      default:
        break;
    }
  }
  return names;
}
