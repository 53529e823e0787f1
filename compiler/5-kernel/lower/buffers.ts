/** What a kernel's bindings stand for, before memory is planned: tensors with a layout. */
import type { Activations, Dim, Storage } from "../../../runtime/bundle-format.js";
import { identifier, valueName } from "./names.js";
import { carriedAxes } from "./documents.js";
import { InternalError } from "../../diagnostics/internal-error.js";
import { planBanks, type Bank, type Banks } from "./banks.js";
import type { StorageOrder } from "../../4-passes/storage-order.js";
import { alignedBegin, bytesOfCodes, bytesOfElements, isHalf, isQuantized } from "./element-layout.js";
import type { AxisId, Graph, NodeId, ScalarType, Size, StateId } from "../../3-graph/types.js";

/** One dimension of a layout: an axis, or a literal size that no axis names. */
export interface Extent {
  readonly axis?: AxisId;
  readonly size: Dim;
}

export type BufferRef =
  | { readonly kind: "param"; readonly name: string }
  /** A value stored between kernels of one program. */
  | { readonly kind: "value"; readonly node: NodeId }
  /** What a group's kernels keep for each other: a chunked scan's local states, a statement's result. */
  | { readonly kind: "own"; readonly group: number; readonly id: string }
  | { readonly kind: "input"; readonly name: string }
  | { readonly kind: "output"; readonly name: string }
  | { readonly kind: "state"; readonly state: string }
  | { readonly kind: "next"; readonly state: string };

/** A tensor in memory: row-major in the order of `layout`; complex numbers and angles take two places. */
export interface Tensor {
  readonly ref: BufferRef;
  /** A WGSL-safe name from the source, without layer numbers. */
  readonly name: string;
  readonly layout: readonly Extent[];
  /** Whether an element is two f32: a complex number, or an angle. */
  readonly complex: boolean;
  readonly element: Storage | "u32";
  /** Whether nothing but the kernel that writes it reads it. */
  readonly inside?: true;
  /** Where it shares its buffer with others of its shape: which of how many it is. */
  readonly joint?: { readonly index: number; readonly count: number };
  /** How it lies in several buffers, where it is larger than one binding may be. */
  readonly banks?: Banks;
  /** A part of such a tensor, in a buffer of its own. */
  readonly bank?: Bank;
}

/** One of a tensor's banks, as a tensor of its own rows. */
export function bankOf(tensor: Tensor, index: number): Tensor {
  const { banks, ...whole } = tensor;
  const [first, end] = [banks?.starts[index], banks?.starts[index + 1]];
  if (banks === undefined || first === undefined || end === undefined)
    throw new InternalError("lower", `${tensor.name} has no bank ${index}`);
  const begin = alignedBegin(tensor.element, first * banks.row);
  const rows = [{ size: end - first }, ...tensor.layout.slice(banks.leading)];
  const isAligned = begin === first * banks.row;
  return {
    ...whole,
    layout: isAligned ? rows : [{ size: end * banks.row - begin }],
    bank: { index, begin },
  };
}

export const isPair = (scalar: ScalarType | undefined): boolean => scalar === "c64" || scalar === "angle";

export const bufferCount = ({ banks }: Tensor): number => (banks === undefined ? 1 : banks.starts.length - 1);

/** Equal for tensors in one buffer. */
export const bufferKey = ({ ref, bank }: Tensor): string =>
  bank === undefined ? refKey(ref) : `${refKey(ref)} ${bank.index}`;

export function refKey(ref: BufferRef): string {
  switch (ref.kind) {
    case "value":
      return `value ${ref.node}`;
    case "own":
      return `own ${ref.group} ${ref.id}`;
    case "state":
    case "next":
      return `${ref.kind} ${ref.state}`;
    case "param":
    case "input":
    case "output":
      return `${ref.kind} ${ref.name}`;
  }
}

export const dimOf = (size: Size): Dim => (typeof size === "number" ? size : size.runtime);

export function axisSize(graph: Graph, axis: AxisId): Dim {
  const found = graph.axes.get(axis);
  if (found === undefined) throw new InternalError("lower", `no axis ${axis}`);
  return dimOf(found.size);
}

export function constantSize(graph: Graph, axis: AxisId): number {
  const size = axisSize(graph, axis);
  if (typeof size !== "number") throw new InternalError("lower", `axis ${axis} has a run-time size`);
  return size;
}

/** The product of dims, with constants folded into one factor. */
export function product(dims: readonly Dim[]): Dim {
  const constant = dims.reduce<number>((p, d) => (typeof d === "number" ? p * d : p), 1);
  const runtime = dims.filter((d) => typeof d !== "number");
  const [first, ...rest] = constant === 1 && runtime.length > 0 ? runtime : [...runtime, constant];
  return rest.reduce<Dim>((p, d) => ["*", p, d], first ?? 1);
}

/** Elements of a tensor, complex counted twice; without those that share its buffer. */
export function elements(tensor: Tensor): Dim {
  return product([...tensor.layout.map((extent) => extent.size), tensor.complex ? 2 : 1]);
}

/** Bytes of a tensor's buffer; packed storage is rounded up to whole words. */
export function bytes(tensor: Tensor): Dim {
  const count = product([elements(tensor), tensor.joint?.count ?? 1]);
  if (typeof count === "number" && (tensor.ref.kind === "param" || !isHalf(tensor.element)))
    return bytesOfElements(tensor.element, count);
  if (typeof count === "number") return 8 * Math.ceil(count / 4);
  if (tensor.element === "f32" || tensor.element === "u32") return product([count, 4]);
  if (isQuantized(tensor.element))
    throw new InternalError("lower", `${tensor.name} is quantized, and has no constant size`);
  // Outputs are written by fours, which may pass the last element.
  return hasWholeFours(tensor) ? product([count, 2]) : ["*", ["^/", count, 4], 8];
}

