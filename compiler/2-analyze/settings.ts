/** Where a constant's value may come from besides its definition: `--set`, `with`, and `from` keys of config.json. */
import type { ConstantValue } from "../../runtime/bundle-format.js";
import type { ConstDefinition } from "../1-parse/ast.js";
import { constantType } from "../diagnostics/codes/constants.js";
import type { DiagnosticSink, Span } from "../diagnostics/types.js";
import { describeConstant, typeOfConstant } from "./constant-operations.js";

/**
 * The value of a dotted key, or `undefined` where the file leaves the choice open: the key is missing, is `null`, or
 * says "auto", as Hugging Face's configurations do for `time_step_rank`.
 */
function readKey(config: unknown, key: string): ConstantValue | undefined {
  let at: unknown = config;
  for (const part of key.split(".")) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, part)) return undefined;
    at = (at as Readonly<Record<string, unknown>>)[part];
  }
  return isConstant(at) ? at : undefined;
}

/** Deeper lists than any configuration has would take the stages after this one more stack than there is. */
const MOST_NESTED = 64;

function isConstant(value: unknown, depth = 0): value is ConstantValue {
  if (Array.isArray(value)) return depth < MOST_NESTED && value.every((item) => isConstant(item, depth + 1));
  return ["number", "boolean", "string"].includes(typeof value);
}

/** Checks that a value from outside has the type of the constant's definition. */
export function sameType(
  name: string,
  value: ConstantValue,
  like: ConstantValue,
  from: string,
  span: Span,
  sink: DiagnosticSink,
): boolean {
  if (typeOfConstant(value) === typeOfConstant(like)) return true;
  sink.report(
    constantType(
      span,
      name,
      from,
      `${describeConstant(value)}, ${typeOfConstant(value)}`,
      `${typeOfConstant(like)}, like ${describeConstant(like)}`,
    ),
  );
  return false;
}

/** The constant's value after config.json has had its say. `fallback` is what its definition computes. */
export function configured(
  definition: ConstDefinition,
  fallback: ConstantValue | undefined,
  config: unknown,
  sink: DiagnosticSink,
): ConstantValue | undefined {
  if (fallback === undefined) return undefined;
  for (const { text } of definition.from) {
    const value = readKey(config, text);
    if (value === undefined || (value === "auto" && typeof fallback !== "string")) continue;
    const from = `config.json's \`${text}\``;
    return sameType(definition.name.name, value, fallback, from, definition.name.span, sink)
      ? value
      : undefined;
  }
  return fallback;
}
