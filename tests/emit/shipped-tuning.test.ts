import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { modelCases } from "../../bench/cases/models.js";
import { compile } from "../../compiler/compile.js";
import { familySource } from "../../src/families.js";
import { shippedTunings, tuningPath } from "../../src/cli/shipped-tuning.js";
import { readTuning, tuningOption, tuningText, type MeasuredEntry } from "../../src/cli/tuning-file.js";
import { tuningUse, useNotes, useText } from "../../src/cli/tuning-summary.js";
import { krait, kraitOk, temporaryFolder } from "../support/cli.js";

/** Whose kernels the shares below are of, however its weights are stored. */
const MODEL = /^mamba-130m(-|$)/;

/** The model as the benchmarks have it: layers that do the same have the same kernels. */
const MODELS = modelCases({ quick: false, layers: 1 }).filter(
  ({ group, name }) => group === "model" && MODEL.test(name),
);

describe("the tuning files that come with the package", () => {
  const names = shippedTunings();

  it("are there", () => {
    assert.ok(names.length > 0);
  });

  for (const name of names) {
    const { adapters } = readTuning(tuningPath(name));

    it(`${name} is written as this version writes such files, with one adapter's entries once`, () => {
      assert.equal(adapters.length, 1);
      const keys = adapters.flatMap(({ entries }) =>
        entries.map(({ target, kernel, shape }) => JSON.stringify([target, kernel, shape])),
      );
      assert.ok(keys.length > 0);
      assert.equal(new Set(keys).size, keys.length);
    });

    const entries = adapters.flatMap((adapter) => adapter.entries);
    for (const one of MODELS) {
      for (const target of new Set(ofModel(entries, one.name).map((entry) => entry.target))) {
        it(`${name} has entries for the kernels that ${one.name} has today, by ${target}`, function () {
          const of = ofModel(entries, one.name).filter((entry) => entry.target === target);
          const { stages } = compile(familySource("mamba") ?? assert.fail(), {
            set: one.set,
            ...(one.weights && { weights: one.weights }),
            targets: [target],
            tuning: adapters,
          });
          const used = stages.targets?.find(({ tuned }) => tuned !== undefined)?.tuned ?? new Set();
          const found = of.filter((entry) => used.has(entry)).length;
          const [use] = tuningUse(adapters, stages.targets ?? []);
          assert.ok(use !== undefined);
          if (this.test)
            this.test.title += `: ${String(found)} of ${String(of.length)} entries (${useText(use)})`;
          assert.ok(found > 0, "measure it anew: none of its kernels is what it was");
        });
      }
    }
  }

  function ofModel(entries: readonly MeasuredEntry[], name: string): readonly MeasuredEntry[] {
    return entries.filter(({ model }) => model === name);
  }
});

describe("--tuning", () => {
  const at = temporaryFolder();
  const [shipped] = shippedTunings();
  const SOURCE = "axis b: batch, t: time\nmodel m {\n  input x: f32[b, t]\n  output y[b, t] = silu(x)\n}\n";
  let source: string;
  before(() => writeFileSync((source = at("m.krait")), SOURCE));

  it("takes a name of those that come with the package, or a path", async () => {
    assert(shipped !== undefined);
    const [byName, byPath] = [tuningOption([shipped]), tuningOption([tuningPath(shipped)])];
    assert.deepEqual(byName, byPath);
    const { out } = await kraitOk("build", source, "-o", at("named"), "--tuning", shipped);
    assert.match(out, /tuned for \w+ [\w-]+: 0 entries used, \d+ match nothing in this model/);
    const { code, err } = await krait("build", source, "-o", at("none"), "--tuning", "no-such-card");
    assert.equal(code, 1);
    assert.match(err, /no-such-card: no such file, and no tuning of that name comes with Krait/);
    assert.ok(err.includes(shipped));
    const folder = await krait("build", source, "-o", at("none"), "--tuning", at("named"));
    assert.equal(folder.code, 1);
    assert.match(folder.err, /named is a folder, not a tuning file/);
    assert.ok((await kraitOk("build", "--help")).out.includes(shipped));
  });

  it("says of a file whose kernels are none of the model's that it is of another, and builds", async () => {
    const [adapter] = readTuning(tuningPath(shipped ?? assert.fail())).adapters;
    assert(adapter !== undefined);
    const entries = adapter.entries.map((entry) => ({
      ...entry,
      target: "baseline",
      kernel: "0123456789abcdef",
    }));
    writeFileSync(
      at("stale.json"),
      tuningText({ format: "krait-tuning", version: 1, adapters: [{ ...adapter, entries }] }),
    );
    const tuning = ["--tuning", at("stale.json")];
    const { out, err } = await kraitOk("build", source, "-o", at("stale"), ...tuning);
    assert.match(err, /^note: the tuning for .* knows 0 of \d+ kernels of baseline: .*another version/m);
    assert.match(out, /baseline: 0 of \d+ kernels/);
    const json = await kraitOk("build", source, "-o", at("stale"), ...tuning, "--json");
    const { ok, tuning: uses } = JSON.parse(json.out) as { ok: boolean; tuning: { used: number }[] };
    assert.deepEqual([ok, uses.map(({ used }) => used)], [true, [0]]);
  });

  it("says that a file has nothing for the target that is built", () => {
    const use = { vendor: "a", architecture: "b", used: 0, unused: 3 };
    const targets = [{ name: "large", kernels: 4, tuned: 0, entries: 0 }];
    assert.match(useNotes({ ...use, targets }).join("\n"), /has nothing for large/);
  });

  it("says nothing where what was measured is used, however little that is", () => {
    const targets = [{ name: "baseline", kernels: 9, tuned: 1, entries: 2 }];
    assert.deepEqual(useNotes({ vendor: "a", architecture: "b", used: 2, unused: 0, targets }), []);
  });
});