/** Whether however many elements there are fill whole words, of four elements. */
const hasWholeFours = ({ layout }: Tensor): boolean =>
  layout.some(({ size }) => typeof size === "number" && size % 4 === 0);

/** Of a quantized tensor the word from which on its buffer holds scales. */
export function scalesOf(tensor: Tensor): { readonly scales?: number } {
  if (!isQuantized(tensor.element)) return {};
  const count = elements(tensor);
  if (typeof count !== "number") throw new InternalError("lower", `${tensor.name} has no constant size`);
  return { scales: bytesOfCodes(tensor.element, count) / 4 };
}

export interface TensorOptions {
  readonly storage: (param: string) => Storage;
  /** What the model's inputs are; its outputs and values are decided on later (storage.ts). Default: f32. */
  readonly activations?: Activations;
  readonly joint?: ReadonlyMap<NodeId, readonly NodeId[]>;
  /** Of values whose axes do not lie in canonical order. */
  readonly order?: StorageOrder;
  /** Constant tensors of more bytes lie in banks. */
  readonly bindingBytes: number;
  /** Whether outputs are constants too: those of the load program. */
  readonly loads?: boolean;
}

/** The tensors of a graph: where every value, parameter, input, output and state lies, if it is in memory. */
export class Tensors {
  private readonly joint: ReadonlyMap<NodeId, readonly NodeId[]>;
  /** Every reader of a tensor asks for it. */
  private readonly values = new Map<NodeId, Tensor>();
  private readonly params = new Map<number, Tensor>();

  constructor(
    private readonly graph: Graph,
    private readonly options: TensorOptions,
  ) {
    this.joint = options.joint ?? new Map();
  }

  private inBanks(tensor: Tensor): Tensor {
    const sizes = tensor.layout.flatMap(({ size }) => (typeof size === "number" ? [size] : []));
    if (sizes.length < tensor.layout.length || tensor.joint !== undefined) return tensor;
    const { element, complex } = tensor;
    const banks = planBanks(sizes, { element, parts: complex ? 2 : 1 }, this.options.bindingBytes);
    return banks === undefined ? tensor : { ...tensor, banks };
  }

  private extents(axes: readonly AxisId[]): readonly Extent[] {
    return axes.map((axis) => ({ axis, size: axisSize(this.graph, axis) }));
  }

  value(id: NodeId): Tensor {
    const known = this.values.get(id) ?? this.makeValue(id);
    this.values.set(id, known);
    return known;
  }

  private makeValue(id: NodeId): Tensor {
    const node = this.graph.nodes[id];
    if (node === undefined) throw new InternalError("lower", `no node %${id}`);
    const together = this.joint.get(id) ?? [id];
    return this.inBanks({
      ...(together.length > 1 && { joint: { index: together.indexOf(id), count: together.length } }),
      ref: { kind: "value", node: together[0] ?? id },
      name: valueName(this.graph, id),
      layout: this.extents(this.options.order?.get(id) ?? node.type.axes),
      complex: isPair(node.type.scalar),
      element: node.type.scalar === "index" || node.type.scalar === "bool" ? "u32" : "f32",
    });
  }

  param(index: number): Tensor {
    const known = this.params.get(index) ?? this.makeParam(index);
    this.params.set(index, known);
    return known;
  }

  private makeParam(index: number): Tensor {
    const param = this.graph.params[index];
    if (param === undefined) throw new InternalError("lower", `no param #${index}`);
    return this.inBanks({
      ref: { kind: "param", name: param.name },
      name: identifier(param.name, 2),
      layout: param.layout.map((slot) => ({ ...(slot.axis && { axis: slot.axis }), size: slot.size })),
      complex: param.scalar === "c64",
      element: param.derived === true ? "f32" : this.options.storage(param.name),
    });
  }

  input(name: string): Tensor {
    const input = this.graph.inputs.find((i) => i.name === name);
    if (input === undefined) throw new InternalError("lower", `no input ${name}`);
    return {
      ref: { kind: "input", name },
      name: identifier(name),
      layout: this.extents(input.axes),
      complex: false,
      element: input.scalar === "index" ? "u32" : (this.options.activations ?? "f32"),
    };
  }

  output(name: string): Tensor {
    const output = this.graph.outputs.find((o) => o.name === name);
    if (output === undefined) throw new InternalError("lower", `no output ${name}`);
    const complex = isPair(this.graph.nodes[output.value]?.type.scalar);
    const tensor: Tensor = {
      ref: { kind: "output", name },
      name: identifier(name),
      layout: this.extents(output.axes),
      complex,
      element: output.bound === undefined ? "f32" : "u32",
    };
    return this.options.loads === true ? this.inBanks(tensor) : tensor;
  }

  state(id: StateId, which: "state" | "next"): Tensor {
    const state = this.graph.states[id];
    if (state === undefined) throw new InternalError("lower", `no state #${id}`);
    const name = identifier(state.name);
    return {
      ref: { kind: which, state: state.name },
      name: which === "state" ? `${name}_before` : `${name}_after`,
      layout: this.extents(carriedAxes(state)),
      complex: isPair(state.scalar),
      element: "f32",
    };
  }
}
