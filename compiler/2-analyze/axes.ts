/** Axis definitions become symbols: names resolved, sizes evaluated, not yet expanded into primes. */
import type { ConstantValue } from "../../runtime/bundle-format.js";
import type { AxisDefinition, AxisSlot, Expression } from "../1-parse/ast.js";
import { axisConstruction, axisLimit, axisSize } from "../diagnostics/codes/axes.js";
import type { DiagnosticSink, Span } from "../diagnostics/types.js";
import { describeConstant } from "./constant-operations.js";
import type { AxisSymbol } from "./types.js";

/** What a definition may refer to. Both report their own mistakes. */
export interface AxisScope {
  constant(expression: Expression): ConstantValue | undefined;
  axis(name: string, span: Span): AxisSymbol | undefined;
}

/** Coordinates are whole numbers of 32 bits on the GPU. */
export const MOST_COORDINATES = 2 ** 32 - 1;

export function defineAxis(
  definition: AxisDefinition,
  scope: AxisScope,
  sink: DiagnosticSink,
): AxisSymbol | undefined {
  const symbol = construct(definition, scope, sink);
  const count = symbol === undefined ? 1 : fixedSize(symbol);
  if (count <= MOST_COORDINATES) return symbol;
  const { name, span } = definition.name;
  sink.report(axisLimit(span, name, count, MOST_COORDINATES));
  return undefined;
}

/** The number of coordinates, run-time factors left out. */
function fixedSize(symbol: AxisSymbol): number {
  switch (symbol.kind) {
    case "runtime":
      return 1;
    case "size":
      return symbol.size;
    case "product":
      return symbol.factors.reduce((product, factor) => product * fixedSize(factor), 1);
    case "sum":
      return symbol.parts.reduce((sum, part) => sum + fixedSize(part), 0);
    case "copy":
      return fixedSize(symbol.of);
  }
}

function construct(
  definition: AxisDefinition,
  scope: AxisScope,
  sink: DiagnosticSink,
): AxisSymbol | undefined {
  const { name, span } = definition.name;
  const { value } = definition;
  switch (value.kind) {
    case "runtime":
      return { kind: "runtime", name, role: value.role, span };
    case "size": {
      const size = scope.constant(value.size);
      if (size === undefined) return undefined;
      if (typeof size === "number" && Number.isSafeInteger(size) && size >= 1)
        return { kind: "size", name, size, span };
      sink.report(axisSize(value.size.span, name, describeConstant(size)));
      return undefined;
    }
    case "sum": {
      const parts = value.parts.map((part) => scope.axis(part.name, part.span));
      const defined = parts.filter((part) => part !== undefined);
      if (defined.length < parts.length) return undefined;
      const unsized = defined.findIndex(isRuntime);
      const part = value.parts[unsized];
      if (part === undefined) return { kind: "sum", name, parts: defined, span };
      sink.report(
        axisConstruction(
          part.span,
          name,
          `the part \`${part.name}\` has no fixed size`,
          "join axes of fixed size",
        ),
      );
      return undefined;
    }
    case "product": {
      const { role } = definition;
      const factors = value.axes.slots.map((slot) => factor(name, slot, scope, sink));
      const defined = factors.filter((symbol) => symbol !== undefined);
      if (defined.length < factors.length) return undefined;
      const problem = role === undefined ? undefined : roleProblem(role, defined);
      if (problem === undefined)
        return { kind: "product", name, factors: defined, span, ...(role && { role }) };
      sink.report(
        axisConstruction(span, name, problem, `\`axis s: ${role ?? ""}, ${name}: ${role ?? ""} = [s, hop]\``),
      );
      return undefined;
    }
  }
}

/** A product is along time (or the batch) if its major factor is, and the others are of fixed size. */
function roleProblem(role: "time" | "batch", [major, ...minor]: readonly AxisSymbol[]): string | undefined {
  if (major?.kind !== "runtime" || major.role !== role) return `its first factor must be an axis of ${role}`;
  return minor.some(isRuntime) ? "only its first factor may have a run-time size" : undefined;
}

/** Whether its size is known only when the model runs. */
export function isRuntime(symbol: AxisSymbol): boolean {
  switch (symbol.kind) {
    case "runtime":
      return true;
    case "size":
      return false;
    case "product":
      return symbol.factors.some(isRuntime);
    case "sum":
      return symbol.parts.some(isRuntime);
    case "copy":
      return isRuntime(symbol.of);
  }
}

function factor(
  product: string,
  slot: AxisSlot,
  scope: AxisScope,
  sink: DiagnosticSink,
): AxisSymbol | undefined {
  if (slot.kind === "name") return scope.axis(slot.name, slot.span);
  if (slot.kind === "group") {
    const factors = slot.slots.map((inner) => factor(product, inner, scope, sink));
    const defined = factors.filter((symbol) => symbol !== undefined);
    return defined.length < factors.length
      ? undefined
      : { kind: "product", name: product, factors: defined, span: slot.span };
  }
  sink.report(
    axisConstruction(
      slot.span,
      product,
      "a product is made of axes",
      `give the factor a name: \`axis i = 2, ${product} = [i, …]\``,
    ),
  );
  return undefined;
}
