import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { extentsOf } from "../../compiler/5-kernel/schedules/shape.js";
import { identityOf } from "../../compiler/5-kernel/schedules/identity.js";
import { TARGETS } from "../../compiler/4-passes/schedule.js";
import { compile, type CompileOptions, type CompileResult } from "../../compiler/compile.js";
import { sameSchedule, spaceOf, type Schedule } from "../../compiler/5-kernel/schedules/space.js";
import type { AdapterTuning, Bundle, TuningEntry } from "../../runtime/bundle-format.js";
import { evaluateDim, open, requiredDevice, tensorCheckpoint, type Outputs } from "../../runtime/index.js";
import { chooseTarget, type DeviceLike } from "../../runtime/target.js";
import { sourceOfBundle } from "../../src/cli/bundle-source.js";
import { launched } from "../../src/cli/launches.js";
import { merged, parseTuning, tuningText, type TuningFile } from "../../src/cli/tuning-file.js";
import { testDevice } from "../support/adapter.js";
import { krait, kraitOk, temporaryFolder } from "../support/cli.js";
import { expectClose } from "../support/expect-close.js";
import { seeded } from "../support/random.js";
import { adapterKind } from "../../runtime/target.js";

const MODEL = `
axis b: batch, t: time, c = 24, d = 40
model gated {
  input x: f32[b, t, c]
  param w[d, c]
  param a[d]
  u = dot(x, w, over c)
  state h[d]
  h = sigmoid(a) * prev(h) + u
  output y[b, t, d] = h
}
`;
const SOURCE = { path: "gated.krait", text: MODEL };
const [BASELINE] = TARGETS;

function compiled(options: CompileOptions = {}): Required<Omit<CompileResult, "diagnostics">> {
  const { bundle, stages, diagnostics } = compile(SOURCE, { verify: true, ...options });
  assert.deepEqual(diagnostics, []);
  return { bundle: bundle ?? assert.fail("no bundle"), stages };
}

/** For the first kernel of a skeleton that has run-time sizes: the schedule of its space that is furthest from its own. */
function entryFor(skeleton: string, shape: Readonly<Record<string, number>>): TuningEntry {
  assert(BASELINE !== undefined);
  const { stages } = compiled();
  const kernels = [...(stages.targets?.[0]?.kernels.values() ?? [])];
  const kernel = kernels.find(
    (each) =>
      each.skeleton === skeleton &&
      Object.keys(extentsOf(each)).sort().join() === Object.keys(shape).sort().join(),
  );
  assert(kernel !== undefined, `no ${skeleton} of ${Object.keys(shape).join()}`);
  const schedule = spaceOf(kernel, BASELINE).findLast((each) => !sameSchedule(each, kernel.schedule));
  assert(schedule !== undefined);
  return { target: "baseline", kernel: identityOf(kernel), shape, schedule: plain(schedule) };
}

const plain = (schedule: Schedule): TuningEntry["schedule"] => ({ ...schedule });

const ENTRIES = [entryFor("contract", { rows: 64 }), entryFor("scan", { leads: 2, steps: 32 })];

const tuningOf = (
  vendor: string,
  architecture: string,
  entries: readonly TuningEntry[] = ENTRIES,
): AdapterTuning => ({
  vendor,
  architecture,
  entries,
});
const NVIDIA = tuningOf("nvidia", "hopper");
const names = ({ manifest }: Bundle): readonly string[] => manifest.targets.map(({ name }) => name);

/** As an adapter says what it is. */
async function like(vendor: string, architecture: string): Promise<DeviceLike> {
  const { features, limits } = await testDevice();
  return { features, limits, info: { vendor, architecture } as GPUAdapterInfo };
}

