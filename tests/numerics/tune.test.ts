/** What is measured is checked: a schedule that computes something else, or nothing, is named and never chosen. */
import assert from "node:assert/strict";
import type { Kernel, ScanKernel } from "../../compiler/5-kernel/types.js";
import { compile } from "../../compiler/compile.js";
import { differenceOf, type Written } from "../../src/tune/outputs.js";
import { search, type Trial } from "../../src/tune/search.js";
import { tune, type TuneOptions } from "../../src/tune/tune.js";
import { testDevice } from "../support/adapter.js";

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
  sizes: [{ batch: 2, steps: 12 }],
  only: "scan",
  exhaustive: false,
  timing: { runs: 1, warmUpMs: 0 },
  isOver: () => false,
};

async function tuned(edit: (kernel: ScanKernel) => Kernel) {
  const { bundle, stages } = compile({ path: "smooth.krait", text: MODEL });
  const [target] = stages.targets ?? [];
  assert(bundle !== undefined && target !== undefined);
  const kernels = new Map(
    [...target.kernels].map(([id, kernel]) => [id, kernel.skeleton === "scan" ? edit(kernel) : kernel]),
  );
  return tune({ bundle, target: { ...target, kernels } }, await testDevice(), OPTIONS);
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
