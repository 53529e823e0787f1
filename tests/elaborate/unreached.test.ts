/** Names in what elaboration does not come to: each mistake at its place, and none where there is no mistake. */
import { strict as assert } from "node:assert";
import { readdirSync, readFileSync } from "node:fs";
import { AXES, elaborateSource } from "./support.js";

/** A model that is whole, beside what nobody calls, with statements that nothing comes to. */
const source = (beside: string, statements: string): string =>
  `${AXES}${beside}\nmodel example {\n  input x: f32[b, t, m]\n${statements}\n  output y[b, t, m] = x\n}\n`;

const never = (statements: string): string => source("", `  if false {\n${statements}\n  }`);

/** What is wrong is marked by «»; the code, and what the message says besides. */
const WRONG: readonly (readonly [string, string, string, RegExp?])[] = [
  ["a value in a branch", never("z = x * «scael»\n"), "K0201"],
  ["the other branch's", source("", "if true { z = x } else { z = «xx» }"), "K0201", /did you mean `x`/],
  ["a value of the branch before", never("z = x\n}\nif false {\nq = «z»"), "K0201", /ends with it/],
  ["a function", never("z = «sofplus»(x)"), "K0202", /did you mean `softplus`/],
  ["a value that is called", never("z = «x»(0)"), "K0202", /is an input/],
  ["an axis", never("z = sum(x, over «mm»)"), "K0320"],
  ["an axis in `pos`", never("z = pos(«q»)"), "K0320"],
  ["an axis in a group", never("z = sum(x, over [m, «q»])"), "K0320"],
  ["an axis that is selected", never("z = x[«q»: 0]"), "K0320"],
  ["an axis that is renamed to", never("z = x[m -> [i, «q»]]"), "K0320"],
  ["an axis of a parameter", never("param w[m, «q»]"), "K0320"],
  ["an axis of a stacked one", never('param (v[m] | w[«q»])[_, n] from "v"'), "K0320"],
  ["an axis taken for a value", never("z = x * «m»"), "K0217"],
  ["a function taken for a value", source("fn f(a) = a", "if false { z = «f» }"), "K0217"],
  ["a path's constant", never('param w[m] from «"{layer}"»'), "K0603"],
  ["a rule", never("state h[m]\nder(h) = -h + x  by «exp_eular»(0.1)"), "K0510", /exp_euler/],
  ["a state", never("der(«h») = -x  by euler(1)"), "K0511"],
  ["what `prev` reads", never("z = prev(«hh»)"), "K0511"],
  ["a name twice", never("z = x\n«z» = x"), "K0203"],
  ["a name that reads itself", never("«z» = z + x"), "K0204"],
  ["what is rebound", never("«z» += x"), "K0205"],
  ["rounds of which there are none", source("", "repeat i in 0..0 { z = «w» * i }"), "K0201"],
  ["behind `return`", source("fn f(a) {\n  return a\n  z = «w»\n}", "z = f(x)"), "K0201"],
  ["a function that nobody calls", source("fn f(a) = a + «bb»", ""), "K0201"],
  ["its axes", source("fn f(a, over A) = sum(a, over «B»)", ""), "K0320"],
  ["a function in a function", source("fn f(a) {\n  fn g(c) = c * «d»\n  return a\n}", ""), "K0201"],
  ["a block that nobody calls", source("block f(u[m]) -> [m] { return u + «v» }", ""), "K0201"],
  ["an axis of its header", source("block f(u[«q»]) -> [m] { return 1 }", ""), "K0320"],
  ["an axis of its results", source("block f(u[m]) -> [«q»] { return u }", ""), "K0320"],
  ["a default in its header", source("block f(u[m], const c = «d») -> [m] { return u }", ""), "K0201"],
  ["the caller's names", source("block f(u[m]) -> [m] { return u * «x» }", ""), "K0201"],
  ["a rule that nobody uses", source("rule r(s): der(h) = a*h + b\n  => h = a*prev(h) + s*«c»", ""), "K0201"],
  ["a rule of another form", source("rule r(s): der(h) = «a*h»\n  => h = a*prev(h)", ""), "K0506"],
  ["an axis of a body", never("axis q = [m, «r»]"), "K0320"],
  ["a size of a body", never("axis q = «qq» + 1"), "K0201"],
  ["a constant of a body", never("const q = «qq» + 1"), "K0201"],
]; // prettier-ignore

