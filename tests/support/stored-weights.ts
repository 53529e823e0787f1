/** Parameters from memory in the types that a bundle stores them in: a checkpoint of f32 would be rounded on its way. */
import assert from "node:assert/strict";
import {
  bytesFile,
  tensorCheckpoint,
  type Checkpoint,
  type HostTensor,
  type Manifest,
  type TensorEntry,
} from "../../runtime/index.js";
import { pack } from "./run-kernel.js";

const TYPES = { f16: "F16", bf16: "BF16" } as const;

/** @param tensors by a name that the checkpoint may have; their values must be exact in the type that they are stored in. */
export function storedCheckpoint(
  { params }: Manifest,
  tensors: Readonly<Record<string, HostTensor>>,
): Checkpoint {
  const whole = tensorCheckpoint(tensors).tensors;
  const stored = [...whole].map(([name, entry]): [string, TensorEntry] => {
    const storage = params.find(({ sources }) => sources.includes(name))?.storage ?? "f32";
    const tensor = tensors[name] ?? assert.fail(name);
    if (storage !== "f16" && storage !== "bf16") return [name, entry];
    const bytes = new Uint8Array(pack(storage, tensor.data).buffer).subarray(0, 2 * tensor.data.length);
    return [name, { ...entry, dtype: TYPES[storage], file: bytesFile(name, bytes), bytes: bytes.length }];
  });
  return { tensors: new Map(stored) };
}
