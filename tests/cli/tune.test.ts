import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseManifest } from "../../runtime/schema.js";
import { parseTuning } from "../../src/cli/tuning-file.js";
import { testAdapter } from "../support/adapter.js";
import { krait, kraitOk, temporaryFolder } from "../support/cli.js";
import { adapterKind } from "../../runtime/target.js";

const MODEL = `
axis b: batch, t: time, c = 8, d = 12
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
/** A scan and a map in a prefill, a map in a step. */
const SMALL = `
axis b: batch, t: time, d = 12
model smooth {
  input x: f32[b, t, d]
  state h[d]
  h = 0.5 * prev(h) + x
  output y[b, t, d] = h
}
`;
const SIZES = ["--axes", "b=2,t=12", "--runs", "1"];

describe("krait tune", () => {
  const at = temporaryFolder();
  before(() => writeFileSync(at("gated.krait"), MODEL));

  it("measures kernels, and adds what is fastest to a file that bundles are built with", async () => {
    const [model, file] = [at("gated.krait"), at("tuning.json")];
    const { out, err } = await kraitOk("tune", model, "-o", file, ...SIZES, "--only", "h_scan");
    assert.match(out, /h_scan +leads 2, steps 12/);
    assert.match(out, /1 entry written/);
    assert.match(err, /\[1\/1\] h_scan \(leads 2, steps 12\): .* measured\)/);
    const { adapters } = parseTuning(readFileSync(file, "utf8"), file);
    const [found] = adapters;
    assert(found !== undefined && adapters.length === 1);
    const kind = adapterKind((await testAdapter()).adapter.info);
    assert.deepEqual({ vendor: found.vendor, architecture: found.architecture }, kind);
    const [scan] = found.entries;
    assert(scan !== undefined && found.entries.length === 1);
    assert.deepEqual([scan.target, scan.shape, scan.label], ["baseline", { leads: 2, steps: 12 }, "h_scan"]);
    assert.ok(scan.ms > 0 && scan.ms <= scan.defaultMs && scan.measured >= 2);

    await kraitOk(
      "tune",
      model,
      "-o",
      file,
      "--axes",
      "b=3",
      "--axes",
      "t=5",
      "--runs",
      "1",
      "--only",
      "y_map",
    );
    const more = parseTuning(readFileSync(file, "utf8"), file).adapters.flatMap(({ entries }) => entries);
    assert.deepEqual(
      more.map(({ label }) => label),
      ["h_scan", "y_map", "y_map"],
    );
    const { out: built } = await kraitOk("build", model, "-o", at("tuned"), "--tuning", file);
    assert.match(built, /3 entries used/);
  });

  it("applies what it measured to the bundle itself, and keeps what that has of other adapters", async () => {
    const folder = at("bundle");
    const other = { target: "baseline", kernel: "", shape: {}, schedule: {} };
    await kraitOk("build", at("gated.krait"), "-o", folder);
    await kraitOk("tune", folder, "--apply", "-o", at("one.json"), ...SIZES, "--only", "y_map");
    const { vendor, architecture } = adapterKind((await testAdapter()).adapter.info);
    const manifest = parseManifest(readFileSync(`${folder}/model.json`, "utf8"));
    const { tuning } = manifest.options;
    assert.deepEqual(
      manifest.targets.map(({ name }) => name),
      [`baseline@${vendor}-${architecture}`, "baseline"],
    );
    assert.equal(tuning?.[0]?.entries.length, 1);
    assert.notDeepEqual(tuning[0].entries[0], other);
    const text = readFileSync(at("one.json"), "utf8").replace(`"vendor":"${vendor}"`, '"vendor":"another"');
    writeFileSync(at("another.json"), text);
    await kraitOk("build", at("gated.krait"), "-o", folder, "--tuning", at("another.json"));
    await kraitOk("tune", folder, "--apply", ...SIZES, "--only", "y_map");
    const { targets } = parseManifest(readFileSync(`${folder}/model.json`, "utf8"));
    assert.deepEqual(
      targets.map(({ name }) => name),
      [`baseline@another-${architecture}`, `baseline@${vendor}-${architecture}`, "baseline"],
    );
  });

  it("prints the same for programs", async () => {
    const { out } = await kraitOk(
      ...["tune", at("gated.krait"), "-o", at("j.json"), ...SIZES, "--only", "y_map", "--json"],
    );
    const { ok, adapters, left } = JSON.parse(out) as { ok: boolean; adapters: unknown[]; left: number };
    assert.deepEqual({ ok, adapters: adapters.length, left }, { ok: true, adapters: 1, left: 0 });
  });

  it("says of every schedule what it took, where it is asked to", async () => {
    const { out, err } = await kraitOk(
      ...["tune", at("gated.krait"), "-o", at("v.json"), ...SIZES, "--only", "y_map", "--json", "--verbose"],
    );
    const { trials } = JSON.parse(out) as { trials: { label: string; ms: number }[] };
    const lines = err.match(/^\[\d\/\d\] y_map: [\d.]+ (µs|ms) by workgroup \d+$/gm) ?? [];
    assert.ok(trials.length >= 2 && trials.every(({ label, ms }) => label === "y_map" && ms > 0));
    assert.equal(lines.length, trials.length);
  });

  it("refuses what it cannot do before it measures", async () => {
    const model = at("gated.krait");
    writeFileSync(at("broken.json"), '{"format":"krait-tuning"');
    const cases: [string[], number, RegExp][] = [
      [["tune", model], 2, /say where the result goes/],
      [["tune", model, "--apply"], 2, /--apply builds a bundle again/],
      [["tune", model, "-o", at("x.json"), "--axes", "b"], 2, /expected NAME=N/],
      [["tune", model, "-o", at("x.json"), "--axes", "c=8"], 2, /\(b, t\), and 'c' is not one/],
      [["tune", model, "-o", at("broken.json")], 1, /is no tuning file, or was cut off/],
      [["tune", model, "-o", at("x.json"), ...SIZES, "--only", "nothing"], 1, /nothing was measured/],
      [["tune", model, "-o", at("x.json"), "--target", "huge"], 1, /K0\d{3}.*huge/],
    ];
    for (const [args, expected, message] of cases) {
      const { code, err } = await krait(...args);
      assert.equal(code, expected, `${args.join(" ")}: ${err}`);
      assert.match(err, message);
    }
    assert.ok(!existsSync(at("x.json")));
  });

  it("keeps what was measured when it is interrupted", async () => {
    const root = fileURLToPath(new URL("../../", import.meta.url));
    writeFileSync(at("smooth.krait"), SMALL);
    const { name } = await testAdapter();
    const args = [
      "tune",
      at("smooth.krait"),
      "-o",
      at("half.json"),
      ...SIZES,
      "--axes",
      "b=40,t=30",
      "--adapter",
      name,
    ];
    const child = spawn(process.execPath, ["dist/cli.js", ...args], { cwd: root });
    let err = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      if (!err.includes("[1/") && (err + text).includes("[1/")) child.kill("SIGINT");
      err += text;
    });
    const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
    assert.equal(code, 130, err);
    assert.match(err, /interrupted\n$/);
    const { adapters } = parseTuning(readFileSync(at("half.json"), "utf8"), "half.json");
    assert.ok((adapters[0]?.entries.length ?? 0) >= 1);
    assert.match(err, /\[1\/6\]/);
    assert.ok(!err.includes("[6/6]"), err);
  });
});
