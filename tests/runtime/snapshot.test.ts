import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { open, type Model } from "../../runtime/model.js";
import type { Bundle } from "../../runtime/bundle-format.js";
import {
  parseSnapshot,
  serializeSnapshot,
  tensorCheckpoint,
  type HostTensor,
  type Snapshot,
} from "../../runtime/index.js";
import { templateBundle } from "../support/model.js";
import { baselineDevice, testDevice } from "../support/adapter.js";
import { temporaryFolder } from "../support/cli.js";
import { readSafetensors } from "../support/safetensors.js";
import { assertRejects } from "./errors.js";
import { CHANNELS, cut, tinyBundle, tinyInputs, tinyModel } from "./tiny-bundle.js";
import { as, assertNear, rowsAt, weights } from "./tiny-runs.js";

/** Numbers between -0.2 and 0.2 for every parameter. */
function randomTensors({ manifest }: Bundle): Readonly<Record<string, HostTensor>> {
  let seed = 1;
  const next = (): number => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32 - 0.5;
  return Object.fromEntries(
    manifest.params.map(({ sources: [name = ""], shape }) => {
      const size = shape.reduce((product, extent) => product * extent, 1);
      return [name, { shape, data: Float32Array.from({ length: size }, () => 0.4 * next()) }];
    }),
  );
}

