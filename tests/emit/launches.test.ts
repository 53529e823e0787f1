/** How many dispatches a model takes, what its bundle holds, and that building is repeatable. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { evaluateDim, type Bundle, type Program } from "../../runtime/index.js";
import { bundleOf } from "../support/model.js";

const LAYERS = [2, 3, 6] as const;
const WIDE = { vocab: 50280, width: 768 };

function template(family: string, set: Readonly<Record<string, number | boolean>>): Bundle {
  return bundleOf(readFileSync(`templates/models/${family}.krait`, "utf8"), { set, verify: false });
}

/** Dispatches of a program that run at these sizes. */
function launches({ numbers, body, tail }: Program, sizes: Readonly<Record<string, number>>): number {
  const values: Record<string, number> = { pos: 0, tail_begin: 0, tail_count: 1, ...sizes };
  for (const { name, value } of numbers) if (value !== undefined) values[name] = evaluateDim(value, values);
  return [...body, ...tail].filter(({ when }) => when === undefined || evaluateDim(when, values) !== 0)
    .length;
}

describe("launches", () => {
  const bundles = LAYERS.map((layers) => template("mamba", { ...WIDE, layers }));
  const perLayer = (count: (target: Bundle["manifest"]["targets"][number]) => number): number => {
    const [few = 0, , many = 0] = bundles.map(({ manifest: { targets } }) =>
      targets[0] ? count(targets[0]) : NaN,
    );
    return (many - few) / (LAYERS[2] - LAYERS[0]);
  };

  it("Mamba's prefill takes 7 a layer in one piece of time", () => {
    assert.equal(
      perLayer(({ prefill }) => launches(prefill, { b: 8, t: 2048 })),
      7,
    );
  });
  it("Mamba's prefill takes 9 a layer where time is cut into chunks", () => {
    assert.equal(
      perLayer(({ prefill }) => launches(prefill, { b: 1, t: 2048 })),
      9,
    );
  });
  it("Mamba's step takes 4 a layer", () => {
    assert.equal(
      perLayer(({ step }) => (step ? launches(step, { b: 1 }) : NaN)),
      4,
    );
  });
  it("distinct shaders do not grow with depth", () => {
    const [, some, many] = bundles.map(({ manifest }) => manifest.targets[0]?.shaders.length);
    assert.equal(some, many);
  });
  it("templates keep to the baseline's eight storage buffers", () => {
    for (const bundle of [...bundles, template("falcon_mamba", { ...WIDE, layers: 2 })])
      for (const { label, bindings } of bundle.manifest.targets[0]?.shaders ?? [])
        assert.ok(bindings.length <= 8, `${label} binds ${bindings.length}`);
  });
  it("building twice gives the same bytes", () => {
    const [first, second] = [0, 1].map(() => template("mamba", { ...WIDE, layers: 2 }));
    assert.deepEqual(first?.files, second?.files);
  });
  it("a bundle names no path of the machine and no date", () => {
    const [bundle] = bundles;
    const text = bundle?.files.get("model.json") ?? "";
    assert.ok(text.length > 0 && !text.includes(process.cwd()) && !/\b20\d\d-\d\d-\d\d/.test(text));
  });
});
