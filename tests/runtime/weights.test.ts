import assert from "node:assert/strict";
import { float16 } from "./float16-oracle.js";
import type { ParamEntry, Storage } from "../../runtime/bundle-format.js";
import type { Checkpoint } from "../../runtime/checkpoint.js";
import { BufferUsage } from "../../runtime/gpu-constants.js";
import { bytesFile, type RandomAccess } from "../../runtime/random-access.js";
import { Readback } from "../../runtime/readback.js";
import { elements } from "../../runtime/tensor.js";
import { matchWeights, uploadWeights } from "../../runtime/weights.js";
import { testDevice } from "../support/adapter.js";
import { assertRejects, assertThrows } from "./errors.js";

function param(name: string, shape: number[], storage: Storage = "f32", sources = [name]): ParamEntry {
  return { name, sources, shape, storage };
}

/** A checkpoint of tensors given as [dtype, shape, bytes]. */
function checkpoint(tensors: Record<string, [string, number[], Uint8Array?]>): Checkpoint {
  return {
    tensors: new Map(
      Object.entries(tensors).map(([name, [dtype, shape, bytes = new Uint8Array(elements(shape) * 4)]]) => [
        name,
        { name, dtype, shape, file: bytesFile(name, bytes), offset: 0, bytes: bytes.length },
      ]),
    ),
  };
}

describe("matching weights", () => {
  it("takes the first alternative that is there", () => {
    const { tensors, unused } = matchWeights(
      [param("a", [2], "f32", ["new.a", "old.a"]), param("b", [1], "f32", ["new.b", "old.b"])],
      checkpoint({
        "old.a": ["F32", [2]],
        "new.b": ["F32", [1]],
        "old.b": ["F32", [1]],
        extra: ["F32", [1]],
      }),
    );
    assert.equal(tensors.get("a")?.name, "old.a");
    assert.equal(tensors.get("b")?.name, "new.b");
    assert.deepEqual(unused, ["extra"], "an alternative that was not needed is known all the same");
  });

  it("says all at once what does not fit", async () => {
    const params = [param("a", [2], "f32", ["a", "alias"]), param("b", [3, 1, 4]), param("c", [1], "bf16")];
    const given = checkpoint({ b: ["F32", [3, 4]], c: ["F32", [1]], left: ["F32", [1]] });
    for (const text of [/a or alias/, /b: \[3, 4\], the model has \[3, 1, 4\]/, /c: F32/, /left/]) {
      await assertThrows(() => matchWeights(params, given), "R0303", text);
    }
  });

  const narrowings: [string, Storage][] = [
    ["F32", "f16"],
    ["F32", "bf16"],
    ["BF16", "f16"],
    ["F16", "bf16"],
    ["F64", "f32"],
    ["I32", "f32"],
    ["F8_E4M3", "f32"],
  ];
  for (const [dtype, storage] of narrowings) {
    it(`refuses ${dtype} as ${storage}`, () =>
      assertThrows(
        () => matchWeights([param("a", [1], storage)], checkpoint({ a: [dtype, [1]] })),
        "R0304",
        new RegExp(`a: ${dtype}, the bundle stores ${storage}`),
      ));
  }
});

