import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseSnapshot, type Manifest } from "../../runtime/index.js";
import { krait, kraitOk, temporaryFolder } from "../support/cli.js";
import { expectClose, type Tolerance } from "../support/expect-close.js";
import { checkpointFixture, fixturePath, opFixture, tensorOf } from "../support/fixtures.js";
import { readSafetensors, type StoredTensor } from "../support/safetensors.js";

/** Compares one tensor of a file that `run` wrote. */
function expectTensor(file: string, name: string, expected: StoredTensor, tolerance: Tolerance): void {
  const got = tensorOf(readSafetensors(file).tensors, name);
  expectClose(
    { ...got, scalar: got.dtype },
    { ...expected, scalar: expected.dtype },
    { tolerance, what: `${name} of ${file}` },
  );
}

/** The last position of [batch, time, …]. */
function lastPosition({ shape, data, dtype }: StoredTensor): StoredTensor {
  const [batch = 0, time = 0, inner = 0] = shape;
  const last = Float64Array.from(
    { length: batch * inner },
    (_, i) => data[(Math.floor(i / inner) * time + time - 1) * inner + (i % inner)] ?? NaN,
  );
  return { dtype, shape: [batch, 1, inner], data: last };
}

describe("krait run, a language model", () => {
  const at = temporaryFolder();
  const checkpoint = checkpointFixture("mamba");
  const ids = `token=${fixturePath("mamba", "expected.safetensors")}:input_ids`;
  const logits = tensorOf(checkpoint.expected, "logits");
  let run: (...args: readonly string[]) => Promise<{ out: string }>;
  before(async () => {
    await kraitOk("import", checkpoint.directory, "-o", at("bundle"));
    run = (...args) => kraitOk("run", at("bundle"), "--weights", checkpoint.directory, ...args);
  });

  it("writes the logits of the last position, of all, and step by step", async () => {
    await run("--input", ids, "--output", at("last.safetensors"));
    expectTensor(at("last.safetensors"), "logits", lastPosition(logits), "f32");
    await run("--input", ids, "--output", at("all.safetensors"), "--all");
    expectTensor(at("all.safetensors"), "logits", logits, "f32");
    await run("--input", ids, "--output", at("steps.safetensors"), "--all", "--by-step");
    expectTensor(at("steps.safetensors"), "logits", logits, "f32");
  });

  it("prints greedy tokens, one a line", async () => {
    const greedy = Array.from(tensorOf(checkpoint.expected, "greedy_ids").data);
    const [prompt, continued] = [greedy.slice(0, 8), greedy.slice(8)];
    const { out } = await run("--tokens", prompt.join(","), "--max-new", String(continued.length));
    assert.equal(out, continued.map((id) => `${id}\n`).join(""));
    const json = await run("--tokens", prompt.join(","), "--max-new", "3", "--json");
    assert.deepEqual(JSON.parse(json.out), { ok: true, generated: continued.slice(0, 3) });
  });

  it("ends at an id of --stop, and has run all tokens but the last, whoever chooses them", async () => {
    const greedy = Array.from(tensorOf(checkpoint.expected, "greedy_ids").data);
    const [prompt, continued] = [greedy.slice(0, 8), greedy.slice(8)];
    const stop = continued[5] ?? NaN;
    const upTo = continued.slice(0, continued.indexOf(stop) + 1);
    await kraitOk("import", checkpoint.directory, "--no-greedy", "-o", at("scores"));
    for (const [bundle, output] of [
      ["bundle", "next"],
      ["scores", "logits"],
    ] as const) {
      const { outputs } = JSON.parse(readFileSync(at(`${bundle}/model.json`), "utf8")) as Manifest;
      assert.equal(outputs.at(-1)?.name, output);
      const state = at(`${bundle}.safetensors`);
      const weights = ["--weights", checkpoint.directory, "--max-new", String(continued.length)];
      const tokens = ["--tokens", prompt.join(), "--stop", `3000,${String(stop)}`, "--state-out", state];
      const { out } = await kraitOk("run", at(bundle), ...weights, ...tokens);
      assert.equal(out, upTo.map((id) => `${id}\n`).join(""));
      const { pos } = await parseSnapshot(new Uint8Array(readFileSync(state)));
      assert.equal(pos, prompt.length + upTo.length - 1);
    }
    const [own, other] = ["bundle", "scores"].map(
      (name) => readSafetensors(at(`${name}.safetensors`)).tensors,
    );
    assert.deepEqual(own, other);
  });

  it("goes on where another run ended", async () => {
    const tokens = Array.from(tensorOf(checkpoint.expected, "input_ids").data.subarray(0, 37));
    const state = at("state.safetensors");
    await run(
      "--tokens",
      tokens.slice(0, 11).join(),
      "--output",
      at("head.safetensors"),
      "--state-out",
      state,
    );
    const rest = tokens.slice(11).join();
    await run("--tokens", rest, "--state-in", state, "--output", at("tail.safetensors"), "--all");
    const inner = logits.shape[2] ?? 0;
    const expected = { ...logits, shape: [1, 26, inner], data: logits.data.slice(11 * inner, 37 * inner) };
    expectTensor(at("tail.safetensors"), "logits", expected, "f32");
    assert.equal((await parseSnapshot(new Uint8Array(readFileSync(state)))).pos, 11);
  });
});

