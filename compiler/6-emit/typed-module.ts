/**
 * The typed module of a bundle: TypeScript that makes a wrong input a compile error. Its types are those of
 * `krait/runtime` (runtime/typed.ts), filled in with the model's names and shapes.
 */
import type { AxisEntry, InputEntry, Manifest } from "../../runtime/bundle-format.js";
import type { InterfaceDeclarationStructure, OptionalKind, PropertySignatureStructure } from "ts-morph";
import { callersAxes } from "./states.js";

/** The file's name in a bundle. */
export const TYPED_MODULE = "model.ts";

type Property = OptionalKind<PropertySignatureStructure>;
type Entry = Pick<InputEntry, "name" | "axes"> & { readonly scalar?: string; readonly doc?: string };

/** Loads ts-morph, which takes a while: only for this. */
export async function typedModule(manifest: Manifest): Promise<string> {
  const { IndentationText, Project, VariableDeclarationKind } = await import("ts-morph");
  const project = new Project({
    useInMemoryFileSystem: true,
    manipulationSettings: { indentationText: IndentationText.TwoSpaces },
  });
  const file = project.createSourceFile(TYPED_MODULE, "");
  const name = typeName(manifest.model);
  const constant = (of: string, value: unknown, doc: string, suffix = " as const"): void => {
    file.addVariableStatement({
      declarationKind: VariableDeclarationKind.Const,
      isExported: true,
      declarations: [{ name: of, initializer: `${literal(value)}${suffix}` }],
      docs: [doc],
    });
  };
  const types = (of: string, doc: string, properties: readonly Property[]): void => {
    const structure: OptionalKind<InterfaceDeclarationStructure> = { name: of, properties: [...properties] };
    file.addInterface({ ...structure, isExported: true, docs: [doc] });
  };

  file.addImportDeclaration({
    moduleSpecifier: "krait/runtime",
    namedImports: [
      "openTyped",
      ...["Bundle", "OpenOptions", "Tensor", "TypedModel", "TypedSession"].map((each) => ({
        name: each,
        isTypeOnly: true,
      })),
    ],
  });
  constant("constants", manifest.constants, "The constants that the model was built with.");
  constant("axes", knownAxes(manifest), "Sizes of the axes that are known before the model runs.");
  types("Inputs", "What `prefill` and `step` take, row-major.", manifest.inputs.map(inputProperty));
  types("Outputs", "What they give, row-major.", manifest.outputs.map(tensorProperty));
  const states = manifest.states.map((entry) => tensorProperty({ ...entry, axes: callersAxes(entry) }));
  types("States", "What a session carries, by call path.", states);
  const hasStep = manifest.targets.every(({ step }) => step !== undefined);
  types(`${name}Signature`, "All of it, for `krait/runtime`.", [
    { name: "inputs", type: "Inputs", isReadonly: true },
    { name: "outputs", type: "Outputs", isReadonly: true },
    { name: "states", type: "States", isReadonly: true },
    { name: "programs", type: hasStep ? '"prefill" | "step"' : '"prefill"', isReadonly: true },
  ]);
  for (const what of ["Model", "Session"])
    file.addTypeAlias({ name: `${name}${what}`, isExported: true, type: `Typed${what}<${name}Signature>` });
  file.addFunction({
    name: "open",
    isExported: true,
    parameters: [
      { name: "bundle", type: "Bundle" },
      { name: "options", type: "OpenOptions" },
    ],
    returnType: `Promise<${name}Model>`,
    statements: [`return openTyped<${name}Signature>(bundle, options, ${literal(interfaceOf(manifest))});`],
    docs: ["Opens the bundle; throws where it is of another model than this module."],
  });
  file.formatText();
  const head = `// Made from the model ${manifest.model} by ${manifest.compiler}, build --types: changes will be lost.\n`;
  return `${head}${file.getFullText()}`;
}