describe("uploading weights", () => {
  /** What lies in a buffer after `bytes` of `dtype` were uploaded to byte 256 of it as `storage`. */
  async function uploaded(
    dtype: string,
    storage: Storage,
    count: number,
    bytes: Uint8Array,
    range?: { readonly begin: number; readonly count: number },
  ): Promise<Uint32Array> {
    const device = await testDevice();
    const size = 256 + Math.ceil(((range?.count ?? count) * (storage === "f32" ? 4 : 2)) / 4) * 4;
    const usage = BufferUsage.STORAGE | BufferUsage.COPY_DST | BufferUsage.COPY_SRC;
    const buffer = device.createBuffer({ size, usage });
    const params = [param("a", [count], storage)];
    const matched = matchWeights(params, checkpoint({ a: [dtype, [count], bytes] }));
    const entry = { id: "c", bytes: size, params: [{ param: "a", offset: 256, ...range }] };
    await uploadWeights(device.queue, params, matched, [{ entry, buffer }]);
    const readback = new Readback(device);
    const encoder = device.createCommandEncoder();
    const reading = readback.encode(encoder, await readback.take(size), [
      { buffer, offset: 0, count: size / 4 },
    ]);
    device.queue.submit([encoder.finish()]);
    const [values] = await reading.finish();
    readback.destroy();
    buffer.destroy();
    assert.ok(values !== undefined && values.slice(0, 64).every((value) => value === 0));
    return new Uint32Array(values.buffer).slice(64);
  }

  /** Every 16-bit pattern. */
  const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const patternBytes = new Uint8Array(patterns.buffer);

  it("widens every bf16 exactly", async () => {
    const bits = await uploaded("BF16", "f32", 65536, patternBytes);
    assert.deepEqual(
      bits,
      Uint32Array.from(patterns, (pattern) => pattern * 65536),
    );
  });

  it("widens every f16 exactly", async () => {
    const got = new Float32Array((await uploaded("F16", "f32", 65536, patternBytes)).buffer);
    // As numbers: which of its many bit patterns a NaN has does not matter.
    assert.deepEqual([...got], Array.from(patterns, float16));
  });

  it("leaves 16-bit storage as it is, odd counts too", async () => {
    for (const [dtype, storage] of [
      ["BF16", "bf16"],
      ["F16", "f16"],
    ] as const) {
      const bits = await uploaded(dtype, storage, 7, patternBytes.slice(2, 16));
      assert.deepEqual([...new Uint16Array(bits.buffer)], [1, 2, 3, 4, 5, 6, 7, 0]);
    }
  });

  it("brings a range of a tensor's elements, and reads nothing else", async () => {
    for (const range of [
      { begin: 3, count: 4 },
      { begin: 0, count: 1 },
      { begin: 6, count: 1 },
    ]) {
      const expected = [...patterns.slice(3 + range.begin, 3 + range.begin + range.count)];
      const packed = await uploaded("BF16", "bf16", 7, patternBytes.slice(6, 20), range);
      assert.deepEqual([...new Uint16Array(packed.buffer)].slice(0, range.count), expected);
      const widened = await uploaded("BF16", "f32", 7, patternBytes.slice(6, 20), range);
      assert.deepEqual(
        [...widened],
        expected.map((pattern) => pattern * 65536),
      );
    }
  });

  it("refuses a range of elements that the tensor does not have", () =>
    assertRejects(
      uploaded("BF16", "f32", 7, patternBytes.slice(6, 20), { begin: 4, count: 4 }),
      "R0105",
      /elements of "a"/,
    ));

  it("brings tensors of many pieces whole, from unaligned files", async () => {
    const count = 3 * (1 << 20) + 5; // 12 MiB and a little: three pieces of 4 MiB and a rest
    const values = Float32Array.from({ length: count }, (_, i) => i);
    const shifted = new Uint8Array(count * 4 + 1);
    shifted.set(new Uint8Array(values.buffer), 1);
    const bits = await uploaded("F32", "f32", count, shifted.subarray(1));
    assert.deepEqual(new Float32Array(bits.buffer), values);
  });

  it("reads a few MiB at a time, at most two pieces ahead of the GPU", async () => {
    const device = await testDevice();
    const count = 10 << 20;
    let [begun, ended, ahead] = [0, 0, 0];
    const file: RandomAccess = {
      name: "large",
      size: count * 2,
      read: async (_, length) => {
        assert.ok(length <= 4 << 20);
        ahead = Math.max(ahead, ++begun - ended);
        await new Promise((resolve) => setTimeout(resolve, 1));
        return new Uint8Array(length);
      },
    };
    const queue = {
      writeBuffer: () => ended++,
      submit: () => undefined,
      onSubmittedWorkDone: () => Promise.resolve(),
    };
    const params = [param("a", [count])];
    const tensor = { name: "a", dtype: "BF16", shape: [count], file, offset: 0, bytes: count * 2 };
    const buffer = device.createBuffer({ size: 16, usage: BufferUsage.COPY_DST });
    const entry = { id: "c", bytes: count * 4, params: [{ param: "a", offset: 0 }] };
    const matched = { tensors: new Map([["a", tensor]]), unused: [] };
    await uploadWeights(queue as unknown as GPUQueue, params, matched, [{ entry, buffer }]);
    assert.deepEqual([begun, ended], [5, 5]);
    assert.ok(ahead <= 2, String(ahead));
    buffer.destroy();
  });

  it("passes on a failure to read", async () => {
    const device = await testDevice();
    const params = [param("a", [4])];
    const file = { name: "a", size: 16, read: () => Promise.reject(new Error("disk on fire")) };
    const tensor = { name: "a", dtype: "F32", shape: [4], file, offset: 0, bytes: 16 };
    const matched = { tensors: new Map([["a", tensor]]), unused: [] };
    const buffer = device.createBuffer({ size: 16, usage: BufferUsage.STORAGE | BufferUsage.COPY_DST });
    const entry = { id: "c", bytes: 16, params: [{ param: "a", offset: 0 }] };
    await assert.rejects(uploadWeights(device.queue, params, matched, [{ entry, buffer }]), /disk on fire/);
    buffer.destroy();
  });
});
