/** Models beyond any reason: a clear message at once, whatever is asked for. */
import { strict as assert } from "node:assert";
import { elaborateSource } from "./support.js";

const HEAD = "axis b: batch, t: time\naxis m = 4\n";
const model = (body: string): string => `model test {\n  input x: f32[b, t, m]\n  ${body}\n}\n`;

const codes = (text: string): string[] =>
  elaborateSource(text).diagnostics.map(({ code, message }) => `${code} ${message}`);

describe("limits", () => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    [
      "rounds of one repeat",
      HEAD + model("y = x\nrepeat i in 0..1000000000 { y += x }\noutput o[b, t, m] = y"),
      /^K0315 .*1000000000 rounds/,
    ],
    [
      "rounds of a repeat in a repeat",
      HEAD +
        model("y = x\nrepeat i in 0..9000 { repeat j in 0..9000 { const z = i } }\noutput o[b, t, m] = y"),
      /^K0703 /,
    ],
    [
      "a block that calls itself twice",
      `${HEAD}block f(u[t, m]) -> [t, m] { return f(u) + f(u) }\n${model("output o[b, t, m] = f(x)")}`,
      /^K0(703|2\d\d) /,
    ],
    ["the size of an axis", `${HEAD}axis huge = 2^40\n${model("output o[b, t, m] = x")}`, /^K0327 .*huge/],
    [
      "the size of a product",
      `${HEAD}axis p = 2^20, q = 2^20, huge = [p, q]\n${model("output o[b, t, m] = x")}`,
      /^K0327 .*huge/,
    ],
    [
      "the elements of a value",
      `${HEAD}axis p = 2^20, q = 2^20\n${model("param w[p], u[q]\noutput o[b, t, m] = x*sum(w*u, over [p, q])")}`,
      /^K0415 /,
    ],
  ];
  for (const [what, text, expected] of cases)
    it(what, () => {
      const found = codes(text);
      assert.equal(found.length > 0, true);
      for (const line of found) assert.match(line, expected);
    }).timeout(5000);
});
