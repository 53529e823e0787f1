/** One kernel under construction: its expressions, its bindings and what they stand for. */
import type { Dim } from "../../../runtime/bundle-format.js";
import { InternalError } from "../../diagnostics/internal-error.js";
import { ExprBuilder } from "../expr.js";
import type { Binding, Expr, Store } from "../types.js";
import type { Banks } from "./banks.js";
import { bankOf, bufferKey, elements, product, scalesOf, type BufferRef, type Tensor } from "./buffers.js";

/** A binding of a finished kernel: one tensor, or several small constants side by side. */
export type BoundBuffer =
  | { readonly kind: "tensor"; readonly tensor: Tensor }
  | {
      readonly kind: "pack";
      readonly tensors: readonly { readonly tensor: Tensor; readonly offset: number }[];
      readonly size: number;
    };

/** A scalar of the graph: real, or the two parts of a complex one or of an angle (angles.ts). */
export interface Value {
  readonly re: Expr;
  readonly im?: Expr;
}

/** Elements: 256 bytes, so that the load program can bind any member of a pack alone. */
const PACK_ALIGNMENT = 64;

/** Constants side by side: where each begins and where the next may, in elements. */
export function packedPlaces(
  tensors: readonly Tensor[],
): readonly { readonly tensor: Tensor; readonly offset: number; readonly end: number }[] {
  let end = 0;
  return tensors.map((tensor) => {
    const offset = end;
    const count = elements(tensor);
    if (typeof count !== "number") throw new InternalError("lower", `${tensor.name} has no constant size`);
    end = Math.ceil((offset + count) / PACK_ALIGNMENT) * PACK_ALIGNMENT;
    return { tensor, offset, end };
  });
}

/** Tensors of one element type side by side in one binding, each from its offset in elements. */
export interface Joined {
  readonly name: string;
  readonly element: Binding["element"];
  readonly members: readonly { readonly tensor: Tensor; readonly offset: Dim }[];
  readonly buffer: BoundBuffer;
}

/** Some of a tensor's banks, first to last: what a kernel binds of one that has too many. */
export interface Window {
  readonly tensor: Tensor;
  readonly first: number;
  readonly last: number;
}

export interface ScopeOptions {
  /** Tensors that share bindings. */
  readonly joined?: readonly Joined[];
  /** Reads outside of it give 0, and nothing is stored for them: another kernel has the other banks. */
  readonly window?: Window;
}

/** An access to a tensor in banks, at a row of it. */
export interface RowAccess {
  readonly tensor: Tensor;
  readonly row: Expr;
}

export class KernelScope {
  readonly expr = new ExprBuilder();
  private readonly bindings = new Map<string, Binding & { readonly buffer: BoundBuffer }>();
  private readonly byTensor = new Map<string, string>();
  private readonly offsets = new Map<string, Dim>();

  private readonly rows: RowAccess[] = [];
  private readonly window: Window | undefined;
  /** Whether what has been read lies in the window. */
  private inWindow: Expr | undefined;

  constructor({ joined = [], window }: ScopeOptions = {}) {
    this.window = window;
    joined.forEach((each) => {
      this.bindJoined(each);
    });
  }

  private bindJoined({ name: wanted, element, members, buffer }: Joined): void {
    const name = this.fresh(wanted);
    for (const { tensor, offset } of members) {
      this.byTensor.set(bufferKey(tensor), name);
      this.offsets.set(bufferKey(tensor), offset);
    }
    this.bindings.set(name, { name, access: "read", element, buffer });
  }

  private fresh(wanted: string): string {
    let name = wanted;
    for (let k = 2; this.bindings.has(name); k++) name = `${wanted}_${k}`;
    return name;
  }

  private bind(tensor: Tensor, access: Binding["access"]): string {
    const key = bufferKey(tensor);
    const known = this.byTensor.get(key);
    const bound = known === undefined ? undefined : this.bindings.get(known);
    if (known !== undefined && bound !== undefined) {
      if (access === "read_write" && bound.access === "read") this.bindings.set(known, { ...bound, access });
      return known;
    }
    const name = this.fresh(tensor.name);
    const binding = { name, access, element: tensor.element, ...scalesOf(tensor) };
    this.bindings.set(name, { ...binding, buffer: { kind: "tensor", tensor } });
    this.byTensor.set(key, name);
    return name;
  }

  /** The element at the coordinates of `layout`, in its order. */
  load(tensor: Tensor, coordinates: readonly Expr[]): Value {
    if (tensor.banks !== undefined) return this.loadBanks(tensor, tensor.banks, coordinates);
    return this.loadAt(tensor, this.index(tensor, coordinates));
  }

  private loadAt(tensor: Tensor, index: Expr): Value {
    const binding = this.bind(tensor, "read");
    const type = tensor.element === "u32" ? "u32" : "f32";
    if (!tensor.complex) return { re: this.expr.load(binding, index, type) };
    const at = this.expr.mul(index, 2);
    return { re: this.expr.load(binding, at, type), im: this.expr.load(binding, this.expr.add(at, 1), type) };
  }

