/**
 * Where constant data lies: a GPU buffer for each parameter and each load-time result that a kernel binds alone (or for
 * each bank of one that is too large), and one for each set of small constants that a kernel binds side by side.
 */
import { InternalError } from "../diagnostics/internal-error.js";
import type { BoundBuffer } from "../5-kernel/lower/scope.js";
import { elements, type Tensor } from "../5-kernel/lower/buffers.js";
import {
  bytesOfCodes,
  bytesOfElement,
  bytesOfElements,
  isQuantized,
  scaleOffset,
} from "../5-kernel/lower/element-layout.js";
import type { BufferRange, ConstantBufferEntry } from "../../runtime/bundle-format.js";

export interface Place {
  readonly id: string;
  readonly offset: number;
  readonly bytes: number;
}

/** The tensors of a checkpoint that make up one parameter, each with so many elements. */
export interface PieceNames {
  readonly names: readonly string[];
  readonly elements: number;
}

export class ConstantPlan {
  private readonly buffers = new Map<string, ConstantBufferEntry>();
  /** Every place of a load-time result, or of a bank of it: a load program writes it to each. */
  private readonly derivedPlaces = new Map<string, Place[]>();
  private packs = 0;

  /**
   * `derived`: the names of load-time results; all other parameters come from the checkpoint. `pieces`: the tensors of
   * parameters that are made of several.
   */
  constructor(
    private readonly derived: ReadonlySet<string>,
    private readonly pieces: ReadonlyMap<string, PieceNames> = new Map(),
  ) {}

  /** The range that a kernel's binding of constants covers. */
  range(buffer: BoundBuffer): BufferRange {
    return buffer.kind === "pack" ? this.pack(buffer) : this.single(buffer.tensor);
  }

  single(tensor: Tensor): BufferRange {
    const id = idOf(tensor);
    const size = sizeOf(tensor);
    if (!this.buffers.has(id)) {
      this.buffers.set(id, { id, bytes: size, params: this.fill([{ tensor, offset: 0 }], id) });
    }
    return { in: "constant", id, offset: 0, bytes: size };
  }

  private pack(buffer: BoundBuffer & { kind: "pack" }): BufferRange {
    const names = buffer.tensors.map(({ tensor }) => nameOf(tensor));
    const key = JSON.stringify(names);
    const width = Math.max(...buffer.tensors.map(({ tensor }) => bytesOfElement(tensor.element)));
    const size = buffer.size * width;
    let entry = this.buffers.get(key);
    if (entry === undefined) {
      const id = `constants.${this.packs++}`;
      const places = buffer.tensors.map(({ tensor, offset }) => ({ tensor, offset: offset * width }));
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
      if (!this.derived.has(nameOf(tensor))) return this.copied(tensor, offset);
      const places = this.derivedPlaces.get(idOf(tensor)) ?? [];
      places.push({ id, offset, bytes: sizeOf(tensor) });
      this.derivedPlaces.set(idOf(tensor), places);
      return [];
    });
  }

  /** What of which of the checkpoint's tensors a constant consists of. */
  private copied(tensor: Tensor, offset: number): ConstantBufferEntry["params"] {
    const pieces = this.pieces.get(nameOf(tensor));
    const codes = offset + bytesOfCodes(tensor.element, elementsOf(tensor));
    const scales = (from: number): { readonly scales?: number } =>
      isQuantized(tensor.element) ? { scales: codes + scaleOffset(from) } : {};
    const begin = (tensor.bank?.begin ?? 0) * (tensor.complex ? 2 : 1);
    const end = begin + elementsOf(tensor);
    if (pieces === undefined) {
      const part = tensor.bank === undefined ? {} : { begin, count: end - begin };
      return [{ param: nameOf(tensor), offset, ...scales(0), ...part }];
    }
    return pieces.names.flatMap((param, k) => {
      const from = k * pieces.elements;
      const [first, last] = [Math.max(begin, from), Math.min(end, from + pieces.elements)];
      if (first >= last) return [];
      const part = last - first < pieces.elements ? { begin: first - from, count: last - first } : {};
      const at = bytesOfCodes(tensor.element, first - begin);
      return [{ param, offset: offset + at, ...scales(first - begin), ...part }];
    });
  }

  /** Where the load program writes a result, or a bank of one. */
  placesOf(result: Tensor): readonly Place[] {
    // A bank that no kernel reads is written along with those that some do.
    if (!this.derivedPlaces.has(idOf(result)) && result.bank !== undefined) this.single(result);
    return this.derivedPlaces.get(idOf(result)) ?? [];
  }

  entries(): readonly ConstantBufferEntry[] {
    return [...this.buffers.values()];
  }
}

function nameOf({ ref, name }: Tensor): string {
  if (ref.kind !== "param" && ref.kind !== "output")
    throw new InternalError("emit", `${name} is no constant`);
  return ref.name;
}

/** The buffer of a constant that is bound alone. */
const idOf = (tensor: Tensor): string =>
  tensor.bank === undefined ? nameOf(tensor) : `${nameOf(tensor)}#${tensor.bank.index}`;

function elementsOf(tensor: Tensor): number {
  const count = elements(tensor);
  if (typeof count !== "number")
    throw new InternalError("emit", `the constant ${tensor.name} has no constant size`);
  return count;
}

const sizeOf = (tensor: Tensor): number => bytesOfElements(tensor.element, elementsOf(tensor));
