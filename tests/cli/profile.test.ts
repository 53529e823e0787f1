/** `krait run --profile` and `--trace`: every launch is there, named, timed, and beside what `krait explain` says of it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as v from "valibot";
import { compile, type Compilation } from "../../compiler/compile.js";
import type { Explanation } from "../../compiler/explain/index.js";
import { open, type Bundle } from "../../runtime/index.js";
import { familySource } from "../../src/families.js";
import { launched } from "../../src/cli/launches.js";
import { EXACT_TIMES } from "../../src/cli/profile-options.js";
import { profileText } from "../../src/cli/profile-text.js";
import { syntheticWeights } from "../../src/measure/noise.js";
import { chromeTrace } from "../../src/profile/chrome-trace.js";
import { profileOf, Works, type Profile } from "../../src/profile/profile.js";
import { Tracer, type Trace } from "../../src/profile/tracer.js";
import { requestDevice } from "../../src/node/index.js";
import { testAdapter } from "../support/adapter.js";
import { krait, kraitOk, temporaryFolder } from "../support/cli.js";
import { checkpointFixture } from "../support/fixtures.js";

const PLACE = { pid: v.number(), tid: v.number(), name: v.string() };
const TIME = v.pipe(v.number(), v.finite());
const EventSchema = v.variant("ph", [
  v.strictObject({ ...PLACE, ph: v.literal("M"), args: v.strictObject({ name: v.string() }) }),
  v.strictObject({
    ...PLACE,
    ph: v.literal("X"),
    ts: TIME,
    dur: v.pipe(TIME, v.minValue(0)),
    args: v.optional(v.record(v.string(), v.unknown())),
  }),
  v.strictObject({
    ...PLACE,
    ph: v.picklist(["b", "e"]),
    cat: v.string(),
    id: v.number(),
    ts: TIME,
    args: v.optional(v.record(v.string(), v.unknown())),
  }),
]);
const TraceSchema = v.strictObject({ displayTimeUnit: v.literal("ns"), traceEvents: v.array(EventSchema) });

const BOUNDS = { copy: 2e9, lanes: 1e9, product: 1e9 };
const BOUND_OPTION = ["--bounds", "copy=2,lanes=1"];

describe("krait run --profile", () => {
  const at = temporaryFolder();
  const checkpoint = checkpointFixture("mamba");
  const weights = ["--weights", checkpoint.directory];
  const tokens = ["--tokens", "1,2,3,4,5", "--max-new", "4"];
  let profile: Profile;
  let generated: readonly number[];
  let bundle: Bundle;

  before(async () => {
    await kraitOk("import", checkpoint.directory, "-o", at("bundle"));
    const manifest = JSON.parse(readFileSync(at("bundle/model.json"), "utf8")) as Bundle["manifest"];
    bundle = { manifest, files: new Map() };
    const profiled = ["--profile", "--trace", at("trace.json"), ...BOUND_OPTION, "--json"];
    const { out } = await kraitOk("run", at("bundle"), ...weights, ...tokens, ...profiled);
    ({ profile, generated } = JSON.parse(out) as { profile: Profile; generated: readonly number[] });
  });

  it("changes nothing of what is computed", async () => {
    const { out } = await kraitOk("run", at("bundle"), ...weights, ...tokens);
    assert.deepEqual(out.trim().split("\n").map(Number), generated);
  });

  it("has every launch of each program, by the shaders' ids", () => {
    const [target] = bundle.manifest.targets;
    assert.ok(target?.step);
    for (const [name, program, steps, runs] of [
      ["prefill", target.prefill, 5, 1],
      ["step", target.step, 1, 3],
    ] as const) {
      const expected = new Map<string, number>();
      for (const { shader } of launched(bundle.manifest, program, { batch: 1, steps }))
        expected.set(shader, (expected.get(shader) ?? 0) + runs);
      const own = profile.kernels.filter((kernel) => kernel.program === name);
      assert.deepEqual(
        new Map(own.map(({ kernel, launches }) => [kernel, launches])),
        new Map([...expected].filter(([, count]) => count > 0)),
      );
      const found = profile.programs.find((each) => each.program === name);
      assert.equal(found?.runs, runs);
      assert.equal(
        found.launches,
        own.reduce((sum, { launches }) => sum + launches, 0),
      );
    }
  });

  it("sets bytes and operations beside times as `krait explain` counts them", async () => {
    for (const [program, runs] of [
      ["prefill", 1],
      ["step", 3],
    ] as const) {
      const size = program === "prefill" ? ["--size", "b=1,t=5"] : [];
      const { out } = await kraitOk("explain", at("bundle"), "--program", program, ...size, "--json");
      const { bytes, kernels } = JSON.parse(out) as Explanation;
      const own = profile.kernels.filter((kernel) => kernel.program === program);
      const sum = (of: (kernel: Profile["kernels"][number]) => number | undefined): number =>
        own.reduce((total, kernel) => total + (of(kernel) ?? NaN), 0);
      const operations = kernels.flatMap(({ times, dispatches }) =>
        dispatches.map(({ arithmetic, transcendental }) => times * (arithmetic + transcendental)),
      );
      const allOperations = operations.reduce((total, each) => total + each, 0);
      assert.ok(Math.abs(sum((kernel) => kernel.bytes) / runs / (bytes.read + bytes.written) - 1) < 1e-12);
      assert.ok(Math.abs(sum((kernel) => kernel.operations) / runs / allOperations - 1) < 1e-12);
    }
  });

  it("names the lines of source, and what bounds a kernel", () => {
    assert.deepEqual(profile.bounds, BOUNDS);
    for (const { source, kernel, ms, bytes, operations, bound } of profile.kernels) {
      assert.ok(source.length > 0, kernel);
      assert.ok(ms !== undefined && ms > 0 && bytes !== undefined && operations !== undefined);
      const [memory, computing] = [(1e3 * bytes) / BOUNDS.copy, (1e3 * operations) / BOUNDS.lanes];
      assert.equal(bound?.by, memory >= computing ? "memory" : "operations");
      assert.ok(Math.abs(bound.share / (Math.max(memory, computing) / ms) - 1) < 1e-12);
    }
    const scan = profile.kernels.find(({ kernel }) => kernel.startsWith("y_scan"));
    assert.ok(scan?.source.some(({ text }) => text.startsWith("der(h)")));
  });

  it("writes a trace whose launches add up to the profile", () => {
    const json: unknown = JSON.parse(readFileSync(at("trace.json"), "utf8"));
    const { traceEvents } = v.parse(TraceSchema, json);
    const timed = traceEvents.flatMap((event) => (event.ph === "X" ? [event] : []));
    const programs = new Set(profile.programs.map(({ program }) => program));
    const onGpu = timed.filter(({ tid }) => tid === 1);
    const runs = onGpu.filter(({ name }) => programs.has(name));
    const launches = onGpu.filter(({ name }) => !programs.has(name));
    assert.equal(
      launches.length,
      profile.programs.reduce((sum, program) => sum + program.launches, 0),
    );
    const total = (events: readonly { dur: number }[]): number =>
      events.reduce((sum, { dur }) => sum + dur, 0) / 1000;
    const kernelMs = profile.kernels.reduce((sum, { ms = NaN }) => sum + ms, 0);
    const gpuMs = profile.programs.reduce((sum, { gpuMs: ms = NaN }) => sum + ms, 0);
    assert.ok(Math.abs(total(launches) / kernelMs - 1) < 1e-6);
    assert.ok(Math.abs(total(runs) / gpuMs - 1) < 1e-6);
    // A launch lies in its run, and none begins before the host submitted it.
    const rounding = 1e-3;
    for (const { ts, dur } of launches)
      assert.ok(runs.some((run) => run.ts <= ts + rounding && ts + dur <= run.ts + run.dur + rounding));
    const submits = timed.filter(({ name }) => name === "submit").map(({ ts }) => ts);
    for (const [i, run] of runs.entries()) assert.ok(run.ts >= (submits[i] ?? NaN) - rounding);
    // What waits has a begin and an end.
    const waits = traceEvents.flatMap((event) => (event.ph === "b" || event.ph === "e" ? [event] : []));
    assert.ok(waits.length >= 2 * generated.length);
    for (const begin of waits.filter(({ ph }) => ph === "b"))
      assert.ok(waits.some(({ ph, id, ts }) => ph === "e" && id === begin.id && ts >= begin.ts));
  });

  it("is said on standard error, with the tokens alone on standard output", async () => {
    const { out, err } = await kraitOk(
      "run",
      ...[at("bundle"), ...weights, ...tokens, "--profile", ...BOUND_OPTION],
    );
    assert.deepEqual(out.trim().split("\n").map(Number), generated);
    assert.match(err, /^at most: 2 GB\/s \(a copy\), 1 GFLOP\/s/m);
    assert.match(err, /^step: 3 runs, \d+ launches; .* on the GPU, .* each;/m);
    assert.match(err, /^ {2}logits_rows\S* +mamba\.krait:\d+.* \d+% of (memory|operations)$/m);
    assert.match(err, /^host: encode .*submit .*read back /m);
  });

  it("measures the bounds that are not given", async () => {
    const json = await kraitOk("run", at("bundle"), ...weights, "--tokens", "1", "--profile", "--json");
    const { copy, lanes, product } = (JSON.parse(json.out) as { profile: Profile }).profile.bounds;
    assert.ok(copy > 1e6 && lanes > 1e6 && product === lanes);
  });

  it("refuses bounds that are none, or that nothing is held to", async () => {
    const run = (...args: readonly string[]): ReturnType<typeof krait> =>
      krait("run", at("bundle"), ...weights, ...tokens, ...args);
    assert.match((await run("--profile", "--bounds", "speed=3")).err, /expected copy=GB\/s/);
    assert.match((await run("--profile", "--bounds", "copy=0")).err, /expected copy=GB\/s/);
    const alone = await run("--bounds", "copy=3");
    assert.equal(alone.code, 2);
    assert.match(alone.err, /--profile or --trace/);
  });
});

describe("a tracer", () => {
  const VOCABULARY = 13;
  const source = familySource("mamba");
  assert.ok(source);
  const set = { vocab: VOCABULARY, width: 16, layers: 1 };
  const { bundle, stages } = compile(source, { set, packed: true });
  assert.ok(bundle);
  const model = { bundle, compilation: stages as Compilation, sources: [source], target: "baseline" };
  const ids = (count: number): Uint32Array<ArrayBuffer> =>
    new Uint32Array(count).map((_, i) => i % VOCABULARY);

  async function traced(
    features: readonly GPUFeatureName[],
    work: (model: Awaited<ReturnType<typeof open>>) => Promise<void>,
  ): Promise<Trace> {
    const { name } = await testAdapter();
    const device = await requestDevice({
      adapter: name,
      bundle: model.bundle,
      features,
      toggles: EXACT_TIMES,
    });
    try {
      const tracer = new Tracer(device);
      const weights = syntheticWeights(model.bundle, {});
      await work(await open(model.bundle, { device: tracer.device, weights }));
      return await tracer.finish();
    } finally {
      device.destroy();
    }
  }

  it("has a run for each piece of a sequence that is cut, at the sizes of the piece", async () => {
    const trace = await traced(["timestamp-query"], async (opened) => {
      const session = await opened.session({ batch: 2, maxChunk: 8 });
      await session.prefill({ token: ids(2 * 19) });
    });
    const works = new Works(model);
    const pieces = trace.runs.filter(({ program }) => program === "prefill");
    assert.equal(pieces.length, 3);
    const embedding = pieces.map((run) => {
      const [first] = run.launches;
      assert.ok(first);
      return works.of(run, first)?.bytes ?? NaN;
    });
    // 8, 8 and 3 steps of what is looked up first: only what a step moves differs, so the bytes are on a line.
    assert.equal(embedding[0], embedding[1]);
    assert.ok((embedding[2] ?? NaN) < (embedding[0] ?? NaN));
  });

  it("knows the work of packed runs", async () => {
    const trace = await traced(["timestamp-query"], async (opened) => {
      const session = await opened.session({ batch: 3 });
      await session.prefill({ token: ids(11) }, { lengths: [5, 0, 6] });
    });
    const profile = profileOf(trace, new Works(model), "baseline", BOUNDS);
    const packed = profile.kernels.filter(({ program }) => program === "packed");
    assert.ok(packed.length > 0);
    for (const { kernel, bytes, ms } of packed)
      assert.ok((bytes ?? 0) > 0 && (ms ?? 0) > 0, `${kernel} ${bytes} ${ms}`);
  });

  it("says clearly that there are no timestamps, and tells the host's time", async () => {
    const trace = await traced([], async (opened) => {
      const session = await opened.session();
      await session.prefill({ token: ids(5) });
      await session.step({ token: ids(1) });
    });
    assert.equal(trace.hasTimestamps, false);
    const works = new Works(model);
    const profile = profileOf(trace, works, "baseline", BOUNDS);
    for (const { ms, bound, bytes } of profile.kernels) {
      assert.ok(ms === undefined && bound === undefined);
      assert.ok((bytes ?? 0) > 0);
    }
    for (const { gpuMs, hostMs } of profile.programs) assert.ok(gpuMs === undefined && hostMs > 0);
    assert.match(
      profileText(profile, "a device"),
      /no timestamps[^]*^step: 1 run, .* from submitting to done$/m,
    );
    const { traceEvents } = v.parse(TraceSchema, JSON.parse(JSON.stringify(chromeTrace(trace, works))));
    const begun = traceEvents.filter(({ ph, tid }) => ph === "b" && tid === 1).map(({ name }) => name);
    assert.deepEqual(
      begun,
      trace.runs.map(({ program }) => program),
    );
    assert.ok(begun.includes("prefill") && begun.includes("step"));
  });
});