describe("tuned targets", () => {
  it("stand before the target of their profile, and run on the adapter that they were tuned for alone", async () => {
    const { bundle } = compiled({ tuning: [NVIDIA, tuningOf("amd", "rdna-3")] });
    assert.deepEqual(names(bundle), ["baseline@nvidia-hopper", "baseline@amd-rdna-3", "baseline"]);
    assert.deepEqual(bundle.manifest.options.targets, ["baseline"]);
    for (const [vendor, architecture, expected] of [
      ["nvidia", "hopper", "baseline@nvidia-hopper"],
      ["amd", "rdna-3", "baseline@amd-rdna-3"],
      ["nvidia", "ada", "baseline"],
      ["", "", "baseline"],
    ] as const) {
      const adapter = await like(vendor, architecture);
      assert.equal(chooseTarget(bundle, adapter).name, expected);
      assert.equal(requiredDevice(bundle, adapter).target, expected);
    }
    const { features, limits } = await testDevice();
    assert.equal(chooseTarget(bundle, { features, limits }).name, "baseline");
    assert.throws(() => chooseTarget(bundle, { features, limits }, "baseline@amd-rdna-3"), /amd, rdna-3/);
  });

  it("tell GPUs whose architecture has no name apart by the device's", async () => {
    const { features, limits } = await testDevice();
    const named = (device: string): DeviceLike => ({
      features,
      limits,
      info: { vendor: "nvidia", architecture: "", device } as GPUAdapterInfo,
    });
    const kind = adapterKind(named("h100").info ?? assert.fail());
    assert.deepEqual(kind, { vendor: "nvidia", architecture: "h100" });
    const { bundle } = compiled({ tuning: [tuningOf(kind.vendor, kind.architecture)] });
    assert.equal(chooseTarget(bundle, named("h100")).name, "baseline@nvidia-h100");
    assert.equal(chooseTarget(bundle, named("b200")).name, "baseline");
    assert.equal(chooseTarget(bundle, named("")).name, "baseline");
  });

  it("know kernels again whose values lie in f16", () => {
    const text = `axis b: batch, t: time, c = 64, d = 128
      model pair {
        input x: f32[b, t, c]
        param w[d, c], v[c, d]
        u = silu(dot(x, w, over c))
        output y[b, t, c] = dot(u, v, over d)
      }`;
    const pair = { path: "pair.krait", text };
    const target = TARGETS.find(({ name }) => name === "matrix") ?? assert.fail("no target matrix");
    const { stages } = compile(pair, { targets: ["matrix"] });
    const entries = [...(stages.targets?.[0]?.kernels.values() ?? [])].flatMap((kernel): TuningEntry[] => {
      if (kernel.skeleton !== "contract" || kernel.schedule.kind !== "matrix") return [];
      if (!kernel.bindings.some(({ element }) => element === "f16")) return [];
      const schedule = spaceOf(kernel, target).find((each) => !sameSchedule(each, kernel.schedule));
      const shape = Object.fromEntries(Object.keys(extentsOf(kernel)).map((name) => [name, 64]));
      return schedule === undefined
        ? []
        : [{ target: "matrix", kernel: identityOf(kernel), shape, schedule: plain(schedule) }];
    });
    assert.ok(entries.length >= 2, `${String(entries.length)} kernels have values in f16`);
    const tuned = compile(pair, { targets: ["matrix"], tuning: [tuningOf("nvidia", "hopper", entries)] });
    const used = tuned.stages.targets?.find(({ tuned: of }) => of !== undefined)?.tuned;
    assert.equal(used?.size, entries.length);
  });

  it("hold each file once, and name it where it is", () => {
    const plainBundle = compiled().bundle;
    const { bundle } = compiled({ tuning: [NVIDIA, tuningOf("amd", "rdna-3")] });
    const added = [...bundle.files.keys()].filter((file) => !plainBundle.files.has(file));
    // Two kernels by another schedule, of which both adapters' targets are made.
    assert.equal(added.length, 2, added.join());
    for (const { shaders } of bundle.manifest.targets)
      for (const { file } of shaders) assert.ok(bundle.files.has(file), file);
    for (const [file, text] of plainBundle.files)
      if (file !== "model.json") assert.equal(bundle.files.get(file), text);
  });

  it("run what was measured near its shape, and the default elsewhere", () => {
    const { bundle } = compiled({ tuning: [NVIDIA] });
    const [tuned, baseline] = bundle.manifest.targets;
    assert(tuned !== undefined && baseline !== undefined);
    const ids = (target: typeof tuned, batch: number, steps: number): readonly string[] =>
      launched(bundle.manifest, target.prefill, { batch, steps }).map(({ shader }) => {
        const { file } = target.shaders.find(({ id }) => id === shader) ?? assert.fail(shader);
        return file;
      });
    const differ = (batch: number, steps: number): number => {
      const [mine, others] = [ids(tuned, batch, steps), ids(baseline, batch, steps)];
      assert.equal(mine.length, others.length);
      return mine.filter((file, i) => file !== others[i]).length;
    };
    assert.equal(differ(2, 32), 2);
    assert.equal(differ(1, 64), 2);
    assert.equal(differ(2, 8), 2);
    // Steps under a quarter of what was measured, and rows that are near.
    assert.equal(differ(3, 7), 1);
    assert.equal(differ(16, 32), 0);
    assert.equal(differ(1, 2), 0);
  });

  it("compute the same", async () => {
    const device = await testDevice();
    const { vendor, architecture } = adapterKind(device.adapterInfo);
    const { bundle } = compiled({ tuning: [tuningOf(vendor, architecture)] });
    const random = seeded(3);
    const normal = (count: number): Float32Array<ArrayBuffer> =>
      Float32Array.from({ length: count }, () => random.normal());
    const weights = tensorCheckpoint({
      w: { shape: [40, 24], data: normal(40 * 24) },
      a: { shape: [40], data: normal(40) },
    });
    const models = await Promise.all(
      [undefined, "baseline"].map((target) =>
        open(bundle, { device, weights, ...(target !== undefined && { target }) }),
      ),
    );
    assert.deepEqual(
      models.map(({ target }) => target),
      [`baseline@${vendor}-${architecture}`, "baseline"],
    );
    for (const [batch, steps] of [
      [2, 32],
      [1, 5],
    ] as const) {
      const x = normal(batch * steps * 24);
      const [got, expected] = (await Promise.all(
        models.map(async (model) => {
          const session = await model.session({ batch });
          return session.prefill({ x }, { outputs: "all" });
        }),
      )) as [Outputs, Outputs];
      assert(got["y"] && expected["y"]);
      expectClose(got["y"], expected["y"], { what: `${batch} × ${steps}`, tolerance: "f32" });
    }
    for (const model of models) model.destroy();
  });

  it("are not there for entries that match nothing", () => {
    const [contract] = ENTRIES;
    assert(contract !== undefined);
    const others: readonly TuningEntry[] = [
      { ...contract, kernel: "0123456789abcdef" },
      { ...contract, target: "large" },
      { ...contract, shape: { leads: 1 } },
      { ...contract, schedule: { kind: "tiled", tileRows: 65536, tileCols: 3 } },
      { ...contract, schedule: { workgroup: 64 } },
      { ...contract, shape: { rows: Number.MAX_SAFE_INTEGER } },
    ];
    const { bundle } = compiled({ tuning: [tuningOf("nvidia", "hopper", others)] });
    assert.deepEqual(names(bundle), ["baseline"]);
    assert.deepEqual(bundle.manifest, compiled().bundle.manifest);
  });

  it("take the last of several entries for one kernel and shape, and keep no other", () => {
    const [contract] = ENTRIES;
    assert(contract !== undefined);
    const space = spaceOf(kernelOf(contract), BASELINE ?? assert.fail());
    const entries = space.slice(0, 3).map((each): TuningEntry => ({ ...contract, schedule: plain(each) }));
    const { bundle } = compiled({ tuning: [tuningOf("nvidia", "hopper", entries)] });
    assert.deepEqual(bundle.manifest.options.tuning?.[0]?.entries, entries.slice(2));
  });

  it("are built again from what the bundle holds", () => {
    const { bundle } = compiled({ tuning: [NVIDIA] });
    const { source, compileOptions } = sourceOfBundle(bundle);
    const again = compile(source, compileOptions);
    assert.equal(again.bundle?.files.get("model.json"), bundle.files.get("model.json"));
  });

  it("choose between what was measured halfway on a logarithmic scale", () => {
    const [contract] = ENTRIES;
    assert(contract !== undefined);
    const space = spaceOf(kernelOf(contract), BASELINE ?? assert.fail()).filter(
      (each) => "kind" in each && each.kind === "tiled",
    );
    const entries = [32, 128].map((rows, k): TuningEntry => ({
      ...contract,
      shape: { rows },
      schedule: plain(space[k] ?? assert.fail()),
    }));
    const { stages } = compiled({ tuning: [tuningOf("nvidia", "hopper", entries)] });
    const groups = stages.targets?.[1]?.programs.find(({ name }) => name === "prefill")?.groups ?? [];
    const kernels = groups
      .flatMap((group) => group.kernels)
      .filter(({ kernel }) => kernel.skeleton === "contract");
    const pick = (rows: number): readonly Schedule[] =>
      kernels
        .filter(({ when = 1 }) => evaluateDim(when, { b: 1, t: rows }) !== 0)
        .map(({ kernel }) => kernel.schedule);
    assert.deepEqual(pick(20), [space[0]]);
    assert.deepEqual(pick(63), [space[0]]);
    assert.deepEqual(pick(64), [space[1]]);
    assert.deepEqual(pick(512), [space[1]]);
    for (const rows of [1, 4, 513, 4096]) assert.equal(pick(rows).length, 1, String(rows));
    assert.ok(pick(513).every((each) => !space.slice(0, 2).some((one) => sameSchedule(one, each))));
  });

  function kernelOf({ kernel }: TuningEntry) {
    const { stages } = compiled();
    const all = [...(stages.targets?.[0]?.kernels.values() ?? [])];
    return all.find((each) => identityOf(each) === kernel && each.skeleton === "contract") ?? assert.fail();
  }
});

