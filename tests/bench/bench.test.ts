/** `npm run bench` at a size that any adapter computes: what it writes, not how fast anything is. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { operationCases } from "../../bench/cases/operations.js";
import { flatnessTable } from "../../bench/flatness.js";
import { parseReport, spreadOf, timeOf, type Report, type Result } from "../../bench/report.js";
import { identityOf } from "../../compiler/5-kernel/schedules/identity.js";
import { sameSchedule, spaceOf } from "../../compiler/5-kernel/schedules/space.js";
import { TARGETS } from "../../compiler/4-passes/schedule.js";
import { compile } from "../../compiler/compile.js";
import {
  NOTHING_MEASURED,
  tuningText,
  type MeasuredEntry,
  type TuningFile,
} from "../../src/cli/tuning-file.js";
import { testAdapter } from "../support/adapter.js";
import { temporaryFolder } from "../support/cli.js";
import { adapterKind } from "../../runtime/target.js";

const root = fileURLToPath(new URL("../../", import.meta.url));

function node(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
}

/** Another schedule than its own for a quick product's kernel of few rows. */
function entryOf(id: string): MeasuredEntry {
  const one = operationCases(true).find(({ group, name }) => id.startsWith(`${group}/${name} `));
  const [baseline] = TARGETS;
  assert(one !== undefined && "text" in one.source && baseline !== undefined);
  const { stages } = compile({ path: "product.krait", text: one.source.text }, { set: one.set });
  const kernels = [...(stages.targets?.[0]?.kernels.values() ?? [])];
  const kernel = kernels.find(({ schedule }) => "kind" in schedule && schedule.kind === "rows");
  assert(kernel !== undefined);
  const schedule = spaceOf(kernel, baseline).find((each) => !sameSchedule(each, kernel.schedule));
  assert(schedule !== undefined);
  return {
    ...{ target: "baseline", kernel: identityOf(kernel), shape: { rows: 2 }, schedule: { ...schedule } },
    ...{ label: kernel.name, ms: 1, defaultMs: 2, measured: 2 },
  };
}

