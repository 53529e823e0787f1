import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { krait, kraitOk, temporaryFolder } from "../support/cli.js";

const MODEL = `
axis b: batch, t: time, c = 4
const rate = 0.25

model smooth {
  input x: f32[b, t, c]
  state h[c]
  h = (1 - rate) * prev(h) + rate * x
  output y[b, t, c] = h
}
`;
const WRONG = MODEL.replace("prev(h) +", "prev(g) +").replace("= h\n", "= hh\n");

/** Every file below a folder, with its bytes. */
function contents(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return Object.fromEntries(
    files.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [path.slice(folder.length + 1), readFileSync(path, "latin1")];
    }),
  );
}

describe("krait check", () => {
  const at = temporaryFolder();
  before(() => {
    writeFileSync(at("good.krait"), MODEL);
    writeFileSync(at("wrong.krait"), WRONG);
  });

  it("says that a good model is good, and what it is", async () => {
    const { out, err } = await kraitOk("check", at("good.krait"));
    assert.match(out, /good\.krait: no problems \(model smooth: no parameters\)/);
    assert.equal(err, "");
  });

  it("shows every mistake with its place and code, and exits with 1", async () => {
    const { code, out, err } = await krait("check", at("wrong.krait"));
    assert.equal(code, 1);
    assert.equal(out, "");
    assert.equal([...err.matchAll(/^error\[K0\d{3}\]/gm)].length, 2, err);
    assert.match(err, /wrong\.krait:8:\d+/);
    assert.match(err, /wrong\.krait:9:\d+/);
    assert.match(err, /2 errors\n$/);
  });

  it("gives the same to programs", async () => {
    const { code, out, err } = await krait("check", at("wrong.krait"), "--json");
    const { ok, diagnostics } = JSON.parse(out) as {
      ok: boolean;
      diagnostics: { code: string; file: string; start: { line: number } }[];
    };
    assert.deepEqual({ code, ok, err }, { code: 1, ok: false, err: "" });
    assert.deepEqual(
      diagnostics.map(({ file, start }) => [file, start.line]),
      [
        [at("wrong.krait"), 8],
        [at("wrong.krait"), 9],
      ],
    );
    const good = await kraitOk("check", at("good.krait"), "--json");
    assert.deepEqual(JSON.parse(good.out), { ok: true, diagnostics: [] });
  });

  it("takes constants from --set, and says which there are", async () => {
    await kraitOk("check", at("good.krait"), "--set", "rate=0.5");
    const { code, err } = await krait("check", at("good.krait"), "--set", "rte=0.5");
    assert.equal(code, 1);
    assert.match(err, /rte[^]*rate/);
  });

  it("refuses what is no source", async () => {
    writeFileSync(at("binary.krait"), Uint8Array.of(0xff, 0xfe, 0x00));
    assert.match((await krait("check", at("binary.krait"))).err, /binary\.krait is not a Krait source file/);
    assert.match((await krait("check", at("."))).err, /is a folder, not a Krait source file/);
  });
});

