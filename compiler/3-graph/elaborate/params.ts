/** `param`: tensors of the checkpoint, their layout there, and the parts of stacked ones. */
import type { AxisSlot, ParamDefinition } from "../../1-parse/ast.js";
import { axisSlot } from "../../diagnostics/codes/axes.js";
import {
  gatherCount,
  gatherHole,
  runtimeParameter,
  stackSlot,
  stackWithoutName,
  tensorShape,
} from "../../diagnostics/codes/params.js";
import type { AxisId, NodeId, Param, ParamAxis, ParamId, Pieces } from "../types.js";
import { resolveAxis, resolveDimensions } from "./axes.js";
import { origin, report, type Env } from "./env.js";
import { fillHoles, holesOf, isConstantName, joinPath } from "./paths.js";

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
  const gathered = gatheredAxes(env, definition);
  if (gathered === undefined) return undefined;
  const sources = sourcesOf(
    env,
    definition,
    gathered.map(({ name }) => [name, `{${name}}`]),
  );
  const parts = partAxes(env, definition);
  const stack =
    parts === undefined || !stacked ? undefined : stackAxis(env, definition, sources[0] ?? "", parts);
  const layout = parts === undefined ? undefined : resolveLayout(env, definition, stack, gathered);
  if (parts === undefined || layout === undefined || (stacked && stack === undefined)) return undefined;
  if (!distinct(env, definition, parts, layout)) return undefined;
  const pieces = gathered.length === 0 ? undefined : piecesOf(env, definition, gathered, layout);
  const param = addParam(env, definition, sources, layout, pieces);
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

/** Tensors of one parameter: 256 experts of 256 parts. */
const MOST_GATHERED = 2 ** 16;

interface GatheredAxis {
  readonly name: string;
  readonly slot: AxisSlot;
  readonly size: number;
}

/** The tensor's axes that its path names in braces: the checkpoint has a tensor for each of their coordinates. */
function gatheredAxes(env: Env, definition: ParamDefinition): readonly GatheredAxis[] | undefined {
  const [path, ...alternatives] = definition.from;
  if (path === undefined) return [];
  const { axes: table } = env.elaboration;
  const gathered: GatheredAxis[] = [];
  for (const slot of definition.axes.slots) {
    if (slot.kind !== "name" || !holesOf(path).includes(slot.name) || isConstantName(env, slot.name))
      continue;
    const primes = resolveAxis(env, slot.name, slot.span);
    if (primes === undefined || !fixed(env, definition.parts[0]?.name.name ?? "", primes, definition))
      return undefined;
    const without = alternatives.find((other) => !holesOf(other).includes(slot.name));
    if (without !== undefined) {
      report(env, gatherHole(without.span, slot.name, path.span));
      return undefined;
    }
    gathered.push({ name: slot.name, slot, size: table.size(primes) });
  }
  const count = gathered.reduce((product, { size }) => product * size, 1);
  if (count <= MOST_GATHERED) return gathered;
  report(env, gatherCount(path.span, count, MOST_GATHERED));
  return undefined;
}

/** The names to try, with holes filled; without `from` the parameter's own. */
function sourcesOf(
  env: Env,
  { from, parts }: ParamDefinition,
  places: readonly (readonly [string, string])[],
): readonly string[] {
  const own =
    from.length === 0
      ? [parts[0]?.name.name ?? ""]
      : from.map((path) => fillHoles(env, path, new Map(places)));
  return own.map((text) => joinPath(env.frame.paramPath, text));
}

/** The tensors of a parameter that is gathered along axes, row-major. */
function piecesOf(
  env: Env,
  definition: ParamDefinition,
  gathered: readonly GatheredAxis[],
  { shape }: Layout,
): Pieces {
  let places: readonly (readonly (readonly [string, string])[])[] = [[]];
  for (const { name, size } of gathered)
    places = places.flatMap((outer) =>
      Array.from({ length: size }, (_, k) => [...outer, [name, String(k)] as const]),
    );
  const tensors = places.map((place) => {
    const sources = sourcesOf(env, definition, place);
    return { name: sources[0] ?? "", sources };
  });
  return { shape: shape.slice(gathered.length), tensors };
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

/** The axes that a tensor is gathered along, then its axes as stored, `_` being the stack axis, and its shape in the file: one size a slot. */
function resolveLayout(
  env: Env,
  definition: ParamDefinition,
  stack: AxisId | undefined,
  gathered: readonly GatheredAxis[],
): Layout | undefined {
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
  const outer = gathered.map((each) => each.slot);
  const ordered = [...outer, ...definition.axes.slots.filter((each) => !outer.includes(each))];
  const slots = ordered.map(slot);
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
  pieces: Pieces | undefined,
): ParamId | undefined {
  const { builder, tensors } = env.elaboration;
  const [name = ""] = sources;
  const shape = `[${(pieces?.shape ?? layout.shape).join(", ")}]`;
  const key = (): string => JSON.stringify([layout, definition.scalar, pieces]);
  const names = pieces?.tensors.map((tensor) => tensor.name) ?? [name];
  const taken = names.find((each) => tensors.has(each));
  const known = taken === undefined ? undefined : tensors.get(taken);
  if (known !== undefined && known.key() === key()) return known.param;
  if (known !== undefined) {
    report(env, tensorShape(definition.span, taken ?? name, shape, known.shape, known.span));
    return undefined;
  }
  const plain = layout.slots.length === layout.shape.length;
  const param: Omit<Param, "id"> = {
    name,
    sources,
    layout: layout.slots,
    ...(pieces && { pieces }),
    ...(plain ? {} : { shape: layout.shape }),
    scalar: definition.scalar === "complex" ? "c64" : "f32",
    spans: origin(env, definition.span).spans,
  };
  const id = builder.param(param);
  for (const each of names) tensors.set(each, { param: id, key, shape, span: definition.span });
  return id;
}
