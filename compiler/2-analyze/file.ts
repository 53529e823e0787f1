/** Analysis of one file. Its declarations may stand in any order; each is resolved when first asked for. */
import type { ConstantValue } from "../../runtime/bundle-format.js";
import type {
  AxisDefinition,
  ConstDefinition,
  Expression,
  Ident,
  ModelDeclaration,
  SourceTree,
  UseDeclaration,
} from "../1-parse/ast.js";
import { parse } from "../1-parse/index.js";
import { unknownAxis } from "../diagnostics/codes/axes.js";
import { constantsTooLarge, cyclicConstant } from "../diagnostics/codes/constants.js";
import { alreadyDefined, cyclicUse, notInFile, sourceNotFound } from "../diagnostics/codes/names.js";
import { createSink } from "../diagnostics/sink.js";
import { closest } from "../diagnostics/suggest.js";
import type { DiagnosticSink, SourceFile, Span } from "../diagnostics/types.js";
import { defineAxis } from "./axes.js";
import { evaluateConstant } from "./constants.js";
import { besideFile } from "./paths.js";
import { configured, sameType } from "./settings.js";
import type { AxisSymbol, Callable, Constant, Module } from "./types.js";

/** What all files of one compilation share. */
export interface Program {
  readonly config: unknown;
  readonly loadSource: (path: string) => SourceFile | undefined;
  readonly prelude: Module | undefined;
  /** Loaded by `use`, by resolved path. */
  readonly files: Map<string, SourceFile>;
  readonly trees: Map<string, SourceTree>;
  /** Those of files with syntax errors. */
  readonly unread: Set<SourceTree>;
  /** Files with their constants set, by path and values. */
  readonly instances: Map<string, Module>;
  readonly sink: DiagnosticSink;
  /** Items that constants may still hold. */
  readonly budget: { left: number };
}

/** Of all constants together: every one of them is in the bundle. */
export const MOST_ITEMS = 1_000_000;

/** A name that is being worked out, to notice one that needs itself. */
const IN_PROGRESS = Symbol("in progress");

export class FileAnalysis {
  private readonly constantDefinitions = new Map<string, ConstDefinition>();
  private readonly axisDefinitions = new Map<string, AxisDefinition>();
  private readonly constants = new Map<string, Constant | typeof IN_PROGRESS>();
  private readonly axes = new Map<string, AxisSymbol | undefined | typeof IN_PROGRESS>();
  private readonly callables = new Map<string, Callable>();
  private readonly imports = new Map<string, { readonly use: UseDeclaration; readonly name: Ident }>();
  private readonly used = new Map<UseDeclaration, Module | undefined>();
  private model: ModelDeclaration | undefined;

  /** `chain`: the files whose `use` led here, this one last. */
  constructor(
    private readonly tree: SourceTree,
    private readonly set: Readonly<Record<string, ConstantValue>>,
    private readonly program: Program,
    private readonly chain: readonly string[],
  ) {}

  module(): Module {
    const module = {
      file: this.tree.file,
      constants: new Map<string, Constant>(),
      axes: new Map<string, AxisSymbol | undefined>(),
      callables: this.callables,
      model: undefined as ModelDeclaration | undefined,
      prelude: this.program.prelude,
      config: this.program.config,
      uses: [] as readonly SourceFile[],
    };
    this.collect(module);
    for (const name of this.constantDefinitions.keys()) this.constant(name);
    for (const name of this.axisDefinitions.keys()) this.axis(name);
    for (const { use, name } of this.imports.values()) this.bring(use, name);
    for (const [name, value] of this.constants) if (value !== IN_PROGRESS) module.constants.set(name, value);
    for (const [name, value] of this.axes) if (value !== IN_PROGRESS) module.axes.set(name, value);
    module.model = this.model;
    module.uses = [...this.program.files.values()];
    return module;
  }

