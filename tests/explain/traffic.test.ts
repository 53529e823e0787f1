/** What explain says that kernels read and write, against an interpreter that makes every access. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { compile, type Compilation, type CompileOptions } from "../../compiler/compile.js";
import { count } from "../../compiler/explain/address-set.js";
import { trafficOf, workgroupsOf } from "../../compiler/explain/traffic.js";
import { elements, type Tensor } from "../../compiler/5-kernel/lower/buffers.js";
import type { LoweredKernel } from "../../compiler/5-kernel/lower/index.js";
import type { BoundBuffer } from "../../compiler/5-kernel/lower/scope.js";
import type { EmittedTarget } from "../../compiler/6-emit/target.js";
import type { Dim } from "../../runtime/bundle-format.js";
import { Numbers } from "../../runtime/numbers.js";
import { recordAccesses, type Recorded } from "../support/kernel-accesses.js";
import { SCAN } from "../support/scan.js";

interface Sizes {
  readonly batch: number;
  readonly steps: number;
}

interface Run {
  readonly lowered: LoweredKernel;
  readonly dim: (dim: Dim) => number;
  readonly recorded: Recorded;
}

function compiled(text: string, options: CompileOptions): Compilation & { readonly target: EmittedTarget } {
  const { diagnostics, stages, bundle } = compile({ path: "test.krait", text }, options);
  assert.deepEqual(diagnostics, []);
  const [target] = stages.targets ?? [];
  assert.ok(target !== undefined && bundle !== undefined);
  return { ...(stages as Compilation), target };
}

/** The kernels that a program runs at these sizes, each interpreted once. */
function runs(
  text: string,
  options: CompileOptions,
  program: "prefill" | "step",
  sizes: Sizes,
): readonly Run[] {
  const { target, ...rest } = compiled(text, options);
  const emitted = target.programs.find(({ name }) => name === program);
  const entry = program === "step" ? target.entry.step : target.entry.prefill;
  assert.ok(emitted !== undefined && entry !== undefined && rest.targets.length > 0);
  const [batch, steps] = [sizes.batch, program === "step" ? 1 : sizes.steps];
  const numbers = new Numbers({ batch: "b", steps: "t", hasBatch: true, hasTime: true }, entry.numbers);
  const values = numbers.values({
    batch,
    steps,
    pos: 0,
    tailBegin: Math.max(steps - 2, 0),
    tailCount: Math.min(steps, 2),
  });
  const dim = (of: Dim): number => numbers.compile(of)(values);
  const named = Object.fromEntries(
    ["b", "t", "pos", "tail_begin", "tail_count", ...entry.numbers.map(({ name }) => name)].map((name) => [
      name,
      dim(name),
    ]),
  );
  const seen = new Set<unknown>();
  return emitted.groups
    .flatMap(({ kernels }) => kernels)
    .filter(({ kernel, when }) => {
      const known = seen.has(kernel);
      seen.add(kernel);
      return !known && (when === undefined || dim(when) !== 0);
    })
    .map((lowered) => ({
      lowered,
      dim,
      recorded: recordAccesses(lowered.kernel, named, buffersOf(lowered, dim)),
    }));
}

const sizeOf = (buffer: BoundBuffer, dim: Run["dim"]): number =>
  buffer.kind === "pack" ? buffer.size : dim(elements(buffer.tensor)) * (buffer.tensor.joint?.count ?? 1);

/** Index inputs count up, so that what they gather is all different; everything else is small. */
function buffersOf({ kernel, buffers }: LoweredKernel, dim: Run["dim"]): Map<string, Float64Array> {
  return new Map(
    kernel.bindings.map(({ name, element }, i) => {
      const size = sizeOf(buffers[i]!, dim);
      return [name, Float64Array.from({ length: size }, (_, k) => (element === "u32" ? k : (k % 7) / 7))];
    }),
  );
}

function agrees({ lowered, dim, recorded }: Run): void {
  const { kernel, buffers } = lowered;
  const sizes = new Map(kernel.bindings.map(({ name }, i) => [name, sizeOf(buffers[i]!, dim)]));
  const found = trafficOf(kernel, dim, (binding) => sizes.get(binding) ?? 0);
  assert.equal(workgroupsOf(kernel, dim), recorded.workgroups, `${kernel.name}: workgroups`);
  for (const { binding, reads, writes } of found)
    for (const [kind, touched, log] of [
      ["reads", reads, recorded.reads],
      ["writes", writes, recorded.writes],
    ] as const) {
      const real = log.get(binding);
      const what = `${kernel.name} ${kind} ${binding}`;
      assert.equal(touched.distinct, real?.distinct ?? 0, `${what}: distinct`);
      assert.equal(touched.byWorkgroups, real?.byWorkgroups ?? 0, `${what}: by workgroups`);
      if (touched.places !== undefined)
        for (const address of real?.addresses ?? [])
          assert.ok(contains(touched.places.runs, address), `${what}: ${address}`);
      if (touched.places !== undefined) assert.equal(count(touched.places), real?.distinct ?? 0);
    }
}

