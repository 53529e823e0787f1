/** `param`: tensors of the checkpoint, their layout there, and the parts of stacked ones. */
import type { AxisSlot, ParamDefinition } from "../../1-parse/ast.js";
import { axisSlot } from "../../diagnostics/codes/axes.js";
import {
  runtimeParameter,
  stackSlot,
  stackWithoutName,
  tensorShape,
} from "../../diagnostics/codes/params.js";
import type { AxisId, NodeId, Param, ParamAxis, ParamId } from "../types.js";
import { resolveDimensions } from "./axes.js";
import { origin, report, type Env } from "./env.js";
import { fillHoles, joinPath } from "./paths.js";

export interface ParamValue {
  readonly node: NodeId;
  readonly part: ParamDefinition["parts"][number];
}

/** The values that a definition names, one a part; `undefined` after reporting. */
export function elaborateParam(env: Env, definition: ParamDefinition): readonly ParamValue[] | undefined {
  const [first] = definition.parts;
  if (first === undefined) return undefined;
  const stacked = definition.parts.length > 1;
  if (stacked && definition.from.length === 0) {
    report(env, stackWithoutName(definition.span));
    return undefined;
  }
  const own =
    definition.from.length === 0 ? [first.name.name] : definition.from.map((path) => fillHoles(env, path));
  const sources = own.map((text) => joinPath(env.frame.paramPath, text));
  const parts = partAxes(env, definition);
  const stack =
    parts === undefined || !stacked ? undefined : stackAxis(env, definition, sources[0] ?? "", parts);
  const layout = parts === undefined ? undefined : resolveLayout(env, definition, stack);
  if (parts === undefined || layout === undefined || (stacked && stack === undefined)) return undefined;
  if (!distinct(env, definition, parts, layout)) return undefined;
  const param = addParam(env, definition, sources, layout);
  if (param === undefined) return undefined;
  const { builder } = env.elaboration;
  const whole = builder.add({ kind: "param", param }, origin(env, definition.span));
  return definition.parts.map((part, k) => {
    const place = stack === undefined ? undefined : builder.axisOf(stack).parts?.[k];
    const axes = parts[k] ?? [];
    if (stack === undefined || place === undefined) return { node: whole, part };
    const slice = { kind: "slice", arg: whole, axis: stack, start: place.start, to: axes } as const;
    return { node: builder.add(slice, origin(env, part.name.span)), part };
  });
}

/** The primes of every part; reports axes whose size is known only at run time. */
function partAxes(env: Env, definition: ParamDefinition): readonly (readonly AxisId[])[] | undefined {
  if (definition.parts.length === 1) return [[]];
  const parts = definition.parts.map(({ name, axes }) => {
    const primes = resolveDimensions(env, axes)?.flatMap((dimension) => dimension.axes);
    return primes !== undefined && fixed(env, name.name, primes, definition) ? primes : undefined;
  });
  const defined = parts.filter((part) => part !== undefined);
  return defined.length < parts.length ? undefined : defined;
}

function fixed(env: Env, name: string, primes: readonly AxisId[], { span }: ParamDefinition): boolean {
  const { builder } = env.elaboration;
  const runtime = primes.find((prime) => typeof builder.axisOf(prime).size !== "number");
  if (runtime !== undefined) report(env, runtimeParameter(span, name, runtime));
  return runtime === undefined;
}

/** Whether no axis stands twice in a parameter, once in its own list and once in the tensor's. */
function distinct(
  env: Env,
  definition: ParamDefinition,
  parts: readonly (readonly AxisId[])[],
  { slots }: Layout,
): boolean {
  const around = slots.flatMap(({ axis }) => (axis === undefined ? [] : [axis]));
  for (const [k, part] of definition.parts.entries()) {
    const all = [...around, ...(parts[k] ?? [])];
    const twice = all.find((axis, at) => all.indexOf(axis) !== at);
    if (twice === undefined) continue;
    report(
      env,
      axisSlot(part.axes.span, `the axis \`${twice}\` stands here twice`, `write a copy: \`${twice}'\``),
    );
    return false;
  }
  return true;
}

function stackAxis(
  env: Env,
  definition: ParamDefinition,
  tensor: string,
  parts: readonly (readonly AxisId[])[],
): AxisId | undefined {
  const count = countStacks(definition.axes.slots);
  if (count !== 1) {
    report(env, stackSlot(definition.axes.span, count));
    return undefined;
  }
  return env.elaboration.axes.stacked(stackName(tensor), parts, definition.span);
}

function countStacks(slots: readonly AxisSlot[]): number {
  return slots.reduce(
    (sum, slot) => sum + (slot.kind === "stack" ? 1 : slot.kind === "group" ? countStacks(slot.slots) : 0),
    0,
  );
}

/** `backbone.layers.0.mixer.in_proj.weight` stacks along `in_proj`. */
function stackName(tensor: string): string {
  const segments = tensor.split(".");
  const last = segments.pop() ?? tensor;
  return ["weight", "bias"].includes(last) ? (segments.pop() ?? last) : last;
}

interface Layout {
  readonly slots: readonly ParamAxis[];
  readonly shape: readonly number[];
}

/** The tensor's axes as stored, `_` being the stack axis, and its shape in the file: one size a slot. */
function resolveLayout(env: Env, definition: ParamDefinition, stack: AxisId | undefined): Layout | undefined {
  const { axes: table } = env.elaboration;
  const name = definition.parts.map((part) => part.name.name).join(" | ");
  const slot = (of: AxisSlot): readonly ParamAxis[] | undefined => {
    if (of.kind === "stack" && stack !== undefined) return [{ axis: stack, size: table.size([stack]) }];
    if (of.kind === "group") {
      const inner = of.slots.map(slot);
      const defined = inner.filter((part) => part !== undefined);
      return defined.length < inner.length ? undefined : defined.flat();
    }
    const dimension = resolveDimensions(env, { slots: [of], span: of.span })?.[0];
    if (dimension === undefined || !fixed(env, name, dimension.axes, definition)) return undefined;
    if (dimension.axes.length === 0) return [{ size: 1 }];
    return dimension.axes.map((axis) => ({ axis, size: table.size([axis]) }));
  };
  if (stack === undefined && resolveDimensions(env, definition.axes) === undefined) return undefined;
  const slots = definition.axes.slots.map(slot);
  const defined = slots.filter((part) => part !== undefined);
  if (defined.length < slots.length) return undefined;
  return {
    slots: defined.flat(),
    shape: defined.map((part) => part.reduce((product, { size }) => product * size, 1)),
  };
}

/** Adds the tensor, or finds it where another definition reads the same one: tied weights are one parameter. */
function addParam(
  env: Env,
  definition: ParamDefinition,
  sources: readonly string[],
  layout: Layout,
): ParamId | undefined {
  const { builder, tensors } = env.elaboration;
  const [name = ""] = sources;
  const shape = `[${layout.shape.join(", ")}]`;
  const key = JSON.stringify([layout, definition.scalar]);
  const known = tensors.get(name);
  if (known?.key === key) return known.param;
  if (known !== undefined) {
    report(env, tensorShape(definition.span, name, shape, known.shape, known.span));
    return undefined;
  }
  const plain = layout.slots.length === layout.shape.length;
  const param: Omit<Param, "id"> = {
    name,
    sources,
    layout: layout.slots,
    ...(plain ? {} : { shape: layout.shape }),
    scalar: definition.scalar === "complex" ? "c64" : "f32",
    spans: origin(env, definition.span).spans,
  };
  const id = builder.param(param);
  tensors.set(name, { param: id, key, shape, span: definition.span });
  return id;
}
