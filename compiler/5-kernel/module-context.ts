/** What a shader has gathered while its holes were filled: names, bindings, and which library functions it calls. */
import { InternalError } from "../diagnostics/internal-error.js";
import {
  declareAccessors,
  declareBindings,
  isPacked,
  isWrittenByWords,
  isWrittenHalf,
  type BindingDeclaration,
} from "../../templates/accessors.js";
import { mathDeclarations, type MathFunction, type Width } from "../../templates/kernels/math.js";
import { KEYWORDS, Names, identifier, numberedIn, reservedIn } from "../../templates/names.js";
import { code, comment, join, paragraphs, wgsl, name, type Code, type Wgsl } from "../../templates/wgsl.js";
import { ExprBuilder } from "./expr.js";
import type { Expr, Kernel } from "./types.js";

export class ModuleContext {
  readonly builder = new ExprBuilder();
  readonly names: Names;
  private readonly numbers = new Map<string, string>();
  private readonly bindings = new Map<string, BindingDeclaration>();
  private readonly math = new Map<Width, Set<MathFunction>>();
  private readonly fours = new Set<string>();
  private readonly pairs = new Set<string>();
  private readonly codes = new Set<string>();
  private readonly elements = new Set<string>();
  private readonly extensions = new Set<string>();

  constructor(
    private readonly kernel: Kernel,
    numbers: readonly string[],
  ) {
    this.names = new Names(reservedIn(kernel.skeleton), numberedIn(kernel.skeleton));
    const members = new Names(KEYWORDS);
    for (const number of numbers) this.numbers.set(number, members.take(number));
    for (const binding of kernel.bindings) {
      // A scan's invocations have two neighbours, all others four.
      const inFours = isWrittenByWords(binding) && kernel.skeleton !== "scan";
      const name = this.names.take(binding.name);
      this.bindings.set(binding.name, { ...binding, name, ...(inFours && { wide: true }) });
    }
    if (kernel.bindings.some(isWrittenHalf)) this.enable("f16");
  }

  binding(of: string): BindingDeclaration {
    const binding = this.bindings.get(of);
    if (binding === undefined)
      throw new InternalError("print-wgsl", `${this.kernel.name} has no binding ${of}`);
    return binding;
  }

  number(of: string): Wgsl<"u32"> {
    const member = this.numbers.get(of);
    if (member === undefined)
      throw new InternalError(
        "print-wgsl",
        `${this.kernel.name} uses ${of}, which is not a number of its program`,
      );
    return wgsl<"u32">`numbers.${name(member)}`;
  }

  isPacked(binding: BindingDeclaration): boolean {
    return isPacked(binding.element);
  }

  isStrideOne(index: Expr, of: string, divisor: number): boolean {
    return this.builder.isStrideOne(index, of, divisor);
  }

  /** A WGSL extension that the shader uses. */
  enable(extension: string): void {
    this.extensions.add(extension);
  }

  /** Before anything reads the binding. */
  declareWide(of: string): void {
    this.bindings.set(of, { ...this.binding(of), wide: true });
  }

  usesMath(fn: MathFunction, width: Width): void {
    const functions = this.math.get(width) ?? new Set();
    this.math.set(width, functions.add(fn));
  }

  /** Of a quantized binding, codes by fours, not scaled. */
  usesCodes(binding: BindingDeclaration): BindingDeclaration {
    this.codes.add(binding.name);
    return binding;
  }

  /** Of a wide binding of 16 bits, elements one by one. */
  usesElements(binding: BindingDeclaration): BindingDeclaration {
    this.elements.add(binding.name);
    return binding;
  }

  usesFours(binding: BindingDeclaration): BindingDeclaration {
    this.fours.add(binding.name);
    return binding;
  }

  /** Words of two elements, four of them at a time. */
  usesPairs(binding: BindingDeclaration): BindingDeclaration {
    this.pairs.add(binding.name);
    return binding;
  }

  /** The whole text: notes, bindings, the functions in use, then the kernel's own declarations. */
  module(body: Code): Code {
    const bindings = [...this.bindings.values()];
    return paragraphs([
      join([
        comment(identifier(this.kernel.name)),
        ...this.kernel.notes.map((note) => comment(`  ${note.text.trim()}`)),
        ...[...this.extensions].map((extension) => code`enable ${name(extension)};`),
      ]),
      declareBindings([...this.numbers.values()], bindings),
      ...declareAccessors(bindings, {
        fours: this.fours,
        pairs: this.pairs,
        codes: this.codes,
        elements: this.elements,
      }),
      mathDeclarations(this.math),
      body,
    ]);
  }
}
