import assert from "node:assert/strict";
import type { Bundle, Manifest, TargetEntry } from "../../runtime/bundle-format.js";
import { loadBundle, verifyBundle } from "../../runtime/bundle.js";
import { tensorCheckpoint } from "../../runtime/checkpoint.js";
import { evaluateDim } from "../../runtime/dim.js";
import { open } from "../../runtime/model.js";
import { parseManifest } from "../../runtime/schema.js";
import { requiredDevice } from "../../runtime/target.js";
import { requestDevice } from "../../src/node/adapters.js";
import { baselineDevice, testAdapter } from "../support/adapter.js";
import { assertRejects, assertThrows } from "./errors.js";
import { A, CHANNELS, tinyBundle, tinyInputs } from "./tiny-bundle.js";

const weights = tensorCheckpoint({
  "decay.a": { data: A, shape: [CHANNELS] },
  extra: { data: A, shape: [3] },
});

/** The tiny manifest as JSON, with the value at `path` replaced (or removed). */
async function changed(path: string, value: unknown): Promise<string> {
  const manifest = JSON.parse(JSON.stringify((await tinyBundle()).manifest)) as Record<string, unknown>;
  const keys = path.split(".");
  const last = keys.pop() ?? "";
  const place = keys.reduce<Record<string, unknown>>(
    (object, key) => object[key] as Record<string, unknown>,
    manifest,
  );
  if (value === undefined) Reflect.deleteProperty(place, last);
  else place[last] = value;
  return JSON.stringify(manifest);
}

function withTarget(manifest: Manifest, change: (target: TargetEntry) => TargetEntry): Manifest {
  return { ...manifest, targets: manifest.targets.map(change) };
}

describe("a manifest", () => {
  it("is read as it was written, unknown fields aside", async () => {
    const { manifest } = await tinyBundle();
    assert.deepEqual(parseManifest(JSON.stringify(manifest)), manifest);
    assert.deepEqual(parseManifest(JSON.stringify({ ...manifest, colour: "blue" })), manifest);
  });

  it("is refused when it is something else", async () => {
    await assertThrows(() => parseManifest("{"), "R0101", /not JSON/);
    await assertThrows(() => parseManifest("[]"), "R0101", /not the manifest of a Krait bundle/);
    await assertThrows(() => parseManifest('{"format":"onnx"}'), "R0101", /"krait-bundle"/);
  });

  it("is refused in another version, saying what to do", async () => {
    const newer = await changed("formatVersion", 5);
    await assertThrows(
      () => parseManifest(newer),
      "R0102",
      /version 5, and this runtime reads version 4.*\n.*newer runtime/,
    );
    // Of a build that knew other tables of packed documents.
    const older = await changed("formatVersion", 1);
    await assertThrows(() => parseManifest(older), "R0102", /Build the bundle again/);
    const none = await changed("formatVersion", undefined);
    await assertThrows(() => parseManifest(none), "R0102", /Build the bundle again/);
  });

  const wrong: [string, unknown, RegExp][] = [
    ["model", undefined, /model: /],
    ["inputs.0.scalar", "f64", /inputs\.0\.scalar: /],
    ["inputs.0.axes.0.size", ["**", "b", 2], /inputs\.0\.axes\.0\.size/],
    ["outputs.0.axes", "b, t", /outputs\.0\.axes/],
    ["params.0.shape.0", -1, /params\.0\.shape\.0/],
    ["params.0.sources", [], /params\.0\.sources/],
    ["params.0.storage", "f8", /params\.0\.storage/],
    ["sources.0.file", "../../etc/passwd", /sources\.0\.file: is not a path inside the bundle/],
    ["sources.0.file", "/etc/passwd", /inside the bundle/],
    ["sources.0.file", "a\\b", /inside the bundle/],
    ["sources.0.file", "a//b", /inside the bundle/],
    ["sources.0.sha256", "abc", /SHA-256/],
    ["targets", [], /targets/],
    ["targets.0.prefill.body.0.workgroups", [1, 1], /workgroups/],
    ["targets.0.prefill.body.0.bindings.0.in", "heap", /bindings\.0/],
    ["targets.0.constants.0.bytes", 1.5, /constants\.0\.bytes/],
  ];
  for (const [path, value, text] of wrong) {
    it(`is refused with ${path} ${value === undefined ? "missing" : JSON.stringify(value)}`, async () => {
      const text_ = await changed(path, value);
      await assertThrows(() => parseManifest(text_), "R0101", text);
    });
  }

  it("names every wrong field at once", async () => {
    const manifest = JSON.parse(await changed("model", 3)) as Record<string, unknown>;
    await assertThrows(
      () => parseManifest(JSON.stringify({ ...manifest, inputs: 0 })),
      "R0101",
      /model: [^]*inputs: /,
    );
  });
});

