/**
 * Where constant data lies: a GPU buffer for each parameter and each load-time result that a kernel binds alone, and one
 * for each set of small constants that a kernel binds side by side.
 */
import { InternalError } from "../diagnostics/internal-error.js";
import type { BoundBuffer } from "../5-kernel/lower/scope.js";
import { bytes, type Tensor } from "../5-kernel/lower/buffers.js";
import type { BufferRange, ConstantBufferEntry } from "../../runtime/bundle-format.js";

export interface Place {
  readonly id: string;
  readonly offset: number;
  readonly bytes: number;
}

export class ConstantPlan {
  private readonly buffers = new Map<string, ConstantBufferEntry>();
  /** Every place of a load-time result: a load program writes it to each. */
  private readonly derivedPlaces = new Map<string, Place[]>();
  private packs = 0;

  /**
   * `derived`: the names of load-time results; all other parameters come from the checkpoint. `pieces`: the tensors of
   * parameters that are made of several, of one size each.
   */
  constructor(
    private readonly derived: ReadonlySet<string>,
    private readonly pieces: ReadonlyMap<string, readonly string[]> = new Map(),
  ) {}

  /** The range that a kernel's binding of constants covers. */
  range(buffer: BoundBuffer): BufferRange {
    return buffer.kind === "pack" ? this.pack(buffer) : this.single(buffer.tensor);
  }

  single(tensor: Tensor): BufferRange {
    const name = nameOf(tensor);
    const size = sizeOf(tensor);
    if (!this.buffers.has(name)) {
      this.buffers.set(name, { id: name, bytes: size, params: this.fill([{ tensor, offset: 0 }], name) });
    }
    return { in: "constant", id: name, offset: 0, bytes: size };
  }

  private pack(buffer: BoundBuffer & { kind: "pack" }): BufferRange {
    const names = buffer.tensors.map(({ tensor }) => nameOf(tensor));
    const key = JSON.stringify(names);
    const size = buffer.size * 4;
    let entry = this.buffers.get(key);
    if (entry === undefined) {
      const id = `constants.${this.packs++}`;
      const places = buffer.tensors.map(({ tensor, offset }) => ({ tensor, offset: offset * 4 }));
      entry = { id, bytes: size, params: this.fill(places, id) };
      this.buffers.set(key, entry);
    }
    return { in: "constant", id: entry.id, offset: 0, bytes: size };
  }

  private fill(
    tensors: readonly { readonly tensor: Tensor; readonly offset: number }[],
    id: string,
  ): ConstantBufferEntry["params"] {
    return tensors.flatMap(({ tensor, offset }) => {
      const param = nameOf(tensor);
      const tensors = this.pieces.get(param);
      if (tensors !== undefined)
        return tensors.map((name, k) => ({
          param: name,
          offset: offset + (k * sizeOf(tensor)) / tensors.length,
        }));
      if (!this.derived.has(param)) return [{ param, offset }];
      const places = this.derivedPlaces.get(param) ?? [];
      places.push({ id, offset, bytes: sizeOf(tensor) });
      this.derivedPlaces.set(param, places);
      return [];
    });
  }

  /** Where the load program writes a result. */
  placesOf(derived: string): readonly Place[] {
    return this.derivedPlaces.get(derived) ?? [];
  }

  entries(): readonly ConstantBufferEntry[] {
    return [...this.buffers.values()];
  }
}

function nameOf(tensor: Tensor): string {
  if (tensor.ref.kind !== "param") throw new InternalError("emit", `${tensor.name} is no parameter`);
  return tensor.ref.name;
}

function sizeOf(tensor: Tensor): number {
  const size = bytes(tensor);
  if (typeof size !== "number")
    throw new InternalError("emit", `the parameter ${tensor.name} has no constant size`);
  return Math.ceil(size / 4) * 4;
}
