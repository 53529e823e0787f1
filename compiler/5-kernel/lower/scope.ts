/** One kernel under construction: its expressions, its bindings and what they stand for. */
import type { Dim } from "../../../runtime/bundle-format.js";
import { InternalError } from "../../diagnostics/internal-error.js";
import { ExprBuilder } from "../expr.js";
import type { Binding, Expr, Store } from "../types.js";
import { elements, refKey, type BufferRef, type Tensor } from "./buffers.js";

/** A binding of a finished kernel: one tensor, or several small constants side by side. */
export type BoundBuffer =
  | { readonly kind: "tensor"; readonly tensor: Tensor }
  | {
      readonly kind: "pack";
      readonly tensors: readonly { readonly tensor: Tensor; readonly offset: number }[];
      readonly size: number;
    };

/** A scalar of the graph: real, or the two parts of a complex one. */
export interface Value {
  readonly re: Expr;
  readonly im?: Expr;
}

/** Elements: 256 bytes, so that the load program can bind any member of a pack alone. */
const PACK_ALIGNMENT = 64;

/** Tensors side by side in one, each from its offset in elements. */
export interface Copies {
  readonly tensor: Tensor;
  readonly sources: readonly { readonly tensor: Tensor; readonly offset: Dim }[];
}

export class KernelScope {
  readonly expr = new ExprBuilder();
  private readonly bindings = new Map<string, Binding & { readonly buffer: BoundBuffer }>();
  private readonly byTensor = new Map<string, string>();
  private readonly offsets = new Map<string, Dim>();

  /** `packed`: constants that share one binding, in this order. `copies`: tensors that are read from one that holds them all. */
  constructor(packed: readonly Tensor[] = [], copies?: Copies) {
    if (copies !== undefined) this.bindCopies(copies);
    if (packed.length === 0) return;
    let size = 0;
    const tensors = packed.map((tensor) => {
      const offset = size;
      const count = elements(tensor);
      if (typeof count !== "number") throw new InternalError("lower", `${tensor.name} has no constant size`);
      size = Math.ceil((offset + count) / PACK_ALIGNMENT) * PACK_ALIGNMENT;
      this.byTensor.set(refKey(tensor.ref), "constants");
      this.offsets.set(refKey(tensor.ref), offset);
      return { tensor, offset };
    });
    this.bindings.set("constants", {
      name: "constants",
      access: "read",
      element: "f32",
      buffer: { kind: "pack", tensors, size },
    });
  }

  private bindCopies({ tensor, sources }: Copies): void {
    for (const source of sources) {
      this.byTensor.set(refKey(source.tensor.ref), tensor.name);
      this.offsets.set(refKey(source.tensor.ref), source.offset);
    }
    this.bindings.set(tensor.name, {
      name: tensor.name,
      access: "read",
      element: tensor.element,
      buffer: { kind: "tensor", tensor },
    });
  }

  private bind(tensor: Tensor, access: Binding["access"]): string {
    const key = refKey(tensor.ref);
    const known = this.byTensor.get(key);
    const bound = known === undefined ? undefined : this.bindings.get(known);
    if (known !== undefined && bound !== undefined) {
      if (access === "read_write" && bound.access === "read") this.bindings.set(known, { ...bound, access });
      return known;
    }
    let name = tensor.name;
    for (let k = 2; this.bindings.has(name); k++) name = `${tensor.name}_${k}`;
    this.bindings.set(name, { name, access, element: tensor.element, buffer: { kind: "tensor", tensor } });
    this.byTensor.set(key, name);
    return name;
  }

  /** The element at the coordinates of `layout`, in its order. */
  load(tensor: Tensor, coordinates: readonly Expr[]): Value {
    const binding = this.bind(tensor, "read");
    const index = this.index(tensor, coordinates);
    const type = tensor.element === "u32" ? "u32" : "f32";
    if (!tensor.complex) return { re: this.expr.load(binding, index, type) };
    const at = this.expr.mul(index, 2);
    return { re: this.expr.load(binding, at, type), im: this.expr.load(binding, this.expr.add(at, 1), type) };
  }

  /** Stores one element (two for a complex one). */
  store(tensor: Tensor, coordinates: readonly Expr[], value: Value, when?: Expr): readonly Store[] {
    const binding = this.bind(tensor, "read_write");
    const index = this.index(tensor, coordinates);
    const always = when === undefined || (when.kind === "literal" && when.value === 1);
    const guard = always ? {} : { when };
    if (!tensor.complex) return [{ binding, index, value: this.asStored(value.re, tensor), ...guard }];
    const at = this.expr.mul(index, 2);
    return [
      { binding, index: at, value: value.re, ...guard },
      { binding, index: this.expr.add(at, 1), value: value.im ?? this.expr.f32(0), ...guard },
    ];
  }

  /** Truths lie in memory as 0 and 1, whole numbers without a sign. */
  private asStored(value: Expr, { element }: Tensor): Expr {
    if (element !== "u32" || value.type === "u32") return value;
    return value.type === "bool" ? this.expr.select(value, 1, 0) : this.expr.op("u32", value);
  }

  private index(tensor: Tensor, coordinates: readonly Expr[]): Expr {
    const flat = this.expr.flatten(
      tensor.layout.map((extent, k) => ({ value: coordinates[k] ?? this.expr.u32(0), extent: extent.size })),
    );
    if (tensor.joint !== undefined)
      return this.expr.add(flat, this.expr.mul(this.expr.dim(elements(tensor)), tensor.joint.index));
    const offset = this.offsets.get(refKey(tensor.ref)) ?? 0;
    if (offset === 0) return flat;
    // Offsets count parts, the index of a complex element counts pairs.
    return this.expr.add(flat, this.expr.dim(tensor.complex ? ["/", offset, 2] : offset));
  }

  finish(): { readonly bindings: readonly Binding[]; readonly buffers: readonly BoundBuffer[] } {
    const all = [...this.bindings.values()];
    return { bindings: all.map(({ buffer: _, ...binding }) => binding), buffers: all.map((b) => b.buffer) };
  }

  /** The tensors bound so far. */
  bound(): readonly {
    readonly ref: BufferRef;
    readonly tensor: Tensor;
    readonly access: Binding["access"];
  }[] {
    return [...this.bindings.values()].flatMap((b) =>
      b.buffer.kind === "tensor"
        ? [{ ref: b.buffer.tensor.ref, tensor: b.buffer.tensor, access: b.access }]
        : [],
    );
  }
}