describe("a saved session", () => {
  const batch = 2;
  const [half, steps] = [5, 11];
  const inputs = tinyInputs(batch, steps);
  const expected = tinyModel(inputs, batch);
  const at = temporaryFolder();
  let model: Model;
  let saved: Snapshot;
  let bytes: Uint8Array<ArrayBuffer>;

  before(async () => {
    model = await open(await tinyBundle(), { device: await baselineDevice(), weights });
    const session = await model.session({ batch });
    await session.prefill(as(cut(inputs, batch, 0, half)));
    saved = await session.save();
    bytes = await serializeSnapshot(saved);
    session.destroy();
  });
  after(() => {
    model.destroy();
  });

  /** That a session of `of`, restored from the bytes, gives what the whole sequence gives; `shift` is held. */
  async function assertContinues(of: Model): Promise<void> {
    const session = await of.session({ batch });
    await session.restore(await parseSnapshot(bytes));
    assert.equal(session.pos, half);
    const { x, token } = cut(inputs, batch, half, steps);
    const { y, where } = await session.prefill({ x, token }, { outputs: "all" });
    assertNear(y?.data, rowsAt(expected.y, batch, half, steps));
    assert.deepEqual([...(where?.data ?? [])], [5, 6, 7, 8, 9, 10]);
    session.destroy();
  }

  async function opened(change?: Parameters<typeof tinyBundle>[0]): Promise<Model> {
    return open(await tinyBundle(change), { device: await testDevice(), weights });
  }

  it("comes back from its bytes as it was", async () => {
    assert.deepEqual(await parseSnapshot(bytes), saved);
    assert.deepEqual(await serializeSnapshot(await parseSnapshot(bytes)), bytes);
    await assertContinues(model);
  });

  it("keeps every bit of its values, and bytes at any offset", async () => {
    const data = Float32Array.of(-0, Infinity, NaN, 1e-45, -3.4e38);
    const odd = { pos: 2 ** 32 - 1, states: { "a.b": { data, shape: [1, 5] } }, inputs: {} };
    const whole = await serializeSnapshot(odd);
    const shifted = new Uint8Array(whole.length + 3);
    shifted.set(whole, 3);
    assert.deepEqual(await parseSnapshot(shifted.subarray(3)), odd);
  });

  it("is a safetensors file with everything in it named", () => {
    writeFileSync(at("saved.safetensors"), bytes);
    const { tensors, metadata } = readSafetensors(at("saved.safetensors"));
    assert.deepEqual(tensors["scan.h"]?.shape, [batch, CHANNELS]);
    const shift = tensors["input:shift"];
    assert.ok(shift !== undefined);
    assert.deepEqual([shift.shape, [...shift.data]], [[CHANNELS], [...inputs.shift]]);
    assert.equal(metadata["format"], "krait-snapshot");
    assert.equal(metadata["version"], "1");
    assert.equal(metadata["pos"], String(half));
  });

  it("goes on in another process", function () {
    this.timeout(300_000);
    writeFileSync(at("saved.safetensors"), bytes);
    const script = fileURLToPath(new URL("restore-elsewhere.ts", import.meta.url));
    const args = [
      "--import",
      "tsx",
      script,
      at("saved.safetensors"),
      String(batch),
      String(half),
      String(steps),
    ];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    assertNear(Float32Array.from(JSON.parse(stdout) as number[]), rowsAt(expected.y, batch, half, steps));
  });

  it("goes on on another device", async () => {
    const elsewhere = await opened();
    await assertContinues(elsewhere);
    elsewhere.destroy();
  });

  it("goes on in a bundle built for another target, by other kernels", async () => {
    const device = await testDevice();
    const build = async (target: string): Promise<Model> => {
      const set = { vocab: 11, width: 24, layers: 2 };
      const bundle = templateBundle("mamba", { set, targets: [target] });
      const model = await open(bundle, { device, weights: tensorCheckpoint(randomTensors(bundle)) });
      assert.equal(model.target, target);
      return model;
    };
    const [baseline, large] = [await build("baseline"), await build("large")];
    const token = Uint32Array.from({ length: 20 }, (_, i) => (i * 5) % 11);
    const { logits: whole } = await (await baseline.session()).prefill({ token });
    const session = await baseline.session();
    await session.prefill({ token: token.slice(0, 9) }, { outputs: "none" });
    const moved = await large.session();
    await moved.restore(await parseSnapshot(await serializeSnapshot(await session.save())));
    const { logits: rest } = await moved.prefill({ token: token.slice(9) });
    assertNear(rest?.data, [...(whole?.data ?? [])], 1e-5);
    baseline.destroy();
    large.destroy();
  });

  describe("is refused", () => {
    const others: readonly [string, (bundle: Bundle["manifest"]) => Bundle["manifest"]][] = [
      ["another constant", (m) => ({ ...m, constants: { channels: CHANNELS, rate: 2 } })],
      ["another initial value", (m) => ({ ...m, states: m.states.map((s) => ({ ...s, init: 0 })) })],
      ["another name", (m) => ({ ...m, model: "other" })],
    ];
    for (const [what, change] of others) {
      it(`by a model with ${what}, unless the caller takes its mark off`, async () => {
        const other = await opened(change);
        const session = await other.session({ batch });
        await assertRejects(session.restore(saved), "R0406", /another model.*\n.*without `model`/);
        assert.equal(session.pos, 0);
        const { model: _, ...unmarked } = saved;
        await session.restore(unmarked);
        assert.equal(session.pos, half);
        other.destroy();
      });
    }

    it("by a session of another batch, and for held inputs that do not fit", async () => {
      const session = await model.session({ batch: 3 });
      await assertRejects(session.restore(saved), "R0406", /"scan.h" is \[2, 3\], the session has \[3, 3\]/);
      const two = await model.session({ batch });
      const held = (inputs: NonNullable<Snapshot["inputs"]>): Promise<void> =>
        two.restore({ ...saved, inputs });
      const data = new Float32Array(2);
      await assertRejects(held({ shift: { data, shape: [2] } }), "R0402", /"shift" has 2 values/);
      await assertRejects(held({ y: { data, shape: [2] } }), "R0401", /no input "y"/);
      assert.equal(two.pos, 0);
      session.destroy();
      two.destroy();
    });

    /** The bytes with another header, of the same length or not. */
    function withHeader(change: (header: string) => string): Uint8Array<ArrayBuffer> {
      const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
      const header = new TextEncoder().encode(
        change(new TextDecoder().decode(bytes.subarray(8, 8 + length))),
      );
      const changed = new Uint8Array(8 + header.length + bytes.length - 8 - length);
      new DataView(changed.buffer).setBigUint64(0, BigInt(header.length), true);
      changed.set(header, 8);
      changed.set(bytes.subarray(8 + length), 8 + header.length);
      return changed;
    }
    const damages: readonly [string, () => Uint8Array<ArrayBuffer>, RegExp][] = [
      ["nothing", () => new Uint8Array(0), /0 bytes/],
      ["text", () => new TextEncoder().encode("{ not a snapshot at all }"), /no sound saved session/],
      ["an end cut off", () => bytes.slice(0, -4), /no sound saved session/],
      ["bytes after the end", () => Uint8Array.of(...bytes, 0, 0), /belong to no tensor/],
      ["a header cut off", () => bytes.slice(0, 40), /header claims/],
      [
        "another format",
        () => withHeader((h) => h.replace("krait-snapshot", "krait-checkpts")),
        /not a saved/,
      ],
      ["another version", () => withHeader((h) => h.replace('"version":"1"', '"version":"2"')), /version 2/],
      [
        "another position",
        () => withHeader((h) => h.replace('"pos":"5"', '"pos":"6"')),
        /checksum is another/,
      ],
      [
        "another model",
        () => withHeader((h) => h.replace(/"model":"./, '"model":"x')),
        /checksum is another/,
      ],
      [
        "another name of a state",
        () => withHeader((h) => h.replace("scan.h", "scan.g")),
        /checksum is another/,
      ],
      ["no checksum", () => withHeader((h) => h.replace(/"sha256":"\w{64}",/, "")), /no checksum/],
      ["metadata of numbers", () => withHeader((h) => h.replace('"1"', "1")), /not texts/],
    ];
    for (const [what, damage, text] of damages) {
      it(`as bytes with ${what}`, () => assertRejects(parseSnapshot(damage()), "R0408", text));
    }

    it("as bytes with any one of them changed", async () => {
      for (let i = 0; i < bytes.length; i++) {
        const changed = bytes.slice();
        changed[i] = (changed[i] ?? 0) ^ 0x20;
        await assertRejects(parseSnapshot(changed), "R0408", /./);
      }
    });
  });
});
