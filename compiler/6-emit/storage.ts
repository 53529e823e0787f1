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
  const sizes = new Map(
    [...model.params, ...(load?.params ?? [])].map((param) => [
      param.name,
      param.layout.reduce((product, { size }) => product * size, 1),
    ]),
  );
  return (param) => ((sizes.get(param) ?? 0) <= SMALL_PARAMETER ? "f32" : (storage[param] ?? weights));
}
