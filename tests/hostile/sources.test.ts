/** Sources that are made to take time, memory or stack. Each has its answer at once: SPEC.md § Limits. */
import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { compile } from "../../compiler/compile.js";
import { renderAll } from "../../compiler/diagnostics/render.js";
import { format } from "../../compiler/format/index.js";
import { krait, temporaryFolder } from "../support/cli.js";
import { within } from "./within.js";

const model = (body: string, beside = ""): string =>
  `axis b: batch, t: time, m = 6, n = 4\n${beside}\nmodel example {\n  input x: f32[b, t, m]\n${body}\n}\n`;
const OUTPUT = "output y[b, t, m] = x";
const lines = (count: number, line: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => line(i)).join("\n");
const doubled = (line: (from: string, to: string) => string): string =>
  lines(60, (i) => line(`a${String(i)}`, `a${String(i + 1)}`));

/** What it is, the source, and the code of the answer; without one it compiles. */
const sources: readonly (readonly [string, string, string?])[] = [
  ["parentheses", model(`output y[b, t, m] = ${"(".repeat(60_000)}x${")".repeat(60_000)}`), "K0125"],
  ["parentheses without end", "const a = ".concat("(".repeat(100_000)), "K0125"],
  ["lists in lists", `const a = ${"[".repeat(60_000)}${"]".repeat(60_000)}`, "K0125"],
  ["signs", `const a = ${"-".repeat(100_000)}1`, "K0125"],
  ["`not`", `const a = ${"not ".repeat(30_000)}true`, "K0125"],
  ["a sum", model(`output y[b, t, m] = x${" + x".repeat(30_000)}`), "K0125"],
  ["powers", model(`output y[b, t, m] = x${"^2".repeat(60_000)}`), "K0125"],
  ["bodies", model("if true {\n".repeat(10_000) + "}\n".repeat(10_000)), "K0125"],
  ["`else if`", model(`if false {}${" else if false {}".repeat(7_000)}\n${OUTPUT}`), "K0125"],
  ["selections", model(`output y[b, t, m] = x${"[m -> m]".repeat(15_000)}`), "K0125"],
  ["calls", model(`output y[b, t, m] = ${"f(".repeat(20_000)}x${")".repeat(20_000)}`), "K0125"],
  ["blocks without end", "block a() -> [] {\n".repeat(7_000), "K0111"],
  ["braces", "{".repeat(100_000), "K0125"],
  ["brackets that close nothing", ")".repeat(100_000), "K0112"],
  ["lines that are no statements", "1 = 2 (\n".repeat(14_000), "K0125"],
  ["unknown characters", "? a\n".repeat(30_000), "K0101"],
  ["points", ". ".repeat(60_000), "K0101"],
  ["quotes", '"'.repeat(100_001), "K0103"],
  ["curly quotes", "“".repeat(100_000), "K0101"],
  ["a number of many digits", model(`const a = ${"9".repeat(100_000)}\n${OUTPUT}`), "K0105"],
  ["a million items", model(`const a = [${"1,".repeat(1_000_000)}1]\n${OUTPUT}`), "K0124"],
  ["names that are alike", model(`const a = ${"a".repeat(60_000)}\n${OUTPUT}`, `const ${"a".repeat(59_999)}b = 1`), "K0201"],
  ["thousands of unknown names", model(`${lines(2000, (i) => `v${String(i)} = unknown${String(i)}`)}\n${OUTPUT}`), "K0201"],
  ["NUL", model(`${OUTPUT}\0`), "K0101"],
  ["half a surrogate pair", model(`${OUTPUT}\ud800`), "K0101"],
  ["half a pair in a comment", `# \ud800\n${model(OUTPUT)}`],
  ["a byte order mark", `\ufeff${model(OUTPUT)}`],
  ["CRLF", model(OUTPUT).replaceAll("\n", "\r\n")],
  ["CR", model(OUTPUT).replaceAll("\n", "\r")],
  ["a long comment", `#${"x".repeat(130_000)}\n${model(OUTPUT)}`],
  ["empty lines", "\n".repeat(130_000) + model(OUTPUT)],
  ["a billion rounds", model(`repeat i in 0..1000000000 { }\n${OUTPUT}`), "K0315"],
  ["rounds in rounds", model(`repeat i in 0..9999 { repeat j in 0..9999 { repeat k in 0..9999 { } } }\n${OUTPUT}`), "K0703"],
  ["rounds that don't count", model(`repeat i in 9007199254740992..9007199254740994 { }\n${OUTPUT}`), "K0703"],
  ["rounds without end", model(`repeat i in 0..inf { }\n${OUTPUT}`), "K0306"],
  ["a size of 1e300", model(OUTPUT, "axis q = 1e300"), "K0321"],
  ["a size that is no number", model(OUTPUT, "axis q = 0/0"), "K0321"],
  ["a size beyond 32 bits", model(OUTPUT, "axis q = 4294967296"), "K0327"],
  ["a product beyond 32 bits", model(OUTPUT, "axis q1 = 65536, q2 = 65536, q = [q1, q2]"), "K0327"],
  ["elements beyond 2^53", model("param w[p, q, r]\noutput y[b, t, m] = x * sum(w, over [p, q, r])", "axis p = 4000000000, q = 4000000000, r = 4000000000"), "K0415"],
  ["a doubled list", model(OUTPUT, `const a0 = [1, 2]\n${doubled((a, b) => `const ${b} = ${a} + ${a}`)}`), "K0310"],
  ["a doubled string", model(OUTPUT, `const a0 = "ab"\n${doubled((a, b) => `const ${b} = ${a} + ${a}`)}`), "K0310"],
  ["a list of a list twice", model(OUTPUT, `const a0 = [1, 2]\n${doubled((a, b) => `const ${b} = [${a}, ${a}]`)}`), "K0310"],
  ["a product of an axis twice", model(OUTPUT, `axis a0 = 1\n${doubled((a, b) => `axis ${b} = [${a}, ${a}]`)}`), "K0327"],
  ["a sum of an axis twice", model(OUTPUT, `axis a0 = 1\n${doubled((a, b) => `axis ${b} = ${a} | ${a}`)}`), "K0327"],
  ["functions that call another twice", model("output y[b, t, m] = a60(x)", `fn a0(x) = sin(x)\n${doubled((a, b) => `fn ${b}(x) = ${a}(x) * ${a}(x + 1)`)}`), "K0703"],
  ["values used twice", model(`a0 = x\n${doubled((a, b) => `${b} = sin(${a}) * cos(${a})`)}\noutput y[b, t, m] = a60`)],
  ["delays of delays", model(`a0 = x\n${lines(60, (i) => `a${String(i + 1)} = prev(a${String(i)}) + a${String(i)}`)}\noutput y[b, t, m] = a60`)],
  ["choices of choices", model(`input u: f32[b, t]\na0 = x\n${lines(60, (i) => `a${String(i + 1)} = select(u > ${String(i)}, a${String(i)}/2, 1 - a${String(i)})`)}\noutput y[b, t, m] = a60`)],
  ["a chain of thousands", model("a = x\nrepeat i in 0..9000 { a := sin(a) }\noutput y[b, t, m] = a"), "K0711"],
  ["constants that need the next one", model(OUTPUT, `${lines(5000, (i) => `const c${String(i)} = c${String(i + 1)}`)}\nconst c5000 = 1`), "K0711"],
  ["a file that uses itself", 'use a from "./main.krait"\n'.concat(model(OUTPUT)), "K0210"],
  ["a long path", model(`param w[m] from "${"{n}".repeat(40_000)}"\n${OUTPUT}`, "const k = 1"), "K0608"],
  ["a tensor for each of a billion", model(`param w[e, f, m] from "{e}.{f}"\n${OUTPUT}`, "axis e = 30000, f = 30000"), "K0607"],
  ["names that every object has", model("param constructor[m], __proto__[m]\ntoString = x * constructor\noutput y[b, t, m] = toString * __proto__", "const valueOf = 3")],
  ["unknown names that every object has", model("output y[b, t, m] = hasOwnProperty(x)"), "K0202"],
]; // prettier-ignore