describe("krait build", () => {
  const at = temporaryFolder();
  before(() => {
    writeFileSync(at("model.krait"), MODEL);
    writeFileSync(at("wrong.krait"), WRONG);
  });

  it("writes a bundle, the same bytes each time", async () => {
    const { out } = await kraitOk("build", at("model.krait"), "-o", at("one"));
    assert.match(out, /model smooth[^]*x\[b, t, c\] → y\[b, t, c\][^]*launches/);
    await kraitOk("build", at("model.krait"), "-o", at("two"));
    const files = contents(at("one"));
    assert.ok("model.json" in files && Object.keys(files).some((name) => name.endsWith(".wgsl")));
    assert.deepEqual(contents(at("two")), files);
    assert.ok(!JSON.stringify(files).includes(at("")), "the bundle names a folder of this machine");
  });

  it("replaces an older bundle and nothing else", async () => {
    await kraitOk("build", at("model.krait"), "-o", at("again"));
    await kraitOk("build", at("model.krait"), "-o", at("again"), "--set", "rate=0.5");
    assert.match(readFileSync(at("again/model.json"), "utf8"), /"rate": ?0\.5/);
    mkdirSync(at("work"));
    writeFileSync(at("work/thesis.tex"), "years");
    const { code, err } = await krait("build", at("model.krait"), "-o", at("work"));
    assert.equal(code, 1);
    assert.match(err, /holds other files than a bundle's/);
    assert.deepEqual(contents(at("work")), { "thesis.tex": "years" });
  });

  it("leaves nothing behind for a model with errors", async () => {
    const before = readdirSync(at("."));
    assert.equal((await krait("build", at("wrong.krait"), "-o", at("wrong"))).code, 1);
    assert.ok(!existsSync(at("wrong")));
    assert.deepEqual(readdirSync(at(".")), before);
  });

  it("says which targets there are", async () => {
    const { code, err } = await krait("build", at("model.krait"), "-o", at("t"), "--target", "basline");
    assert.equal(code, 1);
    assert.match(err, /basline[^]*baseline/);
  });
});

describe("krait inspect", () => {
  const at = temporaryFolder();
  before(async () => {
    // With a parameter, so that there is something to compute when weights are loaded.
    writeFileSync(
      at("model.krait"),
      MODEL.replace("  state", "  param gain[c]\n  state").replace("* x", "* exp(gain) * x"),
    );
    await kraitOk("build", at("model.krait"), "-o", at("bundle"));
  });

  it("lists the kernels, of a source as of its bundle", async () => {
    const { out } = await kraitOk("inspect", at("bundle"));
    assert.match(out, /target baseline\n {2}kernel +load +16 steps +2048 steps +step +workgroup +computes\n/);
    assert.equal((await kraitOk("inspect", at("model.krait"))).out, out);
  });

  it("prints the WGSL of each kernel that --json names", async () => {
    const { out } = await kraitOk("inspect", at("bundle"), "--json");
    const { targets } = JSON.parse(out) as { targets: { kernels: { id: string }[] }[] };
    const ids = targets.flatMap(({ kernels }) => kernels.map(({ id }) => id));
    assert.ok(ids.length > 0);
    for (const id of ids) {
      assert.match((await kraitOk("inspect", at("bundle"), "--kernel", id)).out, /@compute @workgroup_size/);
    }
    const { code, err } = await krait("inspect", at("bundle"), "--kernel", "nope");
    assert.equal(code, 1);
    assert.ok(err.includes(ids[0] ?? ""), err);
  });

  it("shows every stage, from a bundle as from its source", async () => {
    const { out } = await kraitOk("inspect", at("bundle"), "--stage", "help");
    const stages = out
      .replace(/^.*: /, "")
      .replace(/\.\s*$/, "")
      .split(", ");
    assert.ok(stages.includes("elaborate") && stages.includes("discretize"), out);
    // Only a bundle that was built to run sequences of different lengths has it.
    const { code, err } = await krait("inspect", at("bundle"), "--stage", "packed");
    assert.equal(code, 1);
    assert.match(err, /no stage 'packed'/);
    for (const stage of stages.filter((name) => name !== "packed")) {
      const ofSource = await kraitOk("inspect", at("model.krait"), "--stage", stage);
      assert.ok(ofSource.out.trim().length > 0, stage);
      const text = ofSource.out.replaceAll(at("model.krait"), "model.krait");
      assert.equal((await kraitOk("inspect", at("bundle"), "--stage", stage)).out, text, stage);
    }
  });

  it("suggests a stage", async () => {
    const { code, err } = await krait("inspect", at("bundle"), "--stage", "discretise");
    assert.equal(code, 2);
    assert.match(err, /did you mean 'discretize'/);
  });

  it("says what a folder without a manifest may be", async () => {
    mkdirSync(at("checkpoint"));
    writeFileSync(at("checkpoint/config.json"), "{}");
    const { code, err } = await krait("inspect", at("checkpoint"));
    assert.equal(code, 1);
    assert.match(err, /looks like a checkpoint[^]*krait import/);
  });
});