describe("krait run, a source", () => {
  const at = temporaryFolder();
  const SCAN = `
axis b: batch, t: time, d = 32, n = 16
model scan {
  input u: f32[b, t, d]
  input delta: f32[b, t, d]
  input z: f32[b, t, d]
  input B: f32[b, t, one, n]
  input C: f32[b, t, one, n]
  param A[d, n], D[d], delta_bias[d]
  state h[d, n]
  der(h) = A * h + B[one: 0] * u  by exp_euler(softplus(delta + delta_bias))
  output y[b, t, d] = (dot(C[one: 0], h, over n) + D * u) * silu(z)
}
`.replace("n = 16", "n = 16, one = 1");
  const data = fixturePath("ops", "scan-initial-state.safetensors");
  const { tensors } = opFixture("scan-initial-state");
  const inputs = ["u", "delta", "z", "B", "C"].flatMap((name) => ["--input", `${name}=${data}:${name}`]);
  const template = fileURLToPath(new URL("../../templates/models/mamba.krait", import.meta.url));
  before(() => writeFileSync(at("scan.krait"), SCAN));

  it("takes params from a file, a state in and a state out", async () => {
    const [y, state] = [at("y.safetensors"), at("state.safetensors")];
    const states = ["--state-in", `h=${data}:h0`, "--state-out", state];
    await kraitOk("run", at("scan.krait"), "--weights", data, ...inputs, ...states, "--output", y, "--all");
    expectTensor(y, "y", tensorOf(tensors, "y"), "f32");
    expectTensor(state, "h", tensorOf(tensors, "h_last"), "f32");
  });

  it("takes params as given by name and shape, or says what is wrong", async () => {
    const run = (...args: readonly string[]): ReturnType<typeof krait> =>
      krait("run", at("scan.krait"), "--output", at("never.safetensors"), ...args);
    const weights = ["--weights", data];
    const given = inputs.slice(0, -2);
    const C = (file: string, tensor: string): string[] => ["--input", `C=${file}:${tensor}`];
    const cases: [readonly string[], RegExp][] = [
      [inputs, /3 weight tensors[^]*--weights/],
      [[...weights, ...given], /needs this input too[^]*--input C=/],
      [[...weights, ...inputs, "--input", `zz=${data}:z`], /no input 'zz' \(did you mean 'z'\?\)/],
      [[...weights, ...inputs, ...C(data, "C")], /'C' is given twice/],
      [[...weights, ...given, ...C(data, "u")], /shape \[1, 77, 32\][^]*C\[b, t, one = 1, n = 16\]/],
      [[...weights, ...given, ...C(data, "nope")], /nope/],
      [[...weights, ...given, ...C(at("none.safetensors"), "C")], /none\.safetensors/],
      [
        [...weights, ...given, ...C(fixturePath("ops", "scan-full.safetensors"), "C")],
        /b is 2 here and 1 in/,
      ],
      [[...weights, ...inputs, "--state-in", `g=${data}:h0`], /no state 'g'/],
      [[...weights, ...inputs, "--state-in", `h=${data}:A`], /shape \[32, 16\][^]*needs \[1, 32, 16\]/],
      [[...weights, ...inputs, "--state-in", `pos=${data}:A`], /pos is one whole number/],
      [[...weights, ...inputs, "--tokens", "1,2"], /--tokens is for language models/],
      [["--weights", fixturePath("ops", "scan-plain.safetensors"), ...inputs], /delta_bias/],
      [["--weights", at("none"), ...inputs], /none/],
    ];
    for (const [args, message] of cases) {
      const { code, err } = await run(...args);
      assert.match(err, message);
      assert.equal(code, 1, err);
    }
    assert.ok(!existsSync(at("never.safetensors")));
    assert.deepEqual(
      readdirSync(at(".")).filter((name) => name.includes("never")),
      [],
    );
  });

  it("runs what the device has of a bundle's targets, with experimental features or without, or says what it lacks", async () => {
    await kraitOk("build", at("scan.krait"), "--target", "matrix", "--target", "baseline", "-o", at("both"));
    const y = at("y2.safetensors");
    const args = ["--weights", data, ...inputs, "--state-in", `h=${data}:h0`, "--output", y, "--all"];
    for (const more of [[], ["--experimental"]]) {
      await kraitOk("run", at("both"), ...args, ...more);
      expectTensor(y, "y", tensorOf(tensors, "y"), "f32");
    }
    await kraitOk("build", template, "--set", "layers=1", "--target", "matrix", "-o", at("matrix"));
    const { code, err } = await krait("run", at("matrix"), "--tokens", "1", "--adapter", "null");
    assert.notEqual(code, 0);
    assert.match(err, /R0202.*matrix needs .*matrix units for f16 in 16×16×16/);
  });

  it("refuses constants for a bundle, and an unknown adapter", async () => {
    await kraitOk("build", at("scan.krait"), "-o", at("bundle"));
    const set = await krait("run", at("bundle"), "--set", "d=1", "--output", at("never.safetensors"));
    assert.equal(set.code, 2);
    assert.match(set.err, /--set is for sources/);
    const args = ["--weights", data, ...inputs, "--output", at("never.safetensors"), "--adapter", "cuda"];
    const adapter = await krait("run", at("bundle"), ...args);
    assert.equal(adapter.code, 2);
    assert.match(adapter.err, /'cuda' is invalid[^]*gpu, software, null/);
  });
});

describe("krait adapters", () => {
  it("lists what this machine has, and says what each can do in --json", async () => {
    const { out } = await kraitOk("adapters");
    const json = JSON.parse((await kraitOk("adapters", "--json")).out) as { name: string; limits: object }[];
    assert.equal(json.at(-1)?.name, "null");
    for (const { name, limits } of json) {
      assert.match(out, new RegExp(`^${name} `, "m"));
      assert.ok("maxBufferSize" in limits);
    }
  });
});
