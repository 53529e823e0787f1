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
/** Each is a dimension of every value that has the axis, and a loop or a quotient in its kernels. */
const MOST_PRIMES = 64;

export function defineAxis(
  definition: AxisDefinition,
  scope: AxisScope,
  sink: DiagnosticSink,
): AxisSymbol | undefined {
  const symbol = construct(definition, scope, sink);
  if (symbol === undefined) return undefined;
  const { name, span } = definition.name;
  const { coordinates, primes } = measure(symbol);
  if (coordinates <= MOST_COORDINATES && primes <= MOST_PRIMES) return symbol;
  sink.report(
    coordinates > MOST_COORDINATES
      ? axisLimit(span, name, `${coordinates} coordinates`, MOST_COORDINATES)
      : axisLimit(span, name, `${primes} factors and parts`, MOST_PRIMES),
  );
  return undefined;
}

interface Extent {
  /** Run-time factors left out. */
  readonly coordinates: number;
  /** Factors and parts down to those that have none. */
  readonly primes: number;
}

const extents = new WeakMap<AxisSymbol, Extent>();

/** Measured once for each symbol: a product of one axis twice, and so on, has as many paths as coordinates. */
function measure(symbol: AxisSymbol): Extent {
  const known = extents.get(symbol);
  if (known !== undefined) return known;
  const extent = extentOf(symbol);
  extents.set(symbol, extent);
  return extent;
}

function extentOf(symbol: AxisSymbol): Extent {
  const primes = (parts: readonly AxisSymbol[]): number =>
    parts.reduce((sum, part) => sum + measure(part).primes, 0);
  switch (symbol.kind) {
    case "runtime":
      return { coordinates: 1, primes: 1 };
    case "size":
      return { coordinates: symbol.size, primes: 1 };
    case "product": {
      const { factors } = symbol;
      const coordinates = factors.reduce((product, factor) => product * measure(factor).coordinates, 1);
      return { coordinates, primes: primes(factors) };
    }
    case "sum": {
      const { parts } = symbol;
      const coordinates = parts.reduce((sum, part) => sum + measure(part).coordinates, 0);
      return { coordinates, primes: primes(parts) };
    }
    case "copy":
      return measure(symbol.of);
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