  /** Enters every declaration under its name; a name stands once among values, among axes, among callables. */
  private collect(home: Module): void {
    const callable = new Map<string, Span>();
    const values = new Map<string, Span>();
    const axes = new Map<string, Span>();
    const enter = (table: Map<string, Span>, { name, span }: Ident): boolean => {
      const first = table.get(name);
      if (first !== undefined) this.program.sink.report(alreadyDefined(span, name, first));
      else table.set(name, span);
      return first === undefined;
    };
    for (const declaration of this.tree.declarations) {
      switch (declaration.kind) {
        case "use":
          for (const name of declaration.names) this.imports.set(name.name, { use: declaration, name });
          break;
        case "const":
          for (const definition of declaration.definitions)
            if (enter(values, definition.name))
              this.constantDefinitions.set(definition.name.name, definition);
          break;
        case "axis":
          for (const definition of declaration.definitions)
            if (enter(axes, definition.name)) this.axisDefinitions.set(definition.name.name, definition);
          break;
        case "fn":
        case "rule":
        case "block":
          if (enter(callable, declaration.name))
            this.callables.set(declaration.name.name, { declaration, home });
          break;
        case "model":
          if (this.model === undefined) this.model = declaration;
          else
            this.program.sink.report(
              alreadyDefined(declaration.name.span, "model", this.model.name.span, "a file has one model"),
            );
      }
    }
  }

  private constant(name: string): Constant | undefined {
    const known = this.constants.get(name);
    const definition = this.constantDefinitions.get(name);
    if (definition === undefined) {
      const brought = this.imports.get(name);
      if (brought !== undefined && known === undefined) this.bring(brought.use, brought.name);
      const value = this.constants.get(name);
      return value === IN_PROGRESS ? undefined : value;
    }
    const { span } = definition.name;
    if (known === IN_PROGRESS) {
      this.program.sink.report(cyclicConstant(span, name));
      return { value: undefined, span };
    }
    if (known !== undefined) return known;
    this.constants.set(name, IN_PROGRESS);
    const value = this.constantValue(definition);
    const constant: Constant = {
      value,
      span,
      ...(definition.axis === undefined ? {} : { axis: definition.axis }),
    };
    this.constants.set(name, constant);
    return constant;
  }

  private constantValue(definition: ConstDefinition): ConstantValue | undefined {
    const { sink, config } = this.program;
    const { name, span } = definition.name;
    const own = this.evaluate(definition.value);
    const given = Object.hasOwn(this.set, name) ? this.set[name] : undefined;
    if (given === undefined) return configured(definition, own, config, sink);
    if (own !== undefined && !sameType(name, given, own, "the setting", span, sink)) return undefined;
    return given;
  }

  private evaluate(expression: Expression): ConstantValue | undefined {
    return evaluateConstant(
      expression,
      {
        lookup: (name) => this.constant(name),
        names: () => this.constantDefinitions.keys(),
        spend: (weight, span) => this.spend(weight, span),
      },
      this.program.sink,
    );
  }

  private spend(weight: number, span: Span): boolean {
    const { budget, sink } = this.program;
    if (budget.left >= 0 && budget.left < weight) sink.report(constantsTooLarge(span, MOST_ITEMS));
    budget.left = Math.max(-1, budget.left - weight);
    return budget.left >= 0;
  }

  private axis(name: string): AxisSymbol | undefined {
    const definition = this.axisDefinitions.get(name);
    const known = this.axes.get(name);
    if (definition === undefined) {
      const brought = this.imports.get(name);
      if (brought !== undefined && !this.axes.has(name)) this.bring(brought.use, brought.name);
      const value = this.axes.get(name);
      return value === IN_PROGRESS ? undefined : value;
    }
    if (known === IN_PROGRESS) {
      this.program.sink.report(cyclicConstant(definition.name.span, name));
      return undefined;
    }
    if (this.axes.has(name)) return known;
    this.axes.set(name, IN_PROGRESS);
    const symbol = defineAxis(
      definition,
      {
        constant: (expression) => this.evaluate(expression),
        axis: (part, span) => this.axisReference(part, span),
      },
      this.program.sink,
    );
    this.axes.set(name, symbol);
    return symbol;
  }

