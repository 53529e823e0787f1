/** What is measured is checked: a schedule that computes something else, or nothing, is named and never chosen. */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import type { Kernel, ScanKernel } from "../../compiler/5-kernel/types.js";
import { compile } from "../../compiler/compile.js";
import { schedulesFor, TARGETS } from "../../compiler/4-passes/schedule.js";
import {
  neighbours,
  spaceOf,
  withSchedule,
  workgroupNeeds,
  type Schedule,
} from "../../compiler/5-kernel/schedules/space.js";
import { usualRows } from "../../compiler/5-kernel/schedules/usual-rows.js";
import { Experience } from "../../src/tune/experience.js";
import { differenceOf, type Written } from "../../src/tune/outputs.js";
import { search, type Trial } from "../../src/tune/search.js";
import { sideBySide } from "../../src/tune/side-by-side.js";
import { tune, type TuneOptions } from "../../src/tune/tune.js";
import { testDevice } from "../support/adapter.js";
import { bitsOf, halfStepAt } from "../support/sixteen-bits.js";

const MODEL = `
axis b: batch, t: time, d = 12
model smooth {
  input x: f32[b, t, d]
  state h[d]
  h = 0.5 * prev(h) + x
  output y[b, t, d] = h
}
`;
const OPTIONS: TuneOptions = {
  sizes: [{ batch: 2, steps: 12, program: "prefill" }],
  only: "scan",
  exhaustive: false,
  timing: { runs: 1, warmUpMs: 0 },
  isOver: () => false,
};

async function tuned(
  edit: (kernel: ScanKernel) => Kernel = (kernel) => kernel,
  more: Partial<TuneOptions> = {},
) {
  const { bundle, stages } = compile({ path: "smooth.krait", text: MODEL });
  const [target] = stages.targets ?? [];
  assert(bundle !== undefined && target !== undefined);
  const kernels = new Map(
    [...target.kernels].map(([id, kernel]) => [id, kernel.skeleton === "scan" ? edit(kernel) : kernel]),
  );
  return tune({ bundle, target: { ...target, kernels } }, await testDevice(), { ...OPTIONS, ...more });
}

