/** How parameters are stored on the device. */
import type { Programs } from "../4-passes/index.js";
import { isQuantized } from "../5-kernel/lower/element-layout.js";
import type { Storage } from "../../runtime/bundle-format.js";
import { quantizable } from "./quantizable.js";

/** Small parameters are always kept in f32: widening is exact, they cost nothing, and they can share bindings. */
const SMALL_PARAMETER = 8_192;

export function storageOf(
  { model, load, prefill }: Programs,
  options: { readonly weights?: Storage; readonly storage?: Readonly<Record<string, Storage>> },
): (param: string) => Storage {
  const { weights = "f32", storage = {} } = options;
  const params = new Map([...model.params, ...(load?.params ?? [])].map((param) => [param.name, param]));
  const matrices = quantizable(model, prefill);
  return (name) => {
    const param = params.get(name);
    const size = param?.layout.reduce((product, slot) => product * slot.size, 1) ?? 0;
    const pieces = param?.pieces?.tensors ?? [];
    // A checkpoint may have the tensor under any of its names.
    const names = pieces[0]?.sources ?? param?.sources ?? [name];
    const named = names.map((source) => storage[source]).find((known) => known !== undefined);
    const wanted = named ?? weights;
    if (isQuantized(wanted)) {
      // What is no matrix keeps its values, which f32 has of every type.
      const large = size > SMALL_PARAMETER || named !== undefined;
      return large && matrices.has(name) ? wanted : "f32";
    }
    // Packed elements come in pairs: every piece must begin with a whole word.
    const whole = pieces.length === 0 || (size / pieces.length) % 2 === 0;
    return size <= SMALL_PARAMETER || !whole ? "f32" : wanted;
  };
}
