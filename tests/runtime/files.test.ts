import assert from "node:assert/strict";
import { mkdir, mkdtemp, open, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileWeights, readBundle, writeBundle } from "../../src/node/files.js";
import { readTensor, writeSafetensors } from "../../src/node/safetensors-files.js";
import { assertRejects } from "./errors.js";
import { tinyBundle } from "./tiny-bundle.js";

describe("files", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "krait-test-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  describe("a bundle", () => {
    it("is read as it was written", async () => {
      const bundle = await tinyBundle();
      await writeBundle(bundle, join(folder, "deep", "tiny"));
      assert.deepEqual(await readBundle(join(folder, "deep", "tiny")), bundle);
      assert.deepEqual(await readdir(join(folder, "deep")), ["tiny"], "nothing else is left");
    });

    it("replaces a bundle, and what it no longer has goes", async () => {
      const path = join(folder, "tiny");
      const bundle = await tinyBundle();
      await writeBundle({ ...bundle, files: new Map([...bundle.files, ["old.txt", "old"]]) }, path);
      await writeBundle(bundle, path);
      assert.deepEqual((await readdir(path)).sort(), ["kernels", "model.json", "sources"]);
      assert.deepEqual(await readdir(folder), ["tiny"]);
    });

    it("never replaces a folder of something else", async () => {
      await writeFile(join(folder, "thesis.tex"), "");
      await assertRejects(writeBundle(await tinyBundle(), folder), "R0501", /left alone/);
      assert.deepEqual(await readdir(folder), ["thesis.tex"]);
    });

    it("has the rights that a new folder has", async () => {
      await writeBundle(await tinyBundle(), join(folder, "tiny"));
      await mkdir(join(folder, "other"));
      assert.equal((await stat(join(folder, "tiny"))).mode, (await stat(join(folder, "other"))).mode);
    });

    it("that is not there is refused, saying what is", async () => {
      await assertRejects(
        readBundle(join(folder, "none")),
        "R0501",
        /model\.json cannot be read: it does not exist[^]*krait build/,
      );
    });
  });

  describe("a checkpoint", () => {
    const a = { data: Float32Array.of(1, 2), shape: [2] };
    const b = { data: Int32Array.of(-3), shape: [] };

    it("is found in a folder or as a file", async () => {
      await writeSafetensors(join(folder, "model.safetensors"), { a, b });
      await writeSafetensors(join(folder, "other.safetensors"), { b });
      for (const path of [folder, join(folder, "model.safetensors")]) {
        const checkpoint = await fileWeights(path);
        assert.deepEqual([...checkpoint.tensors.keys()], ["a", "b"]);
        await checkpoint.close();
      }
    });

    it("may have the only safetensors file of a folder, through a link too", async () => {
      await mkdir(join(folder, "blobs"));
      await mkdir(join(folder, "snapshot"));
      await writeSafetensors(join(folder, "blobs", "0123"), { a });
      await symlink(join(folder, "blobs", "0123"), join(folder, "snapshot", "weights.safetensors"));
      const checkpoint = await fileWeights(join(folder, "snapshot"));
      assert.deepEqual([...checkpoint.tensors.keys()], ["a"]);
      await checkpoint.close();
    });

    it("is read through its index", async () => {
      await writeSafetensors(join(folder, "one.safetensors"), { a });
      await writeSafetensors(join(folder, "two.safetensors"), { b });
      const map = { a: "one.safetensors", b: "two.safetensors" };
      await writeFile(join(folder, "model.safetensors.index.json"), JSON.stringify({ weight_map: map }));
      const checkpoint = await fileWeights(folder);
      assert.deepEqual([...checkpoint.tensors.keys()], ["a", "b"]);
      await checkpoint.close();
    });

    it("that is a pickle is refused with the command that converts it", async () => {
      await writeFile(join(folder, "pytorch_model.bin"), "");
      for (const path of [folder, join(folder, "pytorch_model.bin")]) {
        await assertRejects(
          fileWeights(path),
          "R0305",
          /pytorch_model\.bin[^]*python -c .*model\.safetensors/,
        );
      }
    });

    it("that is not there is refused", async () => {
      await assertRejects(fileWeights(folder), "R0305", /neither model\.safetensors nor/);
      await assertRejects(fileWeights(join(folder, "none")), "R0305", /does not exist/);
      const map = { a: "gone.safetensors" };
      await writeFile(join(folder, "model.safetensors.index.json"), JSON.stringify({ weight_map: map }));
      await assertRejects(fileWeights(folder), "R0305", /gone\.safetensors cannot be read/);
    });
  });

  describe("tensors", () => {
    it("are read as they were written", async () => {
      const path = join(folder, "x.safetensors");
      const x = { data: Float32Array.of(1.5, -2, 3e38, 0), shape: [2, 2] };
      const ids = { data: Uint32Array.of(7, 8, 9), shape: [3] };
      await writeSafetensors(path, { x, ids }, { made: "by hand" });
      assert.deepEqual(await readTensor(path, "x"), x);
      assert.deepEqual(await readTensor(path, "ids"), { data: Int32Array.of(7, 8, 9), shape: [3] });
      const header = (await readFile(path)).readBigUint64LE(0);
      assert.equal(header % 8n, 0n, "tensors lie aligned");
      assert.deepEqual(await readdir(folder), ["x.safetensors"]);
    });

    it("of 64 bits are read if they fit 32", async () => {
      const path = join(folder, "x.safetensors");
      const header = JSON.stringify({
        ids: { dtype: "I64", shape: [2], data_offsets: [0, 16] },
        long: { dtype: "I64", shape: [1], data_offsets: [16, 24] },
        precise: { dtype: "F64", shape: [1], data_offsets: [24, 32] },
      });
      const bytes = Buffer.alloc(8 + header.length + 32);
      bytes.writeBigUint64LE(BigInt(header.length));
      bytes.write(header, 8);
      [-1n, 5n, 2n ** 40n].forEach((value, i) => bytes.writeBigInt64LE(value, 8 + header.length + i * 8));
      await writeFile(path, bytes);
      assert.deepEqual(await readTensor(path, "ids"), { data: Int32Array.of(-1, 5), shape: [2] });
      await assertRejects(readTensor(path, "long"), "R0304", /1099511627776, more than 32 bits/);
      await assertRejects(readTensor(path, "precise"), "R0304", /F64/);
      await assertRejects(readTensor(path, "id"), "R0305", /It has: ids, long, precise/);
    });

    it("beyond 4 GiB are read from where they lie", async () => {
      const path = join(folder, "large.safetensors");
      const far = 4 * 2 ** 30 + 4096;
      const header = JSON.stringify({
        hole: { dtype: "U8", shape: [far], data_offsets: [0, far] },
        x: { dtype: "F32", shape: [2], data_offsets: [far, far + 8] },
      });
      const file = await open(path, "w"); // sparse: nothing is stored for the hole
      const start = Buffer.alloc(8);
      start.writeBigUint64LE(BigInt(header.length));
      await file.write(start, 0, 8, 0);
      await file.write(header, 8);
      await file.write(Buffer.from(Float32Array.of(1.25, -7).buffer), 0, 8, 8 + header.length + far);
      await file.close();
      assert.deepEqual((await readTensor(path, "x")).data, Float32Array.of(1.25, -7));
    });

    it("that cannot be written leave nothing behind", async () => {
      await assertRejects(
        writeSafetensors(join(folder, "no", "x.safetensors"), {}),
        "R0501",
        /cannot be written/,
      );
      await mkdir(join(folder, "taken.safetensors"));
      await assertRejects(
        writeSafetensors(join(folder, "taken.safetensors"), {}),
        "R0501",
        /cannot be written/,
      );
      assert.deepEqual(await readdir(folder), ["taken.safetensors"]);
    });
  });
});