describe("a Dim", () => {
  const numbers = { b: 3, t: 10 };
  const values: [Parameters<typeof evaluateDim>[0], number][] = [
    [7, 7],
    ["t", 10],
    [["+", "b", "t"], 13],
    [["-", "b", "t"], -7],
    [["*", "b", "t"], 30],
    [["/", "t", "b"], 3],
    [["^/", "t", "b"], 4],
    [["%", "t", "b"], 1],
    [["min", "t", "b"], 3],
    [["max", "t", "b"], 10],
    [["<", "b", 3], 0],
    [["<=", "b", 3], 1],
    [["==", "b", 3], 1],
    [["&", "t", 6], 2],
    [["&", 2 ** 32 - 1, 2 ** 31], 2 ** 31],
    [["?", ["<", "b", "t"], 5, 6], 5],
    [["?", ["<", "t", "b"], 5, ["*", 2, ["+", "b", 1]]], 8],
  ];
  for (const [dim, value] of values) {
    it(`${JSON.stringify(dim)} is ${String(value)}`, () => {
      assert.equal(evaluateDim(dim, numbers), value);
    });
  }

  it("cannot use a number that is not there", () =>
    assertThrows(() => evaluateDim("u", numbers), "R0105", /"u"/));
});

describe("a bundle", () => {
  let device: GPUDevice;
  before(async () => {
    device = await baselineDevice();
  });

  it("is loaded file by file from anywhere", async () => {
    const bundle = await tinyBundle();
    const texts = new Map([...bundle.files, ["model.json", JSON.stringify(bundle.manifest)]]);
    const loaded = await loadBundle((path) => Promise.resolve(texts.get(path) ?? assert.fail(path)));
    assert.deepEqual(loaded, bundle);
    await verifyBundle(loaded);
  });

  it("is refused when a file was edited, unless that is allowed", async () => {
    const bundle = await tinyBundle();
    const files = new Map(bundle.files);
    files.set("kernels/head.wgsl", `// mine\n${files.get("kernels/head.wgsl") ?? ""}`);
    const edited: Bundle = { ...bundle, files };
    await assertRejects(open(edited, { device, weights }), "R0104", /kernels\/head\.wgsl/);
    (await open(edited, { device, weights, allowEdited: true })).destroy();
  });

  it("is refused when a file is missing", async () => {
    const bundle = await tinyBundle();
    const files = new Map(bundle.files);
    files.delete("kernels/scan.wgsl");
    await assertRejects(open({ ...bundle, files }, { device, weights }), "R0103", /kernels\/scan\.wgsl/);
  });

  it("tells which shaders do not compile, and where", async () => {
    const bundle = await tinyBundle();
    const files = new Map(bundle.files);
    files.set(
      "kernels/head.wgsl",
      "// first line\n@compute @workgroup_size(1) fn main() { let x: u32 = 1.5f; }",
    );
    files.set("kernels/where.wgsl", "fn main() {}");
    const opening = open({ ...bundle, files }, { device, weights, allowEdited: true });
    await assertRejects(opening, "R0203", /head\.wgsl:2:\d+: [^]*let x: u32 = 1\.5f[^]*where\.wgsl/);
  });

  it("is refused by a device that lacks what its targets need", async () => {
    const bundle = await tinyBundle((manifest) =>
      withTarget(manifest, (target) => ({
        ...target,
        requires: { features: ["shader-f16"], limits: { maxComputeWorkgroupStorageSize: 65536 } },
      })),
    );
    const text =
      /baseline needs the feature "shader-f16", maxComputeWorkgroupStorageSize ≥ 65536 \(here 16384\)/;
    await assertRejects(open(bundle, { device, weights }), "R0202", text);
    await assertRejects(open(bundle, { device, weights, target: "fast" }), "R0202", /no target "fast"/);
  });

  it("runs its best target on a device asked for what it requires", async () => {
    const { adapter, name } = await testAdapter();
    const bundle = await tinyBundle((manifest) => {
      const [baseline] = manifest.targets as [TargetEntry];
      const limits = { maxComputeWorkgroupStorageSize: adapter.limits.maxComputeWorkgroupStorageSize };
      const never = { ...baseline, name: "never", requires: { features: ["no-such-feature"], limits: {} } };
      return {
        ...manifest,
        targets: [never, { ...baseline, name: "large", requires: { features: [], limits } }, baseline],
      };
    });
    assert.equal(requiredDevice(bundle, adapter).target, "large");
    const large = await requestDevice({ adapter: name, bundle });
    const model = await open(bundle, { device: large, weights });
    assert.equal(model.target, "large");
    large.destroy();
  });

  it("needs weights if it has parameters, and names those it does not use", async () => {
    const bundle = await tinyBundle();
    await assertRejects(open(bundle, { device }), "R0303", /1 parameters and was given no weights/);
    const model = await open(bundle, { device, weights });
    assert.deepEqual(model.unusedWeights, ["extra"]);
    model.destroy();
    await assertRejects(model.session(), "R0407", /destroyed/);
  });

  it("is refused when it contradicts itself", async () => {
    const dispatch = { shader: "nowhere", bindings: [], workgroups: [1, 1, 1] } as const;
    const contradictions: [RegExp, (target: TargetEntry) => TargetEntry][] = [
      [/shader "nowhere"/, (t) => ({ ...t, prefill: { ...t.prefill, body: [dispatch] } })],
      [/binds 0 of 2/, (t) => ({ ...t, load: { ...t.load, body: [{ ...dispatch, shader: "square" }] } })],
      [/scratch "h"/, (t) => ({ ...t, prefill: { ...t.prefill, scratch: [] } })],
      [/number "speed"/, (t) => ({ ...t, prefill: { ...t.prefill, numbers: [{ name: "speed" }] } })],
    ];
    for (const [text, change] of contradictions) {
      const bundle = await tinyBundle((manifest) => withTarget(manifest, change));
      await assertRejects(open(bundle, { device, weights }), "R0105", text);
    }
    const noPlace = await tinyBundle((m) =>
      withTarget(m, (t) => ({ ...t, states: { ...t.states, places: [] } })),
    );
    const model = await open(noPlace, { device, weights });
    await assertRejects(model.session(), "R0105", /no room for the state "scan.h"/);
    model.destroy();
  });
});

describe("a device that is lost", () => {
  it("fails calls in progress and later ones with one code", async () => {
    const { name } = await testAdapter();
    const device = await requestDevice({ adapter: name });
    const model = await open(await tinyBundle(), { device, weights });
    const session = await model.session();
    const running = session.prefill({ ...tinyInputs(1, 5) });
    device.destroy();
    await assertRejects(running, "R0205", /lost/).catch(async () => running); // it may have been in time
    await assertRejects(session.prefill({ ...tinyInputs(1, 5) }), "R0205", /destroyed/);
    await assertRejects(session.save(), "R0205", /new device/);
    await assertRejects(model.session(), "R0205", /destroyed/);
  });
});
