/**
 * Kernels within the target's bindings (docs/decisions/0005, 0012). Where a kernel needs more of them than there are, tensors
 * of one element type lie side by side in one binding: constants from when weights are loaded; then what it reads,
 * copied there by kernels before it; then what it writes, copied from there by kernels after it. Five bindings are enough for
 * any kernel whose constants fit in as many as are left.
 */
import type { Dim } from "../../../runtime/bundle-format.js";
import type { Kernel } from "../types.js";
import { elements, type Tensor } from "./buffers.js";
import { bytesOfElements, isHalf, isQuantized } from "./element-layout.js";
import type { LowerContext, LoweredKernel } from "./context.js";
import { KernelScope, packedPlaces, type BoundBuffer, type Joined, type ScopeOptions } from "./scope.js";

/** The lowering of one group in a scope: its kernel, whose expressions and bindings the scope has. */
export type Attempt = (scope: KernelScope) => Kernel;

export interface Attempted {
  readonly build: Attempt;
  readonly scope: KernelScope;
  readonly kernel: Kernel;
  readonly buffers: readonly BoundBuffer[];
}

export function attempt(build: Attempt, options: ScopeOptions = {}): Attempted {
  const scope = new KernelScope(options);
  const kernel = build(scope);
  return { build, scope, kernel, buffers: scope.finish().buffers };
}

/** A kernel; if it needs more storage bindings than the target has, built anew with fewer. */
export function withinBindings(context: LowerContext, build: Attempt): LoweredKernel {
  return fewerBindings(context, attempt(build));
}

/** Where a kernel is one of several that compute parts of the same results. */
export interface PartOptions extends Pick<ScopeOptions, "window"> {
  /** Which one. What it does not write of a tensor stays as it is. */
  readonly part?: string;
}

/** What was built, if it keeps to the target's storage bindings; else it is built again with tensors side by side, as few as it takes. */
export function fewerBindings(
  context: LowerContext,
  first: Attempted,
  options: PartOptions = {},
): LoweredKernel {
  const { part, ...scoped } = options;
  let made = first;
  let joined: readonly Joined[] = [];
  const before: LoweredKernel[] = [];
  const after: LoweredKernel[] = [];
  for (const relief of RELIEFS) {
    const excess = made.buffers.length - context.schedules.maxBindings;
    if (excess <= 0) break;
    const found = relief(context, made, excess, part);
    if (found.joined.length === 0) continue;
    joined = [...joined, ...found.joined];
    before.push(...found.before);
    after.push(...found.after);
    made = attempt(first.build, { ...scoped, joined });
  }
  const { kernel, buffers } = made;
  return { kernel, buffers, ...(before.length > 0 && { before }), ...(after.length > 0 && { after }) };
}

/** Tensors that take one binding from now on, and the kernels that bring them there and back. */
interface Relief {
  readonly joined: readonly Joined[];
  readonly before: readonly LoweredKernel[];
  readonly after: readonly LoweredKernel[];
}

type Relieve = (context: LowerContext, made: Attempted, excess: number, part: string | undefined) => Relief;

/** In the order of what they cost. */
const RELIEFS: readonly Relieve[] = [constantsBeside, inputsBeside, resultsBeside];

type Bound = ReturnType<KernelScope["bound"]>[number];

/** Small constants first: one that two kernels pack differently is stored twice. */
function constantsBeside({ schedules }: LowerContext, { scope }: Attempted, excess: number): Relief {
  const joined: Joined[] = [];
  let left = excess;
  const ofOneType = byElement(scope.bound().filter(isWholeConstant), (element) => element, fixedSize);
  for (const constants of ofOneType) {
    let rest = constants;
    while (left > 0) {
      const together = fitting(rest.slice(0, left + 1), schedules.bindingBytes);
      if (together.length < 2) break;
      joined.push(packed(together));
      rest = rest.slice(together.length);
      left -= together.length - 1;
    }
  }
  return { joined, before: [], after: [] };
}

function inputsBeside(
  context: LowerContext,
  { scope, kernel }: Attempted,
  excess: number,
  part: string | undefined,
): Relief {
  const read = scope
    .bound()
    .filter(({ tensor, access }) => access === "read" && tensor.ref.kind !== "param" && isWhole(tensor));
  const found = besides(context, read, excess, `inputs.${idOf(kernel, part)}`);
  const before = found.flatMap(({ members, together }) =>
    members.map(({ tensor, offset }) => copy(context, tensor, { tensor: together, offset }, "beside")),
  );
  return { joined: found.map(({ joined }) => joined), before, after: [] };
}

function resultsBeside(
  context: LowerContext,
  { scope, kernel }: Attempted,
  excess: number,
  part: string | undefined,
): Relief {
  const written = scope.bound().filter(({ tensor, access }) => access === "read_write" && isWhole(tensor));
  const found = besides(context, written, excess, `results.${idOf(kernel, part)}`);
  const places = found.flatMap(({ members, together }) =>
    members
      .filter(({ tensor }) => tensor.inside !== true)
      .map(({ tensor, offset }) => ({ tensor, place: { tensor: together, offset } })),
  );
  return {
    joined: found.map(({ joined }) => joined),
    before:
      part === undefined ? [] : places.map(({ tensor, place }) => copy(context, tensor, place, "beside")),
    after: places.map(({ tensor, place }) => copy(context, place, tensor, "apart")),
  };
}

const idOf = ({ name }: Kernel, part: string | undefined): string =>
  part === undefined ? name : `${name}.${part}`;

