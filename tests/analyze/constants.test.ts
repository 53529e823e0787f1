/** Constants: their arithmetic, and where their values come from. */
import { strict as assert } from "node:assert";
import type { ConstantValue } from "../../runtime/bundle-format.js";
import { parse } from "../../compiler/1-parse/index.js";
import { analyze, type AnalyzeOptions } from "../../compiler/2-analyze/index.js";
import { createSink } from "../../compiler/diagnostics/sink.js";

function constantsOf(text: string, options: AnalyzeOptions = {}): Record<string, ConstantValue | undefined> {
  const sink = createSink();
  const module = analyze(parse({ path: "main.krait", text }, sink), options, sink);
  assert.deepEqual(sink.diagnostics, []);
  return Object.fromEntries([...module.constants].map(([name, { value }]) => [name, value]));
}

describe("constants", () => {
  const EXPRESSIONS: readonly (readonly [string, ConstantValue])[] = [
    ["7 / 2", 3.5],
    ["2^-3", 0.125],
    ["-2^2", -4],
    ["2^3^2", 512],
    ["7 % 4", 3],
    ["-1 % 4", 3],
    ["0.1 + 0.2", 0.30000000000000004],
    ["ceil(768 / 16)", 48],
    ["ceil(40 / 16)", 3],
    ["floor(-1.5)", -2],
    ["min(3, 1, 2) + max([3, 5])", 6],
    ["sqrt(2)", Math.SQRT2],
    ["pi", Math.PI],
    ["-inf", -Infinity],
    ["1 < 2 and not (2 <= 1)", true],
    ["3 in [1, 2, 3]", true],
    ['"mamba" in ["mamba", "attention"]', true],
    ['["a", "b"][1]', "b"],
    ["[1, [2, 3]][1][0]", 2],
    ["find([4, 5, 6], 6)", 2],
    ["find([4, 5, 6], 7)", -1],
    ["len([4, 5]) + size([1])", 3],
    ['"a" + "b" == "ab"', true],
    ["[1] + [2] == [1, 2]", true],
    ["select(1 > 2, 10, 20)", 20],
  ];
  for (const [expression, value] of EXPRESSIONS)
    it(`${expression} is ${JSON.stringify(value)}`, () => {
      assert.deepEqual(constantsOf(`const c = ${expression}\n`), { c: value });
    });

  it("may be defined in any order", () => {
    assert.deepEqual(constantsOf("const inner = expand * width\nconst expand = 2, width = 3\n"), {
      inner: 6,
      expand: 2,
      width: 3,
    });
  });

  it("follow the constants that they are computed from, when those are set", () => {
    assert.deepEqual(constantsOf("const width = 768, rank = ceil(width / 16)\n", { set: { width: 1024 } }), {
      width: 1024,
      rank: 64,
    });
  });

  const CONFIGURED =
    'const width = 768 from "hidden_size" | "text.d_model"\nconst rank = ceil(width / 16) from "rank"\n';

  it("take the first key that the configuration has", () => {
    const configs: readonly (readonly [unknown, number, number])[] = [
      [undefined, 768, 48],
      [{}, 768, 48],
      [{ hidden_size: 32 }, 32, 2],
      [{ text: { d_model: 64 } }, 64, 4],
      [{ hidden_size: 32, text: { d_model: 64 } }, 32, 2],
      [{ hidden_size: null, text: { d_model: 64 } }, 64, 4],
      [{ hidden_size: 32, rank: "auto" }, 32, 2],
      [{ hidden_size: 32, rank: 7 }, 32, 7],
    ];
    for (const [config, width, rank] of configs)
      assert.deepEqual(constantsOf(CONFIGURED, { config }), { width, rank }, JSON.stringify(config));
  });

  it("believe --set over the configuration", () => {
    const options = { config: { hidden_size: 32 }, set: { width: 16 } };
    assert.deepEqual(constantsOf(CONFIGURED, options), { width: 16, rank: 1 });
  });

  it('keep "auto" where a string is meant', () => {
    assert.deepEqual(constantsOf('const mode = "fast" from "mode"\n', { config: { mode: "auto" } }), {
      mode: "auto",
    });
  });
});
