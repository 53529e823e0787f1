/** What `krait compare` says of quantized weights, against codes, scales and products computed here in float64. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { writeSafetensors } from "../../src/node/index.js";
import { krait, kraitOk, temporaryFolder } from "../support/cli.js";
import { checkpointFixture } from "../support/fixtures.js";
import { relativeError } from "../support/expect-close.js";
import { dequantized, type Quantized } from "../support/quantized-weights.js";
import { seeded } from "../support/random.js";

const [V, M] = [130, 96];
const MODEL = `
axis b: batch, t: time, v = ${V}, m = ${M}, m2 = ${M}
model words {
  input token: index(v)[b, t]
  param embedding[v, m], w[m2, m] from "mix", gain[m2]
  x = embedding[v: token]
  y = gain * dot(w, x, over m)
  output logits[b, t, v] = dot(y[m2 -> m], embedding, over m)
  output hidden[b, t, m2] = y
}
`;
const TOKENS = [5, 129, 0, 77, 31, 8];

interface Report {
  readonly ok: boolean;
  readonly weights: readonly { tensor: string; storage: string; relative: number; largest: number }[];
  readonly all: { readonly relative: number };
  readonly outputs?: readonly {
    readonly output: string;
    readonly shape: readonly number[];
    readonly difference?: { readonly relative: number };
    readonly agreement?: { readonly same: number; readonly of: number };
  }[];
}

describe("krait compare", () => {
  const at = temporaryFolder();
  const draw = seeded(21);
  const normal = (shape: number[]): { shape: number[]; data: Float32Array<ArrayBuffer> } => ({
    shape,
    data: Float32Array.from(draw.tensor(shape).data),
  });
  const tensors = { embedding: normal([V, M]), mix: normal([M, M]), gain: normal([M]) };
  before(async () => {
    writeFileSync(at("words.krait"), MODEL);
    await writeSafetensors(at("w.safetensors"), tensors);
  });
  const compare = async (...args: readonly string[]): Promise<Report> => {
    const { out } = await kraitOk("compare", ...args, "--weights", at("w.safetensors"), "--json");
    return JSON.parse(out) as Report;
  };

  function outputsOf(embedding: ArrayLike<number>, mix: ArrayLike<number>): Record<string, number[]> {
    const range = (count: number): number[] => [...Array(count).keys()];
    const dot = (term: (k: number) => number): number => range(M).reduce((sum, k) => sum + term(k), 0);
    const hidden = TOKENS.map((token) =>
      range(M).map(
        (j) =>
          (tensors.gain.data[j] ?? NaN) *
          dot((k) => (mix[j * M + k] ?? NaN) * (embedding[token * M + k] ?? NaN)),
      ),
    );
    const logits = hidden.map((y) =>
      range(V).map((v) => dot((k) => (y[k] ?? NaN) * (embedding[v * M + k] ?? NaN))),
    );
    return { hidden: hidden.flat(), logits: logits.flat() };
  }
  const choices = ({ logits = [] }: Record<string, number[]>): number[] =>
    TOKENS.map((_, t) => {
      const row = logits.slice(t * V, (t + 1) * V);
      return row.indexOf(Math.max(...row));
    });

  for (const storage of ["int8", "int4"] as const satisfies readonly Quantized[])
    it(`tells the error of ${storage}, by tensor and of outputs`, async () => {
      // `gain` is no matrix and stays f32.
      const report = await compare(at("words.krait"), "--weights-dtype", storage, "--tokens", TOKENS.join());
      const stored = {
        embedding: dequantized(tensors.embedding, storage).data,
        mix: dequantized(tensors.mix, storage).data,
      };
      assert.deepEqual(
        report.weights.map((each) => [each.tensor, each.storage]),
        [
          ["embedding", storage],
          ["mix", storage],
        ],
      );
      for (const { tensor, relative, largest } of report.weights) {
        const [got, exact] = [stored[tensor as "mix"], tensors[tensor as "mix"].data];
        const expected = relativeError(got, exact);
        assert.ok(Math.abs(relative - expected) < 1e-6 * expected, `${tensor}: ${relative}, not ${expected}`);
        const most = Math.max(...got.map((value, i) => Math.abs(value - (exact[i] ?? NaN))));
        assert.ok(Math.abs(largest - most) < 1e-6 * most, `${tensor}: ${largest}, not ${most}`);
      }
      const both = (of: (name: "embedding" | "mix") => ArrayLike<number>): number[] => [
        ...Array.from(of("embedding")),
        ...Array.from(of("mix")),
      ];
      const all = relativeError(
        both((name) => stored[name]),
        both((name) => tensors[name].data),
      );
      assert.ok(Math.abs(report.all.relative - all) < 1e-6 * all);

      const [got, exact] = [
        outputsOf(stored.embedding, stored.mix),
        outputsOf(tensors.embedding.data, tensors.mix.data),
      ];
      const found = Object.fromEntries((report.outputs ?? []).map((each) => [each.output, each]));
      for (const name of ["logits", "hidden"]) {
        const expected = relativeError(got[name] ?? [], exact[name] ?? []);
        const relative = found[name]?.difference?.relative ?? NaN;
        assert.ok(Math.abs(relative - expected) < 1e-3 * expected, `${name}: ${relative}, not ${expected}`);
      }
      const [mine, others] = [choices(got), choices(exact)];
      const same = mine.filter((word, t) => word === others[t]).length;
      assert.deepEqual(found["logits"]?.agreement, { same, of: TOKENS.length });
      assert.deepEqual(found["logits"].shape, [1, TOKENS.length, V]);
      assert.equal(found["hidden"]?.agreement, undefined);
    });

  it("tells the error of rounding a checkpoint of f32 to 16 bits", async () => {
    // Half a unit in the last of 8 (11) bits at most; and not much less than evenly up to it.
    for (const [storage, most] of [
      ["bf16", 2 ** -9],
      ["f16", 2 ** -12],
    ] as const) {
      const report = await compare(at("words.krait"), "--weights-dtype", storage, "--tokens", TOKENS.join());
      assert.equal(report.weights.length, 2);
      for (const { relative } of [...report.weights, report.all])
        assert.ok(relative < most && relative > most / 4, `${storage}: ${relative}`);
      const logits = report.outputs?.find(({ output }) => output === "logits");
      const relative = logits?.difference?.relative ?? NaN;
      assert.ok(relative > most / 8 && relative < 4 * most, `${storage}, of logits: ${relative}`);
    }
  });

  it("takes a bundle as it was built, or as if it were built otherwise", async () => {
    await kraitOk("build", at("words.krait"), "-o", at("bundle"), "--weights-dtype", "int8");
    const storages = async (...args: readonly string[]): Promise<readonly string[]> =>
      (await compare(at("bundle"), ...args)).weights.map(({ storage }) => storage);
    assert.deepEqual(await storages(), ["int8", "int8"]);
    assert.deepEqual(await storages("--weights-dtype", "int4"), ["int4", "int4"]);
  });

  it("prints tables", async () => {
    const { out } = await kraitOk(
      ...["compare", at("words.krait"), "--weights", at("w.safetensors"), "--weights-dtype", "int8"],
      ...["--tokens", TOKENS.join()],
    );
    assert.match(out, /^tensor +type +values +error +largest\n/);
    assert.match(out, /\nmix +int8 +9216 +0\.5\d+ % +0\.0\d+\n/);
    assert.match(out, /\nall 2 tensors +21\.7 k +0\.5\d+ % /);
    assert.match(out, /\noutput +error +largest +same choice\nlogits \[1, 6, 130\] +[\d.]+ % .* \d of 6\n/);
  });

  it("finds no error in types that hold the checkpoint's values", async () => {
    const { directory } = checkpointFixture("mamba2-f16");
    await kraitOk("import", directory, "-o", at("f16"), "--weights-dtype", "f16");
    const { out } = await kraitOk(
      "compare",
      at("f16"),
      "--weights",
      directory,
      "--tokens",
      "1,2,3",
      "--json",
    );
    const { weights, all, outputs } = JSON.parse(out) as Report;
    assert.ok(weights.length > 0 && all.relative === 0);
    // The same sums of the same numbers.
    assert.ok((outputs?.[0]?.difference?.relative ?? NaN) < 1e-5);
    assert.deepEqual(outputs?.[0]?.agreement, { same: 3, of: 3 });
  });

  it("refuses what it cannot compare", async () => {
    await writeSafetensors(at("odd.safetensors"), {
      ...tensors,
      mix: { ...tensors.mix, data: tensors.mix.data.slice().fill(NaN, 7, 8) },
    });
    const model = at("words.krait");
    const weights = ["--weights", at("w.safetensors")];
    const cases: [string[], number, RegExp][] = [
      [["compare", model], 2, /--weights <dir-or-file>/],
      [["compare", model, ...weights], 1, /all weights of .* are stored in f32[^]*--weights-dtype/],
      [["compare", model, ...weights, "--weights-dtype", "int3"], 2, /int8, int4/],
      [["compare", model, "--weights", at("odd.safetensors"), "--weights-dtype", "int4"], 1, /R0306.*"mix"/],
      [["compare", model, "--weights", at("none"), "--weights-dtype", "int4"], 1, /R0305/],
      [
        ["compare", model, ...weights, "--weights-dtype", "int4", "--input", "x=a.safetensors:x"],
        1,
        /no input 'x'/,
      ],
    ];
    for (const [args, expected, message] of cases) {
      const { code, err } = await krait(...args);
      assert.equal(code, expected, `${args.join(" ")}: ${err}`);
      assert.match(err, message);
    }
  });
});