describe("tuning files", () => {
  const at = temporaryFolder();
  const measured = ENTRIES.map((entry) => ({ ...entry, label: "u", ms: 1, defaultMs: 2, measured: 7 }));
  const FILE: TuningFile = {
    format: "krait-tuning",
    version: 1,
    adapters: [{ vendor: "nvidia", architecture: "hopper", description: "H100", entries: measured }],
  };
  const text = tuningText(FILE);

  it("are read as they were written", () => {
    assert.deepEqual(parseTuning(text, "t.json"), FILE);
    assert.deepEqual(parseTuning(tuningText(merged([])), "t.json"), merged([]));
  });

  it("are merged, the later entry of a kernel and shape taking the earlier one's place", () => {
    const faster = measured.slice(0, 1).map((entry) => ({ ...entry, ms: 0.5 }));
    const other = { ...FILE, adapters: [{ ...FILE.adapters[0]!, entries: faster }] };
    const { adapters } = merged([FILE, other]);
    assert.deepEqual(
      adapters[0]?.entries.map(({ ms }) => ms),
      [0.5, 1],
    );
  });

  it("build tuned bundles, and what matches nothing is counted", async () => {
    const strange = { ...measured[0]!, kernel: "0123456789abcdef" };
    const file = { ...FILE, adapters: [{ ...FILE.adapters[0]!, entries: [...measured, strange] }] };
    writeFileSync(at("tuning.json"), tuningText(file));
    writeFileSync(at("gated.krait"), MODEL);
    const { out } = await kraitOk("build", at("gated.krait"), "-o", at("out"), "--tuning", at("tuning.json"));
    assert.match(out, /baseline@nvidia-hopper: /);
    assert.match(out, /tuned for nvidia hopper: 2 entries used, 1 matches nothing in this model/);
    const { out: again } = await kraitOk("inspect", at("out"));
    assert.match(again, /target baseline@nvidia-hopper/);
    await kraitOk("explain", at("out"), "--size", "b=2,t=32");
  });

  for (const [what, damaged, said] of [
    ["cut off", text.slice(0, -40), /is no tuning file, or was cut off/],
    ["something else", "[]", /its "format" is not "krait-tuning"/],
    ["nothing", "null", /its "format" is not "krait-tuning"/],
    ["of another version", text.replace('"version":1', '"version":2'), /version 2 .* reads version 1/],
    [
      "with a wrong size",
      text.replace('"rows":64', '"rows":-1'),
      /is damaged:\n {2}adapters\.0\.entries\.0\.shape\.rows/,
    ],
    [
      "with a size that no run has",
      text.replace('"rows":64', `"rows":${String(2 ** 32)}`),
      /is damaged:\n {2}adapters\.0\.entries\.0\.shape\.rows/,
    ],
    [
      "with a wrong identity",
      text.replace(/"kernel":"[0-9a-f]+"/, '"kernel":"x"'),
      /is not a kernel's identity/,
    ],
    ["without adapters", '{"format":"krait-tuning","version":1}', /is damaged:\n {2}adapters/],
  ] as const) {
    it(`are refused if they are ${what}`, async () => {
      writeFileSync(at("damaged.json"), damaged);
      writeFileSync(at("gated.krait"), MODEL);
      const { code, err } = await krait(
        ...["build", at("gated.krait"), "-o", at("none"), "--tuning", at("damaged.json")],
      );
      assert.equal(code, 1, err);
      assert.match(err, said);
      assert.match(err, /damaged\.json/);
    });
  }
});