describe("a hostile source", () => {
  for (const [what, text, code] of sources) {
    it(`of ${what} is ${code === undefined ? "compiled" : `answered by ${code}`}`, async () => {
      const source = { path: "main.krait", text };
      const loadSource = (path: string): typeof source | undefined =>
        path === "main.krait" ? source : undefined;
      await within(() => {
        const { diagnostics } = compile(source, { loadSource });
        const found = diagnostics.map((diagnostic) => diagnostic.code);
        if (code === undefined) assert.deepEqual(found, []);
        else assert.ok(found.includes(code), found.join());
        return Promise.resolve(renderAll(diagnostics, new Map([[source.path, source]])));
      });
      await within(() => Promise.resolve(format(source)));
    });
  }
});

describe("krait, given a hostile source", () => {
  const at = temporaryFolder();

  it("says what is wrong and builds nothing", async () => {
    const path = at("hostile.krait");
    for (const [, text, code] of sources.filter(([, , answer]) => answer === "K0125" || answer === "K0310")) {
      writeFileSync(path, text);
      for (const args of [["check"], ["build", "-o", at("bundle")], ["fmt"]]) {
        const [command = "", ...rest] = args;
        if (command === "fmt" && code === "K0310") continue;
        const { code: exit, out, err } = await within(() => krait(command, path, ...rest));
        assert.equal(exit, 1, err);
        assert.equal(out, "");
        assert.match(err, new RegExp(`^error\\[${code ?? ""}\\]: .*\\n  --> .*hostile\\.krait:\\d+:\\d+\\n`));
        assert.ok(err.length < 500_000, String(err.length));
      }
      assert.ok(!existsSync(at("bundle")));
    }
  });

  it("refuses what is not UTF-8", async () => {
    writeFileSync(at("latin.krait"), Uint8Array.of(0x23, 0x20, 0xe9, 0x0a));
    const { code, err } = await krait("check", at("latin.krait"));
    assert.equal(code, 1);
    assert.match(err, /latin\.krait is not a Krait source file: it is not UTF-8 text/);
  });
});