  /** From the bank that has the row. Banks that are known not to have it are not bound. */
  private loadBanks(tensor: Tensor, banks: Banks, coordinates: readonly Expr[]): Value {
    const e = this.expr;
    const row = this.rowOf(tensor, banks, coordinates);
    const index = this.index(tensor, coordinates);
    const window = this.windowOn(tensor);
    const { first, last } = window ?? { first: 0, last: banks.starts.length - 2 };
    const from = (k: number): Value => {
      const below = k === last ? e.bool(true) : e.op("lt", row, e.u32(banks.starts[k + 1] ?? 0));
      if (below.kind === "literal" && below.value === 0) return from(k + 1);
      const bank = bankOf(tensor, k);
      const here = this.loadAt(bank, e.sub(index, bank.bank?.begin ?? 0));
      return below.kind === "literal" ? here : this.choose(below, here, from(k + 1));
    };
    if (window === undefined) return from(first);
    const zero = e.literal(tensor.element === "u32" ? "u32" : "f32", 0);
    this.inWindow = this.between(row, banks.starts[first] ?? 0, banks.starts[last + 1] ?? 0);
    return this.choose(this.inWindow, from(first), { re: zero, ...(tensor.complex && { im: zero }) });
  }

  private windowOn(tensor: Tensor): Window | undefined {
    const { window } = this;
    return window !== undefined && bufferKey(window.tensor) === bufferKey(tensor) ? window : undefined;
  }

  private choose(condition: Expr, yes: Value, no: Value): Value {
    const re = this.expr.select(condition, yes.re, no.re);
    return yes.im === undefined || no.im === undefined
      ? { re }
      : { re, im: this.expr.select(condition, yes.im, no.im) };
  }

  private rowOf(tensor: Tensor, { leading }: Banks, coordinates: readonly Expr[]): Expr {
    const row = this.expr.flatten(
      tensor.layout
        .slice(0, leading)
        .map(({ size }, k) => ({ value: coordinates[k] ?? this.expr.u32(0), extent: size })),
    );
    this.rows.push({ tensor, row });
    return row;
  }

  private between(row: Expr, begin: number, end: number): Expr {
    const e = this.expr;
    return e.op("and", e.op("ge", row, e.u32(begin)), e.op("lt", row, e.u32(end)));
  }

  /** Stores one element (two for a complex one). */
  store(tensor: Tensor, coordinates: readonly Expr[], value: Value, when?: Expr): readonly Store[] {
    const guard = this.both(when, this.inWindow);
    if (tensor.banks !== undefined) return this.storeBanks(tensor, tensor.banks, coordinates, value, guard);
    return this.storeAt(tensor, this.index(tensor, coordinates), value, guard);
  }

  private both(a: Expr | undefined, b: Expr | undefined): Expr | undefined {
    return a === undefined || b === undefined ? (a ?? b) : this.expr.op("and", a, b);
  }

  private storeAt(tensor: Tensor, index: Expr, value: Value, when: Expr | undefined): readonly Store[] {
    if (when?.kind === "literal" && when.value === 0) return [];
    const binding = this.bind(tensor, "read_write");
    const guard = when === undefined || when.kind === "literal" ? {} : { when };
    if (!tensor.complex) return [{ binding, index, value: this.asStored(value.re, tensor), ...guard }];
    const at = this.expr.mul(index, 2);
    return [
      { binding, index: at, value: value.re, ...guard },
      { binding, index: this.expr.add(at, 1), value: value.im ?? this.expr.f32(0), ...guard },
    ];
  }

  private storeBanks(
    tensor: Tensor,
    banks: Banks,
    coordinates: readonly Expr[],
    value: Value,
    when: Expr | undefined,
  ): readonly Store[] {
    const row = this.rowOf(tensor, banks, coordinates);
    const index = this.index(tensor, coordinates);
    return banks.starts.slice(0, -1).flatMap((start, k) => {
      const here = this.between(row, start, banks.starts[k + 1] ?? 0);
      const bank = bankOf(tensor, k);
      return this.storeAt(bank, this.expr.sub(index, bank.bank?.begin ?? 0), value, this.both(when, here));
    });
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
    const each = product(tensor.layout.map(({ size }) => size));
    const within =
      tensor.joint === undefined
        ? flat
        : this.expr.add(flat, this.expr.mul(this.expr.dim(each), tensor.joint.index));
    const offset = this.offsets.get(bufferKey(tensor)) ?? 0;
    if (offset === 0) return within;
    // Offsets count parts, the index of a complex element counts pairs.
    return this.expr.add(within, this.expr.dim(tensor.complex ? ["/", offset, 2] : offset));
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

  /** The accesses to tensors in banks so far. */
  banked(): readonly RowAccess[] {
    return this.rows;
  }
}