describe("the benchmarks", () => {
  const path = temporaryFolder();
  let report: Report;
  let stdout: string;

  before(async () => {
    const { name } = await testAdapter();
    const json = path("report.json");
    const only =
      "scan/mamba-48 prefill 2×40,product/2x5x12 prefill,product/2x130x96-f16,products/tiny-dt_proj prefill 1×1$";
    const beside = path("official.json");
    writeFileSync(beside, JSON.stringify([{ name: "product/2x5x12 prefill 2×1", ms: 7 }]));
    const options = [
      "--quick",
      "--robust",
      "--adapter",
      name,
      "--only",
      only,
      "--json",
      json,
      "--beside",
      beside,
    ];
    const result = node("--import", "tsx", "bench/main.ts", ...options);
    assert.equal(result.status, 0, result.stdout + result.stderr);
    stdout = result.stdout;
    report = parseReport(JSON.parse(readFileSync(json, "utf8")), json);
  });

  it("measure what was asked for, and nothing else", () => {
    assert.deepEqual(
      report.results.map(({ id, robustness }) => [id, robustness]),
      [
        ["scan/mamba-48 prefill 2×40", true],
        ["product/2x5x12 prefill 2×1", true],
        ["product/2x130x96-f16 prefill 2×1", true],
        ["products/tiny-dt_proj prefill 1×1", true],
      ],
    );
    assert.deepEqual(report.failures, []);
    for (const { id } of report.results) assert.ok(stdout.includes(id));
  });

  it("check what they time", () => {
    for (const { check } of report.results) {
      assert.equal(check.against, "oracle");
      assert.ok(check.error > 0 && check.error <= check.tolerance, `${check.error}`);
    }
  });

  it("tell times, launches and memory", () => {
    for (const result of report.results) {
      assert.equal(result.gpu?.runs, 3);
      assert.ok(result.gpu.min > 0 && result.gpu.min <= result.gpu.median);
      assert.ok(result.launches >= 1 && result.pipelines >= 1 && result.compileMs > 0);
    }
    const [scan] = report.results;
    // Four inputs or outputs of 2 × 40 × 48 f32, and two of 2 × 40 × 16: less than this cannot hold them.
    assert.ok((scan?.gpuBytes ?? 0) >= 4 * 2 * 40 * (4 * 48 + 2 * 16));
  });

  it("set what they measure beside what the device does, and another implementation's times", () => {
    for (const { target, bounds, work } of report.results) {
      assert.equal(target, "baseline");
      assert.ok(bounds !== undefined && bounds.copy > 1e6 && bounds.lanes > 1e6);
      assert.equal(bounds.product, bounds.lanes);
      assert.ok(work !== undefined);
    }
    const [, full, half] = report.results;
    // A weight takes four bytes or two.
    assert.deepEqual([full?.work?.weightBytes, half?.work?.weightBytes], [4 * 5 * 12, 2 * 130 * 96]);
    assert.equal(full?.work?.productFlops, 2 * 2 * 5 * 12);
    assert.deepEqual(full.reference, { name: "official", ms: 7 });
    assert.equal(half?.reference, undefined);
    assert.match(stdout, /weights \/ copy +products \/ product/);
  });

  it("say where they ran and what of", () => {
    assert.match(report.commit, /^[0-9a-f]{12}(\+changes)?$|^unknown$/);
    assert.ok(!Number.isNaN(Date.parse(report.date)));
    assert.notEqual(report.device.driver + report.device.name, "");
  });

  it("are compared, case by case", () => {
    const slower = report.results.map((result) => ({
      ...result,
      gpu: spreadOf([2 * (result.gpu?.median ?? 0)]),
    }));
    const [a, b] = [path("slower.json"), path("report.json")];
    writeFileSync(a, JSON.stringify({ ...report, results: slower }));
    const compared = node("--import", "tsx", "bench/compare.ts", a, b);
    assert.equal(compared.status, 0, compared.stderr);
    assert.equal(compared.stdout.match(/ 2\.000 /g)?.length, 4, compared.stdout);
  });

  it("set a tuned target beside its profile's own, in one run", async () => {
    const { adapter, name } = await testAdapter();
    const { vendor, architecture } = adapterKind(adapter.info);
    const id = "product/2x5x12 prefill 2×1";
    const [tuning, json] = [path("tuning.json"), path("tuned.json")];
    const entries = [entryOf(id)];
    const file: TuningFile = {
      ...NOTHING_MEASURED,
      adapters: [{ vendor, architecture, description: "", entries }],
    };
    writeFileSync(tuning, tuningText(file));
    const options = [
      "--quick",
      "--robust",
      "--adapter",
      name,
      "--only",
      "product/2x5x12 prefill,rowwise/norm",
    ];
    const args = ["bench/main.ts", ...options, "--tuned", tuning, "--json", json];
    const { status, stdout: said, stderr } = node("--import", "tsx", ...args);
    assert.equal(status, 0, said + stderr);
    const { results } = parseReport(JSON.parse(readFileSync(json, "utf8")), json);
    const [product, norm] = results;
    assert(product?.untuned !== undefined && norm !== undefined);
    assert.deepEqual(
      [product.id, product.target, product.untuned.target],
      [id, `baseline@${vendor}-${architecture}`, "baseline"],
    );
    assert.deepEqual([product.gpu?.runs, product.untuned.gpu.runs], [3, 3]);
    assert.equal(norm.untuned, undefined);
    const ratio = (product.untuned.gpu.median / timeOf(product)).toFixed(3);
    assert.match(said, new RegExp(`^geometric mean of 1: × ${ratio.replace(".", "\\.")}$`, "m"));
    assert.match(said, /^1 more case: the tuning has nothing for it\.$/m);
  });

  it("say what a token takes at each length, and how far that is from flat", () => {
    const [some] = report.results;
    assert(some !== undefined);
    const wall = (ms: number): Result["wall"] => ({ median: ms, min: ms, max: ms, runs: 3 });
    const { gpu: _, ...rest } = some;
    const at = (exponent: number, ms: number, quiet: number): Result => ({
      ...{ ...rest, id: `long/m stream 1×${String(2 ** exponent)}`, group: "long", batch: 1 },
      ...{ steps: 2 ** exponent, wall: wall(ms), wallQuiet: wall(quiet) },
    });
    const table = flatnessTable([at(12, 100, 100), at(13, 10, 8.192), at(14, 16.384, 16.384)]);
    assert.match(table, /^ +8192 +on +10 +1\.221 +1\.221 +1 +1\.000 /m);
    assert.match(table, /from 8192 tokens: a token 1\.221, not read back 1\.000$/m);
    assert.equal(flatnessTable(report.results), "");
  });

  it("fit in single files, with all that they need but templates and Dawn", () => {
    assert.equal(node("scripts/bench-bundle.mjs").status, 0);
    const { stdout: names } = node("dist/bench.js", "--list");
    assert.match(names, /^scan\/mamba-1536 prefill 8×2048$/m);
    assert.match(names, /^generation\/mamba-1\.4b-f16 generate 1×256$/m);
    assert.match(names, /^scan\/mamba-1536 prefill 1×1048576$/m);
    assert.match(names, /^long\/mamba-768-2-layers stream 1×1048576$/m);
    assert.match(names, /^products\/2\.8b-in_proj-f16 prefill 16384×1$/m);
    assert.match(names, /^model\/mamba-1\.4b-int4 step 256$/m);
    assert.match(node("dist/bench-compare.js", "--help").stdout, /Usage: bench-compare/);
  });
});