/** Whether a tensor lies in one buffer that could be part of another. */
const isWhole = ({ bank, banks }: Tensor): boolean => bank === undefined && banks === undefined;

/** Quantized constants have scales behind them, and stay alone. */
const isWholeConstant = ({ tensor, access }: Bound): boolean =>
  tensor.ref.kind === "param" && isWhole(tensor) && access === "read" && !isQuantized(tensor.element);

/** Bound tensors by how their elements lie in memory, the least first. */
function byElement(
  bound: readonly Bound[],
  keyOf: (element: Tensor["element"]) => Tensor["element"],
  ...measures: ((tensor: Tensor) => number)[]
): readonly (readonly Tensor[])[] {
  const found = new Map<Tensor["element"], Tensor[]>();
  for (const { tensor } of bound) {
    const key = keyOf(tensor.element);
    const same = found.get(key);
    if (same === undefined) found.set(key, [tensor]);
    else same.push(tensor);
  }
  const compare = (p: Tensor, q: Tensor): number =>
    measures.map((measure) => measure(p) - measure(q)).find((difference) => difference !== 0) ?? 0;
  return [...found.values()].map((tensors) => tensors.sort(compare));
}

const fixedSize = (tensor: Tensor): number =>
  tensor.layout.reduce((p, extent) => p * (typeof extent.size === "number" ? extent.size : 1), 1);

const runtimeExtents = (tensor: Tensor): number =>
  tensor.layout.filter(({ size }) => typeof size !== "number").length;

/** The first of the tensors that lie in one binding together. */
function fitting(tensors: readonly Tensor[], bindingBytes: number): readonly Tensor[] {
  const places = packedPlaces(tensors);
  const end = places.findIndex(({ tensor, end }) => bytesOfElements(tensor.element, end) > bindingBytes);
  return end < 0 ? tensors : tensors.slice(0, end);
}

function packed(constants: readonly Tensor[]): Joined {
  const members = packedPlaces(constants);
  const element = constants[0]?.element ?? "f32";
  return {
    name: "constants",
    element,
    members,
    buffer: { kind: "pack", tensors: members, size: members.at(-1)?.end ?? 0 },
  };
}

interface Beside {
  readonly together: Tensor;
  readonly members: Joined["members"];
  readonly joined: Joined;
}

/** As many of the tensors in one each for every element type as it takes to save `excess` bindings, those first that are soonest copied. */
function besides(
  context: LowerContext,
  bound: readonly Bound[],
  excess: number,
  id: string,
): readonly Beside[] {
  const found: Beside[] = [];
  let left = excess;
  for (const tensors of byElement(bound, copied, isCopied, runtimeExtents, fixedSize)) {
    const some = tensors.slice(0, left + 1);
    if (left <= 0 || some.length < 2) continue;
    found.push(beside(context, some, id));
    left -= some.length - 1;
  }
  return found;
}

/** What elements of 16 bits are beside others: copies are written one by one. */
const copied = (element: Tensor["element"]): Tensor["element"] => (isHalf(element) ? "f32" : element);

const isCopied = ({ inside }: Tensor): number => (inside === true ? 0 : 1);

function beside(context: LowerContext, tensors: readonly Tensor[], id: string): Beside {
  const element = copied(tensors[0]?.element ?? "f32");
  let size: Dim = 0;
  // The index of a complex element counts pairs: these begin at even places.
  const members = [...tensors]
    .sort((p, q) => Number(q.complex) - Number(p.complex))
    .map((tensor) => {
      const offset = size;
      const count = wholeOf(tensor);
      size = size === 0 ? count : ["+", size, count];
      return { tensor, offset };
    });
  const name = id.startsWith("inputs") ? "inputs" : "results";
  const together: Tensor = {
    ref: { kind: "own", group: context.group ?? -1, id: `${id}.${element}` },
    name,
    layout: [{ size }],
    complex: false,
    element,
  };
  const joined: Joined = { name, element, members, buffer: { kind: "tensor", tensor: together } };
  return { together, members, joined };
}

/** Elements of a tensor's buffer, with those that share it. */
const wholeOf = (tensor: Tensor): Dim => {
  const { count = 1 } = tensor.joint ?? {};
  const size = elements(tensor);
  return count === 1 ? size : typeof size === "number" ? size * count : ["*", size, count];
};

type Place = { readonly tensor: Tensor; readonly offset: Dim } | Tensor;

/** A kernel that copies a tensor to, or from, where it lies beside others. */
function copy(context: LowerContext, from: Place, to: Place, how: "beside" | "apart"): LoweredKernel {
  const own = "ref" in from ? from : "ref" in to ? to : from.tensor;
  const extent = wholeOf(own);
  const scope = new KernelScope();
  const e = scope.expr;
  const at = e.variable("i", "u32", extent);
  const flat = (place: Place): Tensor => {
    if (!("ref" in place)) return place.tensor;
    const { joint: _, ...tensor } = place;
    return { ...tensor, layout: [{ size: extent }], complex: false };
  };
  const index = (place: Place): typeof at => ("ref" in place ? at : e.add(at, e.dim(place.offset)));
  const stores = scope.store(flat(to), [index(to)], scope.load(flat(from), [index(from)]));
  const kernel: Kernel = {
    name: `${own.name}_${how}`,
    notes: [],
    skeleton: "map",
    bindings: scope.finish().bindings,
    domain: [{ var: "i", extent }],
    stores: [...stores],
    schedule: context.schedules.map(),
  };
  return { kernel, buffers: scope.finish().buffers };
}