describe("measuring schedules", () => {
  it("finds kernels that compute something else, and those that write nothing", async () => {
    const wrong = await tuned((kernel) => ({
      ...kernel,
      states: kernel.states.map((state) => ({
        ...state,
        initial: { kind: "literal", type: "f32", value: 7 },
      })),
    }));
    assert.deepEqual(wrong.results, []);
    assert.ok(wrong.wrong.length >= 1);
    for (const each of wrong.wrong)
      assert.match(each, /^\w+ by the schedule channels .* computes something else/);

    const never = { kind: "literal", type: "bool", value: 0 } as const;
    const silent = await tuned((kernel) => ({
      ...kernel,
      stores: kernel.stores.map((store) => ({ ...store, when: never })),
    }));
    assert.deepEqual(silent.results, []);
  });

  it("reports every schedule that it looked at, with its time or why it was refused", async () => {
    const told: number[] = [];
    const { results, trials, left } = await tuned(undefined, {
      onTrial: (trial, { measured }) => told.push("ms" in trial ? measured : -1),
    });
    const [result] = results;
    assert(result !== undefined && results.length === 1 && left === 0);
    assert.deepEqual(
      told,
      trials.map((_, i) => i + 1),
    );
    assert.equal(trials.length, result.measured);
    assert.ok(trials.some(({ schedule }) => isDeepStrictEqual({ ...schedule }, result.schedule)));
    assert.ok(trials.every((each) => "ms" in each && each.ms > 0 && each.label === result.label));

    const { trials: refused } = await tuned((kernel) => ({
      ...kernel,
      bindings: kernel.bindings.map((binding) => ({ ...binding, element: "u32" as const })),
    }));
    assert.ok(refused.length > 0);
    for (const each of refused) assert.match("refused" in each ? each.refused : "", /^does not compile: /);
  });

  it("keeps to its budget", async () => {
    const { results, trials, left } = await tuned(undefined, { budgetMs: 1 });
    assert.deepEqual([results, trials, left], [[], [], 1]);
  });

  it("begins with what won for kernels of the same name, those of the nearest shapes first", async () => {
    const schedule = { channels: 4, lanes: 1, steps: 8 };
    const winners = [
      { label: "h_scan", shape: { leads: 500, steps: 900 }, schedule: { ...schedule, steps: 32 } },
      { label: "h_scan", shape: { leads: 2, steps: 16 }, schedule },
      { label: "another", shape: { leads: 2, steps: 12 }, schedule: { ...schedule, steps: 16 } },
    ];
    const { trials } = await tuned(undefined, { winners });
    const [, ...after] = trials.map((trial) => trial.schedule);
    assert.deepEqual(after.slice(0, 2), [schedule, { ...schedule, steps: 32 }]);
  });

  it("begins for quantized products with what the compiler takes for few rows, which reads by pieces", () => {
    const text = `axis b: batch, c = 512, d = 768
      model product {
        input x: f32[b, c]
        param w[d, c]
        output y[b, d] = dot(w, x, over c)
      }`;
    const { stages } = compile({ path: "product.krait", text }, { weights: "int8" });
    const kernels = [...(stages.targets?.[0]?.kernels.values() ?? [])].flatMap((kernel) =>
      kernel.skeleton === "contract" ? [kernel] : [],
    );
    const rows = kernels.find(({ schedule }) => schedule.kind === "rows");
    const tiled = kernels.find(({ schedule }) => schedule.kind === "tiled");
    const [baseline] = TARGETS;
    assert(rows !== undefined && tiled !== undefined && baseline !== undefined);
    const schedules = schedulesFor(baseline);
    assert.deepEqual(usualRows(tiled, schedules), rows.schedule);
    assert.notDeepEqual(usualRows({ ...tiled, bindings: [] }, schedules), rows.schedule);
  });

  it("names what does not compile, and goes on without it", async () => {
    const { results, wrong } = await tuned((kernel) => ({
      ...kernel,
      bindings: kernel.bindings.map((binding) => ({ ...binding, element: "u32" as const })),
    }));
    assert.deepEqual(results, []);
    assert.ok(
      wrong.some((each) => each.includes("does not compile")),
      wrong.join("\n"),
    );
  });

  it("tells how far outputs are apart", () => {
    const f32 = (...values: number[]): Written => ({
      element: "f32",
      bytes: Float32Array.from(values).buffer,
    });
    const u32 = (...values: number[]): Written => ({
      element: "u32",
      bytes: Uint32Array.from(values).buffer,
    });
    assert.equal(differenceOf([f32(3, 4)], [f32(3, 4)]), 0);
    assert.equal(differenceOf([f32(3, 5)], [f32(3, 4)]), 1 / 5);
    assert.equal(differenceOf([f32(NaN, Infinity)], [f32(NaN, Infinity)]), 0);
    assert.equal(differenceOf([f32(NaN, 4)], [f32(3, 4)]), Infinity);
    assert.equal(differenceOf([f32(3)], [f32(3, 4)]), Infinity);
    for (const element of ["f16", "bf16"] as const) {
      const half = (...values: number[]): Written => ({ element, bytes: bitsOf(element, values).buffer });
      const step = 2 * halfStepAt(element, 1);
      assert.equal(
        differenceOf([half(1, -1, 0, 4)], [half(1 + step, -1 - step, -0, 4)]),
        0,
        "rounded elsewhere",
      );
      assert.ok(differenceOf([half(1, 2)], [half(1 + 2 * step, 2)]) > step / 2);
      assert.equal(differenceOf([half(3, 5)], [half(3, 4)]), 1 / 5);
      assert.equal(differenceOf([half(NaN, 4)], [half(3, 4)]), Infinity);
    }
    assert.equal(differenceOf([u32(1, 2)], [u32(1, 2)]), 0);
    assert.equal(differenceOf([u32(1, 2)], [u32(1, 3)]), Infinity);
  });
});