  private axisReference(name: string, span: Span): AxisSymbol | undefined {
    if (name.endsWith("'")) {
      const of = this.axisReference(name.slice(0, -1), span);
      return of === undefined ? undefined : { kind: "copy", name, of, span };
    }
    const symbol = this.axis(name);
    if (symbol === undefined && !this.axes.has(name))
      this.program.sink.report(unknownAxis(span, name, closest(name, this.axisDefinitions.keys())));
    return symbol;
  }

  /** Enters what `use` names under its name here. */
  private bring(use: UseDeclaration, { name, span }: Ident): void {
    if (this.callables.has(name) && this.callables.get(name)?.home.file !== this.tree.file) return;
    const module = this.moduleOf(use);
    if (module === undefined) {
      if (!this.constants.has(name)) this.constants.set(name, { value: undefined, span });
      return;
    }
    const callable = module.callables.get(name);
    const constant = module.constants.get(name);
    const own = this.callables.get(name)?.declaration.name.span;
    if (callable !== undefined && own !== undefined)
      this.program.sink.report(alreadyDefined(span, name, own));
    else if (callable !== undefined) this.callables.set(name, callable);
    if (constant !== undefined && !this.constantDefinitions.has(name)) this.constants.set(name, constant);
    if (module.axes.has(name) && !this.axisDefinitions.has(name)) this.axes.set(name, module.axes.get(name));
    if (callable === undefined && constant === undefined && !module.axes.has(name)) {
      const names = [...module.callables.keys(), ...module.constants.keys(), ...module.axes.keys()];
      this.program.sink.report(notInFile(span, name, use.from.text, closest(name, names)));
    }
  }

  private moduleOf(use: UseDeclaration): Module | undefined {
    if (this.used.has(use)) return this.used.get(use);
    const module = this.load(use);
    this.used.set(use, module);
    return module;
  }

  private load(use: UseDeclaration): Module | undefined {
    const { sink, trees, files, instances } = this.program;
    const path = besideFile(this.tree.file, use.from.text);
    if (this.chain.includes(path)) {
      sink.report(cyclicUse(use.from.span, use.from.text));
      return undefined;
    }
    let tree = trees.get(path);
    if (tree === undefined) {
      const source = this.program.loadSource(path);
      if (source === undefined) {
        sink.report(sourceNotFound(use.from.span, use.from.text));
        return undefined;
      }
      files.set(path, source);
      tree = this.parsed({ path, text: source.text });
      trees.set(path, tree);
    }
    if (this.program.unread.has(tree)) return undefined;
    const set = this.settings(use, tree);
    const key = JSON.stringify([path, set]);
    const known = instances.get(key);
    if (known !== undefined) return known;
    const module = new FileAnalysis(tree, set, this.program, [...this.chain, path]).module();
    instances.set(key, module);
    return module;
  }

  /** What a file with syntax errors lacks, is not missed. */
  private parsed(source: SourceFile): SourceTree {
    const own = createSink();
    const tree = parse(source, own);
    for (const diagnostic of own.diagnostics) this.program.sink.report(diagnostic);
    if (own.hasErrors) this.program.unread.add(tree);
    return tree;
  }

  /** The values after `with`, which must be constants that the used file defines. */
  private settings(use: UseDeclaration, tree: SourceTree): Readonly<Record<string, ConstantValue>> {
    const names = tree.declarations.flatMap((declaration) =>
      declaration.kind === "const" ? declaration.definitions.map((definition) => definition.name.name) : [],
    );
    const set: Record<string, ConstantValue> = {};
    for (const { name, value } of use.with) {
      const result = this.evaluate(value);
      if (!names.includes(name.name))
        this.program.sink.report(notInFile(name.span, name.name, tree.file, closest(name.name, names)));
      else if (result !== undefined) set[name.name] = result;
    }
    return set;
  }
}
