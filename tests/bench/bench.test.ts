/** `npm run bench` at a size that any adapter computes: what it writes, not how fast anything is. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseReport, spreadOf, type Report } from "../../bench/report.js";
import { testAdapter } from "../support/adapter.js";
import { temporaryFolder } from "../support/cli.js";

const root = fileURLToPath(new URL("../../", import.meta.url));

function node(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
}

describe("the benchmarks", () => {
  const path = temporaryFolder();
  let report: Report;
  let stdout: string;

  before(async () => {
    const { name } = await testAdapter();
    const json = path("report.json");
    const only = "scan/mamba-48 prefill 2×40,product/2x5x12 prefill";
    const options = ["--quick", "--robust", "--adapter", name, "--only", only, "--json", json];
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
    assert.equal(compared.stdout.match(/ 2\.000 /g)?.length, 2, compared.stdout);
  });

  it("fit in single files, with all that they need but templates and Dawn", () => {
    assert.equal(node("scripts/bench-bundle.mjs").status, 0);
    const { stdout: names } = node("dist/bench.js", "--list");
    assert.match(names, /^scan\/mamba-1536 prefill 8×2048$/m);
    assert.match(names, /^generation\/mamba-1\.4b-f16 generate 1×256$/m);
    assert.match(names, /^long\/mamba-768-2-layers stream 1×1048576$/m);
    assert.match(node("dist/bench-compare.js", "--help").stdout, /Usage: bench-compare/);
  });
});