describe("searching a space", () => {
  const values = [8, 16, 32];
  const space = [1, 2, 4, 8, 16, 32].flatMap((channels) =>
    [1, 2, 4, 8].flatMap((lanes) => values.map((steps) => ({ channels, lanes, steps }))),
  );
  const best = space.find(({ channels, lanes, steps }) => channels === 16 && lanes === 4 && steps === 32);
  assert(best !== undefined);
  const distance = (of: Trial["schedule"]): number => {
    if (!("channels" in of)) return Infinity;
    const log = (p: number, q: number): number => Math.abs(Math.log2(p / q));
    return log(of.channels, best.channels) + log(of.lanes, best.lanes) + log(of.steps, best.steps);
  };

  async function run(
    exhaustive: boolean,
    most = Infinity,
  ): Promise<{ found: readonly Trial[]; count: number }> {
    let count = 0;
    const [seed] = space;
    assert(seed !== undefined);
    const found = await search({
      seeds: [seed],
      space,
      exhaustive,
      isOver: () => count >= most,
      measure: (schedules) => {
        count += schedules.length;
        return Promise.resolve(schedules.map((schedule) => ({ schedule, ms: 1 + distance(schedule) })));
      },
    });
    return { found, count };
  }

  it("goes downhill to the best, measuring each schedule once and few of them", async () => {
    const { found, count } = await run(false);
    assert.equal(found[0]?.schedule, best);
    assert.equal(new Set(found.map(({ schedule }) => schedule)).size, count);
    assert.ok(count < space.length * 0.75, String(count));
  });

  it("makes two changes together where neither alone lost much", async () => {
    const from = space.find((each) => each.channels === 8 && each.lanes === 2 && each.steps === 16);
    assert(from !== undefined);
    const tried: Schedule[] = [];
    await search({
      seeds: [from],
      space,
      exhaustive: false,
      isOver: () => false,
      measure: (schedules) => {
        tried.push(...schedules);
        // Nothing is better, and other channels are far worse.
        const time = (each: Schedule): number =>
          each === from ? 1 : "channels" in each && each.channels !== from.channels ? 1.5 : 1.05;
        return Promise.resolve(schedules.map((schedule) => ({ schedule, ms: time(schedule) })));
      },
    });
    const singles = neighbours(from, space, 1);
    const pairs = neighbours(from, space, 2).filter((each) => "channels" in each && each.channels === 8);
    assert.deepEqual(new Set(tried), new Set([from, ...singles, ...pairs]));
    assert.ok(pairs.length > 0 && pairs.length < neighbours(from, space, 2).length);
  });

  it("measures those first whose changes gained before, for this kernel more than for others", () => {
    const at = (channels: number, lanes: number, steps: number): Schedule => ({ channels, lanes, steps });
    const [from, wide, long] = [at(8, 4, 16), at(16, 4, 16), at(8, 4, 32)];
    const experience = new Experience();
    const order = (label: string): readonly Schedule[] =>
      experience.guide(label, () => 1).order(from, [at(8, 8, 16), long, wide, at(16, 4, 32)]);
    assert.deepEqual(order("h_scan")[0], at(8, 8, 16));
    const ms = (schedule: Schedule, time: number): Trial => ({ schedule, ms: time });
    experience.guide("h_scan", () => 1).saw(ms(from, 2), ms(wide, 1));
    experience.guide("h_scan", () => 1).saw(ms(from, 2), ms(long, 1.5));
    assert.deepEqual(order("h_scan").slice(0, 3), [at(16, 4, 32), wide, long]);
    assert.deepEqual(order("y_scan").slice(0, 3), [at(16, 4, 32), wide, long]);
    for (let i = 0; i < 4; i++) experience.guide("y_scan", () => 1).saw(ms(from, 1), ms(wide, 2));
    assert.deepEqual(order("y_scan")[0], long);
    assert.deepEqual(order("y_scan").at(-1), wide);
    assert.deepEqual(order("h_scan").at(-1), at(8, 8, 16));
  });

  it("measures those first that leave more side by side, while nothing else is known", () => {
    const from: Schedule = { channels: 8, lanes: 4, steps: 16 };
    const [long, short] = [32, 8].map((steps): Schedule => ({ ...from, steps })) as [Schedule, Schedule];
    const bytes = (each: Schedule): number => 1024 * ("steps" in each ? each.steps : 0);
    const atWork = (each: Schedule): number => sideBySide({ invocations: 256, bytes: bytes(each) });
    assert.deepEqual(
      [short, from, long].map(atWork),
      [5, 3, 1].map((workgroups) => 256 * workgroups),
    );
    const experience = new Experience();
    assert.deepEqual(experience.guide("h_scan", atWork).order(from, [long, short]), [short, long]);
    const slower: Trial = { schedule: short, ms: 2 };
    for (let i = 0; i < 3; i++) experience.guide("h_scan", atWork).saw({ schedule: from, ms: 1 }, slower);
    assert.deepEqual(experience.guide("h_scan", atWork).order(from, [long, short]), [long, short]);
  });

  it("knows of each schedule what its workgroups take: within the limits, all of a space", () => {
    const target = TARGETS.find(({ name }) => name === "large") ?? assert.fail();
    const source = { path: "m.krait", text: MODEL.replace("y[b, t, d] = h", "y[b, t] = dot(h, h, over d)") };
    const { stages } = compile(source, { targets: [target.name] });
    const kernels = [...(stages.targets?.[0]?.kernels.values() ?? [])];
    assert.ok(kernels.length > 0);
    for (const kernel of kernels)
      for (const schedule of spaceOf(kernel, target)) {
        const { invocations, bytes } = workgroupNeeds(withSchedule(kernel, schedule));
        const { maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupStorageSize } = target.limits;
        assert.ok(invocations >= 1 && invocations <= maxComputeInvocationsPerWorkgroup);
        assert.ok(bytes >= 0 && bytes <= maxComputeWorkgroupStorageSize);
      }
  });

  it("measures everything where it is asked to", async () => {
    const { found, count } = await run(true);
    assert.equal(found[0]?.schedule, best);
    assert.equal(count, space.length);
  });

  it("ends when it is over, with the best so far", async () => {
    const { found, count } = await run(false, 1);
    assert.equal(count, 1);
    assert.equal(found.length, 1);
  });
});
