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
import { seeded } from "../support/random.js";
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
    const given = checkpoint({ b: ["F32", [3, 4]], c: ["F64", [1]], left: ["F32", [1]] });
    for (const text of [/a or alias/, /b: \[3, 4\], the model has \[3, 1, 4\]/, /c: F64/, /left/]) {
      await assertThrows(() => matchWeights(params, given), "R0303", text);
    }
  });

  for (const dtype of ["F64", "I32", "F8_E4M3", "constructor"])
    it(`refuses ${dtype}`, async () => {
      for (const storage of ["f32", "f16", "bf16", "int8"] as const)
        await assertThrows(
          () => matchWeights([param("a", [1], storage)], checkpoint({ a: [dtype, [1]] })),
          "R0304",
          new RegExp(`Of a type other than F32, F16 or BF16:\n  a: ${dtype}\n`),
        );
    });
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

  /** The value nearest to a number of those that the patterns of a type have; of two as near, the one whose pattern is even. */
  function nearest(value: number, values: readonly number[]): number {
    let [low, high] = [0, values.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((values[middle] ?? NaN) < Math.abs(value)) low = middle + 1;
      else high = middle;
    }
    const [above, below] = [values[low] ?? NaN, values[low - 1] ?? 0];
    const apart = above - Math.abs(value) - (Math.abs(value) - below);
    const pattern = apart > 0 || (apart === 0 && low % 2 === 1) ? Math.max(low - 1, 0) : low;
    return pattern + (value < 0 || Object.is(value, -0) ? 0x8000 : 0);
  }
  const bfloat16 = (bits: number): number => new Float32Array(Uint32Array.of(bits * 65536).buffer)[0] ?? NaN;

  for (const [storage, infinity, valueOf] of [
    ["f16", 0x7c00, float16],
    ["bf16", 0x7f80, bfloat16],
  ] as const)
    it(`rounds f32 to the nearest ${storage}, halves to even`, async () => {
      const finite = Array.from(patterns.slice(0, infinity), valueOf);
      const random = seeded(17);
      const between = finite.slice(1).flatMap((value, i) => {
        const [below, middle] = [finite[i] ?? NaN, Math.fround((value + (finite[i] ?? NaN)) / 2)];
        const off = Math.fround(below + (value - below) * random.uniform());
        const bits = Uint32Array.of(1, 1);
        new Float32Array(bits.buffer).fill(middle);
        // Next to a half on either side, where a second rounding would show.
        const [more, less] = new Float32Array(Uint32Array.of((bits[0] ?? 0) + 1, (bits[0] ?? 1) - 1).buffer);
        return [middle, off, more ?? NaN, less ?? NaN];
      });
      const values = Float32Array.from([...finite, ...between].flatMap((value) => [value, -value]));
      const bits = await uploaded("F32", storage, values.length, new Uint8Array(values.buffer));
      const got = new Uint16Array(bits.buffer).subarray(0, values.length);
      values.forEach((value, i) => {
        const expected = nearest(value, finite);
        assert.equal(got[i], expected, `${value} became ${got[i]}, not ${expected}`);
      });
      const odd = Float32Array.of(Infinity, -Infinity, NaN, 0);
      const kept = new Uint16Array((await uploaded("F32", storage, 4, new Uint8Array(odd.buffer))).buffer);
      assert.deepEqual([...kept].map(valueOf), [...odd]);
    });

  it("rounds between types of 16 bits, too", async () => {
    const one = new Uint8Array(Uint16Array.of(0x3f80, 0xbf81).buffer); // 1 and -1.0078125 in bf16
    const f16 = new Uint16Array((await uploaded("BF16", "f16", 2, one)).buffer);
    assert.deepEqual([...f16].map(float16), [1, -1.0078125]);
    const fine = new Uint8Array(Uint16Array.of(0x3c01, 0x3c04).buffer); // 1 + 2^-10 and 1 + 2^-8 in f16
    const bf16 = new Uint16Array((await uploaded("F16", "bf16", 2, fine)).buffer);
    assert.deepEqual([...bf16].map(bfloat16), [1, 1]);
  });

  it("names a tensor with a finite value that would become an infinity", async () => {
    for (const [storage, most, beyond] of [
      ["f16", 65519, 65520],
      ["bf16", 3.39e38, 3.4e38],
    ] as const) {
      const at = (value: number): Uint8Array => new Uint8Array(Float32Array.of(1, value).buffer);
      await uploaded("F32", storage, 2, at(-most));
      await assertRejects(uploaded("F32", storage, 2, at(-beyond)), "R0306", new RegExp(`"a" .*${storage}`));
    }
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
