/** `krait run --lengths`: several sequences in one run are each as if it were alone. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { parseSnapshot } from "../../runtime/index.js";
import { writeSafetensors } from "../../src/node/index.js";
import { krait, kraitOk, temporaryFolder } from "../support/cli.js";
import { tensorOf } from "../support/fixtures.js";
import { readSafetensors } from "../support/safetensors.js";

const SOURCE = `
axis b: batch, t: time, m = 3
model smooth {
  input x: f32[b, t, m]
  input gain: f32[b]
  state h[m]
  h = 0.5*prev(h) + gain*x
  output y[b, t, m] = h + prev(x) + pos(t)
}
`;

describe("krait run --lengths", () => {
  const at = temporaryFolder();
  const lengths = [5, 0, 1, 8];
  const [total, most] = [14, 8];
  const x = Float32Array.from({ length: total * 3 }, (_, i) => ((i * 7) % 11) - 5);
  const gain = Float32Array.of(1, 2, 3, 4);
  const tensor = (name: string): string => `${name}=${at("in.safetensors")}:${name}`;
  const inputs = (): string[] => ["--input", tensor("x"), "--input", tensor("gain")];
  const flag = ["--lengths", lengths.join(",")];

  before(async () => {
    writeFileSync(at("smooth.krait"), SOURCE);
    await kraitOk("build", at("smooth.krait"), "-o", at("plain"));
    await kraitOk("build", at("smooth.krait"), "--packed", "-o", at("packed"));
    await writeSafetensors(at("in.safetensors"), {
      x: { shape: [total, 3], data: x },
      gain: { shape: [4], data: gain },
      batched: { shape: [2, total / 2, 3], data: x },
    });
  });

  /** Rows of y, by sequence, in plain loops; all of it is exact in f32. */
  function expected(): number[][][] {
    let row = 0;
    return lengths.map((length, b) => {
      const h = [0, 0, 0];
      return Array.from({ length }, (_, t) => {
        const values = h.map((before, c) => {
          h[c] = 0.5 * before + (gain[b] ?? 0) * (x[row * 3 + c] ?? 0);
          return t + (h[c] ?? 0) + (t === 0 ? 0 : (x[(row - 1) * 3 + c] ?? 0));
        });
        row++;
        return values;
      });
    });
  }

  for (const model of ["smooth.krait", "packed"])
    it(`runs each alone, from ${model}`, async () => {
      const [y, h] = [at("y.safetensors"), at("h.safetensors")];
      await kraitOk("run", at(model), ...inputs(), ...flag, "--all", "--output", y, "--state-out", h);
      const all = tensorOf(readSafetensors(y).tensors, "y");
      assert.deepEqual(all.shape, [total, 3]);
      assert.deepEqual([...all.data], expected().flat(2));
      const { positions, pos } = await parseSnapshot(new Uint8Array(readFileSync(h)));
      assert.deepEqual([positions, pos], [lengths, most]);

      await kraitOk("run", at(model), ...inputs(), ...flag, "--output", y);
      const last = tensorOf(readSafetensors(y).tensors, "y");
      assert.deepEqual(last.shape, [4, 1, 3]);
      assert.deepEqual([...last.data], expected().flatMap((rows) => rows.at(-1) ?? [NaN, NaN, NaN])); // prettier-ignore
    });

  it("goes on where another run ended", async () => {
    const [y, h] = [at("y.safetensors"), at("h.safetensors")];
    const rows = (from: number, to: number): Float32Array<ArrayBuffer> => x.slice(3 * from, 3 * to);
    // The first steps of each, then the rest.
    const [first, second] = [[2, 0, 1, 3], [3, 0, 0, 5]]; // prettier-ignore
    const starts = [0, 5, 5, 6];
    const part = (counts: readonly number[], skip: readonly number[]): Float32Array<ArrayBuffer> =>
      Float32Array.from(
        counts.flatMap((count, b) => {
          const from = (starts[b] ?? 0) + (skip[b] ?? 0);
          return [...rows(from, from + count)];
        }),
      );
    await writeSafetensors(at("parts.safetensors"), {
      first: { shape: [6, 3], data: part(first, [0, 0, 0, 0]) },
      second: { shape: [8, 3], data: part(second, first) },
    });
    const run = (name: string, counts: readonly number[], ...args: readonly string[]): Promise<unknown> =>
      kraitOk("run", at("packed"), "--input", `x=${at("parts.safetensors")}:${name}`, "--input", tensor("gain"), "--lengths", counts.join(), "--output", y, ...args); // prettier-ignore
    await run("first", first, "--state-out", h);
    await run("second", second, "--state-in", h, "--all");
    const rest = expected().flatMap((own, b) => own.slice(first[b]));
    assert.deepEqual([...tensorOf(readSafetensors(y).tensors, "y").data], rest.flat());
  });

  it("continues tokens side by side", async () => {
    writeFileSync(
      at("language.krait"),
      "axis b: batch, t: time, v = 7, m = 4\nmodel language {\n  input token: index(v)[b, t]\n  param e[v, m]\n  state h[m]\n  h = 0.5*prev(h) + e[v: token]\n  output logits[b, t, v] = dot(h * (1 + pos(t)), e, over m)\n}\n",
    );
    const e = Float32Array.from({ length: 28 }, (_, i) => Math.sin(3 * i * i));
    await writeSafetensors(at("e.safetensors"), { e: { shape: [7, 4], data: e } });
    const run = async (...args: readonly string[]): Promise<string> => {
      const weights = ["--weights", at("e.safetensors"), "--max-new", "6"];
      return (await kraitOk("run", at("language.krait"), ...weights, ...args)).out;
    };
    const alone = [await run("--tokens", "6,0,4"), await run("--tokens", "5,2,1,3,1")];
    const both = ["--tokens", "6,0,4,5,2,1,3,1", "--lengths", "3,5"];
    const columns = alone.map((out) => out.trim().split("\n"));
    assert.notDeepEqual(columns[0], columns[1]);
    const lines = columns[0]?.map((token, i) => `${token}\t${columns[1]?.[i] ?? ""}\n`);
    assert.equal(await run(...both), lines?.join(""));
    const { generated } = JSON.parse(await run(...both, "--json")) as { generated: number[][] };
    assert.deepEqual(generated, columns.map((column) => column.map(Number))); // prettier-ignore
  });

  it("is refused where it does not fit, before a GPU is looked for", async () => {
    const run = (model: string, ...args: readonly string[]): ReturnType<typeof krait> =>
      krait("run", at(model), "--output", at("never.safetensors"), ...args);
    const cases: readonly [number, readonly string[], RegExp][] = [
      [1, ["plain", ...inputs(), ...flag], /no program for sequences of different lengths[^]*--packed/],
      [1, ["packed", ...inputs(), "--lengths", "5,0,1,7"], /5,0,1,7 add up to 13 steps, and .*:x has 14/],
      [1, ["packed", ...inputs(), "--lengths", "5,9"], /b is 4 here and 2 in --lengths/],
      [1, ["packed", "--input", `x=${at("in.safetensors")}:batched`, "--input", tensor("gain"), ...flag], /x\[t, m = 3\]: it has 3 axes instead of 2/],
      [2, ["packed", ...inputs(), ...flag, "--by-step"], /in one prefill, not by steps/],
      [2, ["packed", ...inputs(), "--lengths", "5,-1"], /numbers of steps with commas/],
      [2, ["packed", ...inputs(), "--lengths", ""], /numbers of steps with commas/],
    ]; // prettier-ignore
    for (const [exit, [model = "", ...args], message] of cases) {
      const { code, err } = await run(model, ...args, "--adapter", "null");
      assert.match(err, message);
      assert.equal(code, exit, err);
    }
    const none = await krait("run", at("packed"), "--tokens", "1,2", "--lengths", "2,0");
    assert.match(none.err, /no tokens cannot be continued/);
    assert.ok(!existsSync(at("never.safetensors")));
  });
});