function contains(runs: Float64Array, address: number): boolean {
  for (let i = 0; i < runs.length; i += 2) if (address >= runs[i]! && address < runs[i + 1]!) return true;
  return false;
}

const MAMBA = readFileSync(new URL("../../templates/models/mamba.krait", import.meta.url), "utf8");
const SMALL = { vocab: 200, width: 32, layers: 1, state_size: 4 };

describe("explain: bytes", () => {
  for (const [program, sizes] of [
    ["prefill", { batch: 1, steps: 5 }],
    ["prefill", { batch: 2, steps: 3 }],
    ["prefill", { batch: 2, steps: 17 }],
    ["prefill", { batch: 1, steps: 1 }],
    ["step", { batch: 1, steps: 1 }],
    ["step", { batch: 3, steps: 1 }],
  ] as const)
    it(`a whole model: ${program} of ${sizes.batch} × ${sizes.steps}`, () => {
      for (const run of runs(MAMBA, { set: SMALL }, program, sizes)) agrees(run);
    });

  it("a model whose widths fill no tile", () => {
    const set = { vocab: 67, width: 20, layers: 1, state_size: 3, inner: 37, dt_rank: 5, taps: 3 };
    for (const run of runs(MAMBA, { set }, "prefill", { batch: 2, steps: 11 })) agrees(run);
    for (const run of runs(MAMBA, { set }, "step", { batch: 2, steps: 1 })) agrees(run);
  });

  it("a coupled recurrence, kept in memory", () => {
    const text = `axis b: batch, t: time
      axis n = 5, m = 5
      model coupled {
        input x: f32[b, t, n]
        param w[m, n]
        state h[n]
        h = tanh(dot(w, prev(h), over n)[m -> n]) + x
        output y[b, t, n] = h
      }`;
    for (const run of runs(text, {}, "prefill", { batch: 3, steps: 4 })) agrees(run);
  });
});

describe("explain: the least that a scan can move", () => {
  const set = { channels: 48, groups: 2, states: 8 };
  const elementsOf = ({ batch: b, steps: t }: Sizes) => {
    const [d, g, n] = [set.channels, set.groups, set.states];
    const stream = b * t * d;
    return {
      u: stream,
      delta: stream,
      z: stream,
      B: b * t * g * n,
      C: b * t * g * n,
      A: d * n,
      D: d,
      delta_bias: d,
    };
  };
  const tensorOf = (buffer: BoundBuffer | undefined): Tensor | undefined =>
    buffer?.kind === "tensor" ? buffer.tensor : undefined;

  for (const sizes of [
    { batch: 1, steps: 24 },
    { batch: 2, steps: 33 },
    { batch: 1, steps: 64 },
  ]) {
    it(`uncut, ${sizes.batch} × ${sizes.steps}: at most 1.1 of it`, () => {
      const all = runs(SCAN, { set, schedule: { chunkBelow: 0 } }, "prefill", sizes);
      const scans = all.filter(({ lowered }) => lowered.kernel.skeleton === "scan");
      assert.equal(scans.length, 1);
      all.forEach(agrees);
      const moved = scans.flatMap(({ recorded }) => [
        ...recorded.reads.values(),
        ...recorded.writes.values(),
      ]);
      const total = moved.reduce((sum, { distinct }) => sum + distinct, 0);
      const inputs = Object.values(elementsOf(sizes)).reduce((p, q) => p + q, 0);
      const states = 2 * sizes.batch * set.channels * set.states;
      const least = inputs + states + sizes.batch * sizes.steps * set.channels;
      assert.ok(total >= 0.9 * least, `${total} of ${least}: the scan leaves something unread`);
      assert.ok(total <= 1.1 * least, `${total} of ${least}`);
    });

    it(`in chunks, ${sizes.batch} × ${sizes.steps}: u, delta and B at most twice`, () => {
      const all = runs(SCAN, { set, schedule: { chunkBelow: 1e9, chunkFrom: 16 } }, "prefill", sizes);
      const scans = all.filter(({ lowered }) => lowered.kernel.skeleton === "scan");
      assert.equal(scans.length, 3);
      all.forEach(agrees);
      const wanted = elementsOf(sizes);
      const read: Record<string, number> = {};
      // Of all kernels: what a scan has too many buffers for, another may have copied beside something else.
      for (const { lowered, recorded } of all)
        lowered.kernel.bindings.forEach(({ name }, i) => {
          const ref = tensorOf(lowered.buffers[i])?.ref;
          if (ref?.kind === "input")
            read[ref.name] = (read[ref.name] ?? 0) + (recorded.reads.get(name)?.distinct ?? 0);
        });
      for (const name of ["u", "delta", "B"] as const) {
        assert.ok(read[name]! >= wanted[name], `${name}: ${read[name]} of ${wanted[name]}`);
        assert.ok(read[name]! <= 2 * wanted[name], `${name}: ${read[name]} of ${wanted[name]}`);
      }
      for (const name of ["z", "C"] as const) assert.equal(read[name], wanted[name]);
    });
  }
});
