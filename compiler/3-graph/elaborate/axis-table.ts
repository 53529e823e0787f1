/** Axis symbols expanded into primes, each prime added to the graph once. */
import type { AxisSymbol } from "../../2-analyze/types.js";
import { InternalError } from "../../diagnostics/internal-error.js";
import type { Span } from "../../diagnostics/types.js";
import type { GraphBuilder } from "../build.js";
import { sizeNumber } from "../numbers.js";
import type { Axis, AxisId } from "../types.js";

export class AxisTable {
  private readonly known = new Map<string, AxisId>();
  /** Every use of a name asks for the primes of its symbol. */
  private readonly ofSymbol = new Map<AxisSymbol, readonly AxisId[]>();

  constructor(private readonly builder: GraphBuilder) {}

  /** The primes of a symbol, major first. Symbols of equal name and structure give the same primes. */
  primes(symbol: AxisSymbol): readonly AxisId[] {
    const known = this.ofSymbol.get(symbol);
    if (known !== undefined) return known;
    const primes = this.primesOf(symbol);
    this.ofSymbol.set(symbol, primes);
    return primes;
  }

  private primesOf(symbol: AxisSymbol): readonly AxisId[] {
    switch (symbol.kind) {
      case "runtime":
        return [
          this.intern(symbol.name, {
            size: { runtime: sizeNumber(symbol.name) },
            role: symbol.role,
            spans: [symbol.span],
          }),
        ];
      case "size":
        return [this.intern(symbol.name, { size: symbol.size, role: "plain", spans: [symbol.span] })];
      case "product":
        return symbol.factors.flatMap((factor) => this.primes(factor));
      case "sum":
        return [
          this.stacked(
            symbol.name,
            symbol.parts.map((part) => this.primes(part)),
            symbol.span,
          ),
        ];
      case "copy":
        return this.copies(this.primes(symbol.of), symbol.span);
    }
  }

  /** Axes of the same sizes as those, and other names. */
  copies(primes: readonly AxisId[], span: Span): readonly AxisId[] {
    return primes.map((prime) =>
      this.intern(`${prime}'`, { size: this.builder.axisOf(prime).size, role: "plain", spans: [span] }),
    );
  }

  /** A prime whose coordinates are those of the parts, one part after the other. */
  stacked(name: string, parts: readonly (readonly AxisId[])[], span: Span): AxisId {
    let start = 0;
    const placed = parts.map((axes) => {
      const part = { axes, start, size: this.size(axes) };
      start += part.size;
      return part;
    });
    return this.intern(name, { size: start, role: "plain", parts: placed, spans: [span] });
  }

  /** The number of coordinates of a product of axes of fixed size. */
  size(primes: readonly AxisId[]): number {
    return primes.reduce((product, prime) => {
      const { size } = this.builder.axisOf(prime);
      if (typeof size !== "number") throw new InternalError("elaborate", `axis ${prime} has no fixed size`);
      return product * size;
    }, 1);
  }

  isFixed(primes: readonly AxisId[]): boolean {
    return primes.every((prime) => typeof this.builder.axisOf(prime).size === "number");
  }

  /** The axis of that name, size and parts; added if there is none. */
  intern(name: string, rest: Omit<Axis, "id">): AxisId {
    const key = JSON.stringify([name, rest.size, rest.role, rest.parts]);
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const id = this.builder.axis(name, rest);
    this.known.set(key, id);
    return id;
  }
}