function inputProperty(entry: InputEntry): Property {
  const isIndex = entry.scalar === "index";
  const numbers = isIndex
    ? ["Uint32Array<ArrayBuffer>", "Int32Array<ArrayBuffer>"]
    : ["Float32Array<ArrayBuffer>", ...(entry.scalar === "f32" ? [] : ["Uint16Array<ArrayBuffer>"])];
  const kept =
    isIndex || entry.scalar === "f32" ? "" : `, rounded to ${entry.scalar}; a Uint16Array has its bits`;
  const range = entry.bound === undefined ? kept : `, whole numbers from 0 to ${entry.bound - 1}`;
  const fixed = entry.time === undefined ? " Stays as it is: once given, it may be left out." : "";
  return {
    name: propertyName(entry.name),
    type: numbers.join(" | "),
    isReadonly: true,
    hasQuestionToken: entry.time === undefined,
    docs: [docText(entry, `${range}.${fixed}`)],
  };
}

function tensorProperty(entry: Entry): Property {
  return {
    name: propertyName(entry.name),
    type: `Tensor<${shapeType(entry.axes)}>`,
    isReadonly: true,
    docs: [docText(entry, ".")],
  };
}

function docText({ name, axes, doc }: Entry, more: string): string {
  const text = `\`${name}[${axes.map((axis) => axis.name).join(", ")}]\`${more}`;
  return (doc === undefined ? text : `${text} ${doc}`).replaceAll("*/", "*\\/");
}

/** `readonly [b: number, t: number, v: 50280]`. */
function shapeType(axes: readonly AxisEntry[]): string {
  const members = axes.map(({ name, size }, i) => {
    const label = /^[A-Za-z_]\w*$/.test(name) ? name : `axis_${i}`;
    const taken = axes.findIndex((axis) => axis.name === name) < i;
    return `${taken ? `${label}_${i}` : label}: ${typeof size === "number" ? size : "number"}`;
  });
  return `readonly [${members.join(", ")}]`;
}

/** Without names that stand for several sizes. */
function knownAxes({ inputs, outputs, states }: Manifest): Readonly<Record<string, number>> {
  const found = new Map<string, Set<number>>();
  for (const { axes } of [...inputs, ...outputs, ...states])
    for (const { name, size } of axes)
      if (typeof size === "number") found.set(name, (found.get(name) ?? new Set()).add(size));
  const known = [...found].flatMap(([name, [size, ...others]]) =>
    size === undefined || others.length > 0 ? [] : [[name, size] as const],
  );
  return Object.fromEntries(known.sort(([p], [q]) => (p < q ? -1 : 1)));
}

/** As `krait/runtime` reads it off a manifest. */
function interfaceOf({ inputs, outputs, states }: Manifest): unknown {
  const texts = (entries: readonly Entry[]): unknown =>
    Object.fromEntries(
      entries.map(({ name, scalar = "f32", axes }) => [
        name,
        `${scalar}[${axes.map(({ size }) => (typeof size === "object" ? JSON.stringify(size) : size)).join(", ")}]`,
      ]),
    );
  return { inputs: texts(inputs), outputs: texts(outputs), states: texts(states) };
}

const propertyName = (name: string): string => (/^[A-Za-z_]\w*$/.test(name) ? name : JSON.stringify(name));

/** `mamba` → `Mamba`. */
const typeName = (model: string): string =>
  model
    .split("_")
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("")
    .replace(/^(?![A-Za-z])/, "Model");

/** JSON is TypeScript, but for the numbers that it lacks. */
function literal(value: unknown): string {
  const special = (_: string, of: unknown): unknown =>
    typeof of === "number" && !Number.isFinite(of)
      ? `\u0000${of > 0 ? "Infinity" : of < 0 ? "-Infinity" : "NaN"}`
      : of;
  return JSON.stringify(value, special, 2).replace(/"\\u0000(-?\w+)"/g, "$1");
}
