/**
 * Kernels within the target's bindings: where a kernel needs more of them than there are, its small constants lie side by
 * side in one buffer (docs/decisions/0005), and small inputs are copied into one by kernels before it.
 */
import type { Dim } from "../../../runtime/bundle-format.js";
import type { Kernel } from "../types.js";
import { elements, type Tensor } from "./buffers.js";
import type { LowerContext, LoweredKernel } from "./context.js";
import { KernelScope, packedPlaces, type BoundBuffer, type ScopeOptions } from "./scope.js";

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

/**
 * What was built, if it keeps to the target's storage bindings; else its small constants are packed side by side into one,
 * smallest first, and it is built again. What is still too much is copied side by side by kernels before it.
 */
export function fewerBindings(
  context: LowerContext,
  first: Attempted,
  options: ScopeOptions = {},
): LoweredKernel {
  const { build } = first;
  const { maxBindings, bindingBytes } = context.schedules;
  const lowered = ({ kernel, buffers }: Attempted): LoweredKernel => ({ kernel, buffers });
  const excess = first.buffers.length - maxBindings;
  if (excess <= 0) return lowered(first);
  const constants = first.scope
    .bound()
    .filter(isPacked)
    .map(({ tensor }) => tensor)
    .sort((p, q) => fixedSize(p) - fixedSize(q));
  const together = fitting(constants.slice(0, excess + 1), bindingBytes);
  const packed = together.length < 2 ? [] : together;
  const made = packed.length === 0 ? first : attempt(build, { ...options, packed });
  const more = made.buffers.length - maxBindings;
  if (more <= 0) return lowered(made);
  const copied = made.scope
    .bound()
    .filter(isCopied)
    .sort((p, q) => fixedSize(p.tensor) - fixedSize(q.tensor));
  if (copied.length < 2) return lowered(made);
  return withCopies(context, build, made.kernel.name, { ...options, packed }, copied.slice(0, more + 1));
}

type Bound = ReturnType<KernelScope["bound"]>[number];

const isPacked = ({ tensor, access }: Bound): boolean =>
  tensor.ref.kind === "param" && tensor.element === "f32" && tensor.bank === undefined && access === "read";

/** The first of the tensors that lie in one binding together. */
function fitting(tensors: readonly Tensor[], bindingBytes: number): readonly Tensor[] {
  const places = packedPlaces(tensors);
  const end = places.findIndex(({ end }) => 4 * end > bindingBytes);
  return end < 0 ? tensors : tensors.slice(0, end);
}

const isCopied = ({ tensor, access }: Bound): boolean =>
  (tensor.ref.kind === "input" || tensor.ref.kind === "value") &&
  tensor.element === "f32" &&
  tensor.joint === undefined &&
  tensor.bank === undefined &&
  !tensor.complex &&
  access === "read";

const fixedSize = (tensor: Tensor): number =>
  tensor.layout.reduce((p, extent) => p * (typeof extent.size === "number" ? extent.size : 1), 1);

/** The kernel built anew, reading some tensors from copies that lie in one buffer, and the kernels that copy. */
function withCopies(
  context: LowerContext,
  build: Attempt,
  name: string,
  options: ScopeOptions,
  copied: readonly Bound[],
): LoweredKernel {
  let size: Dim = 0;
  const sources = copied.map(({ tensor }) => {
    const offset = size;
    size = size === 0 ? elements(tensor) : ["+", size, elements(tensor)];
    return { tensor, offset };
  });
  const together: Tensor = {
    ref: { kind: "own", group: context.group ?? -1, id: `inputs.${name}` },
    name: "inputs",
    layout: [{ size }],
    complex: false,
    element: "f32",
  };
  const before = sources.map(({ tensor, offset }): LoweredKernel => {
    const scope = new KernelScope();
    const e = scope.expr;
    const extent = elements(tensor);
    const at = e.variable("i", "u32", extent);
    const flat: Tensor = { ...tensor, layout: [{ size: extent }], complex: false };
    const stores = scope.store(together, [e.add(at, e.dim(offset))], scope.load(flat, [at]));
    const kernel: Kernel = {
      name: `${tensor.name}_beside`,
      notes: [],
      skeleton: "map",
      bindings: scope.finish().bindings,
      domain: [{ var: "i", extent }],
      stores: [...stores],
      schedule: context.schedules.map(),
    };
    return { kernel, buffers: scope.finish().buffers };
  });
  const copies = { tensor: together, sources };
  const { kernel, buffers } = attempt(build, { ...options, copies });
  return { kernel, buffers, before };
}
