/** What to do about each mistake that the runtime reports; what the codes mean stands in runtime/errors.ts. */
import type { ErrorCode } from "../../runtime/errors.js";

export const runtimeRemedies: Readonly<Record<ErrorCode, string>> = {
  R0101: "Build the bundle again; nothing in `model.json` is meant to be edited.",
  R0102:
    "Build the bundle with the compiler of the runtime's version, or use the runtime that the bundle was built for.",
  R0103: "Copy the whole folder, or build it again. On a server, see that it gives out `.wgsl` files.",
  R0104:
    "A file's SHA-256 is not the manifest's: it was edited or damaged. Build the bundle again; to run edited shaders on purpose, allow them when it is opened.",
  R0105: "The manifest says two things that can't both be true. Build the bundle again.",
  R0201:
    "WebGPU found no adapter of this kind: `krait adapters` lists those of this machine, the software adapter among them.",
  R0202:
    "Every target of the bundle asks for a feature or a limit that the device lacks; the message says which. Build with `--target baseline`.",
  R0203:
    "A driver refused a shader that the compiler takes for right. Please report it, with the message and `krait adapters`.",
  R0204:
    "The device's memory, or its largest buffer, is too small for what the message names: fewer sequences, a smaller `maxChunk`, or smaller weights.",
  R0205:
    "Request a new device, open the bundle on it, and restore the last snapshot. Drivers give a device up when it hangs, sleeps or is removed.",
  R0206: "WebGPU found a mistake in what the runtime asked for. Please report it, with the message.",
  R0301:
    "The file is cut off or was changed: compare its size and hash with those of its source, and download it again.",
  R0302: "`model.safetensors.index.json` and its shards do not agree: download the checkpoint as a whole.",
  R0303:
    "Tensors are missing or of another shape. The constants of the model are those of another checkpoint: compile it with this one's config.json (`krait import`), or with `--set`.",
  R0304: "Widen the parameter's storage when you build (`--weights f32`), so that nothing is lost.",
  R0305: "The path is right and may be read? A server has to answer requests for ranges of bytes.",
  R0401: "Give exactly the inputs that the message (or `krait inspect`) lists.",
  R0402:
    "An input is a Float32Array, or a Uint32Array for `index(v)`, with the product of its axes' sizes as its length, major axis first.",
  R0403: "Values of an `index(v)` are whole numbers from 0 to the size of `v` less one.",
  R0404: "A prefill takes at least one step, and a window of outputs at least one position.",
  R0405: "The message says which option is out of its range, and what the range is.",
  R0406:
    "A snapshot is restored into a session of the same model (its source and constants; not its target or weights' storage) and the same number of sequences.",
  R0407: "It was destroyed, or has no such program: a model that looks ahead has no `step`.",
  R0408:
    "The bytes were cut off or changed, or never were a session: save it again. A file of single tensors is read by name, as `--state-in h=FILE:TENSOR`.",
  R0501:
    "The message says which file, and why: permissions, a full disk, or a folder that holds something else.",
};