describe("names that nothing comes to", () => {
  for (const [what, marked, code, says = /./] of WRONG)
    it(`are found: ${what}`, () => {
      const { diagnostics } = elaborateSource(marked.replace(/[«»]/g, ""));
      assert.deepEqual(
        diagnostics.map((found) => found.code),
        [code],
        JSON.stringify(diagnostics),
      );
      const [found] = diagnostics;
      const [before = "", inside] = marked.split(/[«»]/);
      if (inside !== undefined)
        assert.deepEqual(
          [found?.span.start, found?.span.end],
          [before.length, before.length + inside.length],
        );
      assert.match(`${found?.message ?? ""} ${found?.hint ?? ""}`, says);
    });

  it("are found in files that `use` brings, each once", () => {
    const files = { "other.krait": "fn used(x) = x\nfn unused(x) = x + why\n" };
    const text = source('use used from "./other.krait"', "z = used(x)");
    const { diagnostics } = elaborateSource(text, { files });
    assert.deepEqual(
      diagnostics.map(({ code, span }) => [code, span.file]),
      [["K0201", "other.krait"]],
    );
  });

  it("that are reached have one message, with the call", () => {
    const { diagnostics } = elaborateSource(source("fn f(a) = a + why", "z = f(x)"));
    assert.equal(diagnostics.length, 1);
    assert.match(diagnostics[0]?.related?.[0]?.message ?? "", /called here/);
  });

  const RIGHT: readonly (readonly [string, string])[] = [
    ["both branches define", never("if true { p = x } else { p = 2*x }\nz = p")],
    ["functions use what follows them", never("fn g(c) = c * w\nparam w[m]\nz = g(x)")],
    ["states are read before their equation", never("state h[m]\nz = prev(h)\nh = z + x")],
    ["parameters gather", source("axis e = 2", 'if false { param w[e, m] from "{e}.w" }')],
    ["paths have constants", never('repeat i in 0..3 at "l.{i}" { param w[m] from "{i}.w" }')],
    ["copies need no definition", never("z = x[m -> m']\nq = sum(z, over m')")],
    ["a body's axes have copies", never("axis q = 2 * size(m2)\nparam w[q, q']")],
    ["values and axes have separate names", never("m = 3\nz = sum(x, over m) * m + size(m) + pos(m)")],
    ["masks and axes are a function's", source("fn f(a, over A, where W) = max(a, over A, where W)", "")],
    ["a rule names its terms", source("rule r(s): der(h) = a*h + b  => h = prev(h) + s*(a + prev(b))", "")],
    ["built-in constants", never("z = select(true, x, 0) * pi + inf")],
    ["a list is indexed", source("const l = [1, 2], w[n] = [1, 2, 3, 4]", "if false { z = l[0] + w[1] }")],
    ["sizes of lists", source("const l = [1, 2]", "if false { z = size(l) }")],
    ["recursion ends", source("fn f(a, n) {\n  if n == 0 { return a }\n  return f(a / 2, n - 1)\n}", "")],
    ["what was rebound", never("z = x\nz += 1\nz := z * 2\nz[t, m] := x")],
    ["several results", source("fn f(a) { return a, a }", "if false { p, q = f(x)\nz = p + q }")],
    ["named arguments", source("block f(u[m], const c = 1) -> [m] { return u*c }", "if false { z = f(x, c: 2) }")],
  ]; // prettier-ignore
  for (const [what, text] of RIGHT)
    it(`are right where ${what}`, () => assert.deepEqual(elaborateSource(text).diagnostics, []));

  it("are right in every model of the tests under no settings", () => {
    for (const folder of ["tests/families/sources", "templates/models"])
      for (const name of readdirSync(folder)) {
        const text = readFileSync(`${folder}/${name}`, "utf8");
        assert.deepEqual(elaborateSource(text).diagnostics, [], name);
      }
  });
});
