/** How parameters are stored on the device. */
import type { Programs } from "../4-passes/index.js";
import type { Storage } from "../../runtime/bundle-format.js";

/** Small parameters are always kept in f32: widening is exact, they cost nothing, and they can share bindings. */
const SMALL_PARAMETER = 8_192;

export function storageOf(
  { model, load }: Programs,
  options: { readonly weights?: Storage; readonly storage?: Readonly<Record<string, Storage>> },
): (param: string) => Storage {
  const { weights = "f32", storage = {} } = options;
  const params = new Map([...model.params, ...(load?.params ?? [])].map((param) => [param.name, param]));
  return (name) => {
    const param = params.get(name);
    const size = param?.layout.reduce((product, slot) => product * slot.size, 1) ?? 0;
    const pieces = param?.pieces?.tensors ?? [];
    // Packed elements come in pairs: every piece must begin with a whole word.
    const whole = pieces.length === 0 || (size / pieces.length) % 2 === 0;
    if (size <= SMALL_PARAMETER || !whole) return "f32";
    // A checkpoint may have the tensor under any of its names.
    const names = pieces[0]?.sources ?? param?.sources ?? [name];
    return names.map((source) => storage[source]).find((known) => known !== undefined) ?? weights;
  };
}
