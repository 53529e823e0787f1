/** One example a mistake: its code, the exact place, and what the message is about. */
import { strict as assert } from "node:assert";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Diagnostic } from "../../compiler/diagnostics/types.js";
import { AXES, elaborateSource, type SourceOptions } from "./support.js";

interface Example extends SourceOptions {
  readonly code: string;
  /** The statements of a model whose input is x[b, t, m], the place marked by «». */
  readonly model?: string;
  /** Declarations beside the model. */
  readonly beside?: string;
  /** A whole file in place of the two. */
  readonly text?: string;
  readonly says: RegExp;
}

/** A model that reads x and returns x; `statements` stand between. */
const modelOf = (statements: string): string =>
  `model example {\n  input x: f32[b, t, m]\n${statements}\n  output y[b, t, m] = x\n}\n`;

const EXAMPLES: readonly Example[] = [
  // Names.
  { code: "K0201", model: "z = x + «xx»", says: /`xx` is not defined/ },
  { code: "K0201", model: "scale = 2\nz = x * «scael»", says: /did you mean `scale`/ },
  { code: "K0202", model: "z = «sofplus»(x)", says: /did you mean `softplus`/ },
  { code: "K0203", model: "z = x\n«z» = x * 2", says: /`z` is already defined.*`z := …`/s },
  { code: "K0203", beside: "const q = 1, «q» = 2", says: /`q` is already defined/ },
  { code: "K0204", model: "z = x\n«z» = z * 2", says: /`z \+= …`/ },
  { code: "K0204", model: "«z» = z * 2", says: /declare `state z\[…\]`/ },
  { code: "K0205", model: "«z» += x", says: /`\+=` rebinds a value/ },
  { code: "K0206", model: "«x» += 1", says: /an input and cannot be rebound/ },
  { code: "K0206", model: "param w[m]\n«w» := x", says: /a parameter and cannot/ },
  {
    code: "K0207",
    model: "state h[m]\nz = «h»\nh = prev(h) + x",
    says: /`prev\(h\)` is its value one step earlier/,
  },
  { code: "K0208", beside: 'use f from «"./none.krait"»', says: /cannot find the file/ },
  {
    code: "K0209",
    beside: 'use «mixxer» from "./other.krait"',
    files: { "other.krait": "fn mixer(x) = x\n" },
    says: /did you mean `mixer`/,
  },
  {
    code: "K0209",
    beside: 'use f from "./other.krait" with «sice» = 3',
    files: { "other.krait": "const size = 2\nfn f(x) = x * size\n" },
    says: /did you mean `size`/,
  },
  {
    code: "K0210",
    beside: 'use f from "./other.krait"',
    file: "other.krait",
    says: /uses this file/,
  },
  { code: "K0211", text: "const a = 1\n", says: /has no `model`/ },
  { code: "K0212", model: "z = «exp(x, x)»", says: /takes 1 value, and is given 2/ },
  { code: "K0212", model: "z = «sum(x)»", says: /needs `over` and an axis/ },
  { code: "K0212", model: "z = silu(x, «x»)", says: /too many values/ },
  { code: "K0212", model: "z = exp(x, «over m»)", says: /takes no `over`/ },
  { code: "K0212", beside: "fn f(x, y) = x + y", model: "z = «f(x)»", says: /needs `y`/ },
  {
    code: "K0212",
    beside: "block f(u[t, m], const c) -> [t, m] { return u * c }",
    model: "z = f(x, «x»)",
    says: /needs a constant for `c`/,
  },
  {
    code: "K0213",
    beside: "fn f(x) { «repeat k in 0..2 { return x }» }",
    model: "z = f(x)",
    says: /`return`.*`repeat`/,
  },
  { code: "K0214", model: "p, q = «exp(x)»", says: /one value.*2 values/s },
  {
    code: "K0214",
    beside: "block «f»(u[t, m]) -> ([t, m], [t, m]) { return u }",
    model: "p, q = f(x)",
    says: /number of values/,
  },
  { code: "K0215", beside: "fn «f»(x) { y = x }", model: "z = f(x)", says: /ends without `return`/ },
  { code: "K0216", beside: "fn f(x) = «f(x)»", model: "z = f(x)", says: /calls itself without end/ },
  { code: "K0217", model: "z = x * «m»", says: /an axis, not a value/ },
  { code: "K0217", model: "z = «zoh»(x)", says: /a rule, not a function/ },

  // Constants.
  { code: "K0301", model: "repeat k in 0..«x» { z = x }", says: /known when the model is compiled/ },
  { code: "K0301", model: "z = len(«x»)", says: /an argument of `len`/ },
  { code: "K0302", beside: 'const c = «1 + "a"»', says: /`\+` does not apply to a number and a string/ },
  { code: "K0302", beside: "const c = [1, 2]", model: "const q = «c[2]»", says: /there is no item 2/ },
  { code: "K0303", beside: "const width = 3", set: { widht: 4 }, says: /--set widht.*did you mean `width`/s },
  { code: "K0304", beside: "const «width» = 3", set: { width: "wide" }, says: /a string.*a number, like 3/s },
  {
    code: "K0304",
    beside: 'const «bias» = true from "use_bias"',
    config: { use_bias: 1 },
    says: /config.json's `use_bias`/,
  },
  { code: "K0305", beside: "const «p» = q, q = p", says: /defined by itself/ },
  { code: "K0306", model: "repeat k in 0..«1.5» { z = x }", says: /whole numbers/ },
  { code: "K0307", model: "if «1» { z = x }", says: /true or false/ },

  // Axes.
  { code: "K0320", model: "z = sum(x, over «q»)", says: /declare it: `axis q = …`/ },
  { code: "K0320", beside: "axis strand = 2", model: "z = x[«strnad» : 0]", says: /did you mean `strand`/ },
  { code: "K0321", beside: "axis p = «2.5»", says: /whole number.*2.5/s },
  { code: "K0322", beside: "axis p = [m, «2»]", says: /a product is made of axes/ },
  { code: "K0322", beside: "axis p = m | «t»", says: /has no fixed size/ },
  {
    code: "K0323",
    beside: "block f(u[t, m]) -> [t, m] { return sum(u * pos(«n»), over n) }",
    model: "param w[n]\nz = f(x * w)",
    says: /`f` uses the axis `n` itself.*`x\[n -> n'\]`/s,
  },
  { code: "K0324", model: "z = x / «size(t)»", says: /known only when the model runs/ },
  { code: "K0325", model: "z = x[m -> «n»]", says: /another size.*\[n\] of 4.*\[m\] of 6/s },
  { code: "K0326", model: "param w[«5», m]", says: /the only literal size is 1/ },
  {
    code: "K0324",
    beside: "axis q = [m, t]",
    model: "z = x + «pos(q)»",
    says: /known only when the model runs/,
  },
  { code: "K0326", model: 'param (w[n] | v«[m]»)[_, m] from "w"', says: /stands here twice/ },
  {
    code: "K0408",
    beside: "axis s = n | i",
    model: "param u[n, i], w[i]\nz = concat(«u», w, as s)",
    says: /this value is f32\[n, i\]/,
  },
  { code: "K0326", model: "param w[m, «m»]", says: /stands here twice.*`m'`/s },

  // Axes and types of values.
  {
    code: "K0401",
    model: "param w[n]\nz = dot(w, «x», over n)",
    says: /`dot` works over `n`.*f32\[b, t, m\]/s,
  },
  { code: "K0401", model: "z = «rms_norm(x, over n, 1e-5)»", says: /`rms_norm`: `sum` works over `n`/ },
  { code: "K0401", model: "z = causal_conv(x, «x», along t, over k)", says: /`causal_conv` works over `k`/ },
  {
    code: "K0402",
    beside: "block f(u[t, m]) -> [t] { return «u + 1» }",
    model: "z = f(x)",
    says: /what `f` returns has an axis too many: m/,
  },
  { code: "K0402", model: "output o[b, t] = «x»", says: /the output `o` has an axis too many/ },
  { code: "K0402", model: "z[t] = «x»", says: /`z` has an axis too many/ },
  {
    code: "K0402",
    model: "state h[m]\nparam w[n]\nh = «prev(h) + w»",
    says: /the value of `h` has an axis too many: n/,
  },
  {
    code: "K0403",
    beside: "block f(u[t, m]) -> [t, m] { return u }",
    model: "z = f(«sum(x, over m)»)",
    says: /the argument `u` of `f` lacks m/,
  },
  { code: "K0404", model: "param w[m2, m]\nz = w[m2 -> «m»]", says: /already has an axis `m`/ },
  { code: "K0405", model: "param w[n]\nz = w[n: «x»]", says: /whole number/ },
  { code: "K0406", model: "z = x * («x > 0»)", says: /`select\(condition, 1, 0\)`/ },
  { code: "K0406", model: "z = select(«x», 1, 0)", says: /the condition has the wrong type/ },
  { code: "K0406", model: "state h[m]\nh = «complex(x, x) + prev(h)»", says: /: complex`/ },
  { code: "K0406", model: "z = «complex(x, x)» < x", says: /a real number/ },
  { code: "K0407", model: "z = x[m: «6»]", says: /0 to 5/ },
  { code: "K0408", model: "z = «concat(x, x, as m)»", says: /joins along a sum axis/ },
  { code: "K0408", model: "z = stack(x, x, as «[n]»)", says: /there are 2 values/ },
  { code: "K0409", model: 'z = x + «"one"»', says: /not a number or a tensor/ },

  // Recurrences.
  { code: "K0501", model: "state «h»[m]", says: /the state `h` has no equation/ },
  { code: "K0502", model: "state h[m]\nh = x\nh = «x + 1»", says: /two equations/ },
  { code: "K0503", model: "param w[m]\nz = prev(«w»)", says: /the same at every step/ },
  { code: "K0504", model: "state h[m]\nder(h) = «h * h» + x  by euler(1)", says: /must be linear in `h`/ },
  {
    code: "K0505",
    model: "state h[m]\nparam A[m', m]\nder(h) = «dot(A, h, over m)»[m' -> m] + x  by euler(1)",
    says: /mixes the elements of `h`/,
  },
  {
    code: "K0506",
    beside: "rule half(step): der(h) = «a*h» => h = prev(h)",
    model: "state h[m]\nder(h) = x by half(1)",
    says: /must be `a\*h \+ b`/,
  },
  {
    code: "K0507",
    text: "axis m = 2\nmodel example {\n  param w[m]\n  state «h»[m]\n  output y[m] = w\n}\n",
    says: /needs an axis of time/,
  },
  {
    code: "K0508",
    model: "param w[k]\nz = causal_conv(x, w, along «m», over k)",
    says: /`m` is not an axis of time/,
  },
  { code: "K0509", model: "state h«[t, m]»\nh = prev(h)", says: /declared over time/ },
  { code: "K0510", model: "state h[m]\nder(h) = x - h  by «exp_eulr»(1)", says: /did you mean `exp_euler`/ },
  {
    code: "K0512",
    beside: "axis hop = 2, f: time = [t, hop]\nblock f0(u[f, m]) -> [f, m] { return u + «prev(u)» }",
    model: "y0 = f0(x*pos(hop))",
    says: /along `f`, which is a product/,
  },
  { code: "K0511", model: "der(«h») = x  by euler(1)", says: /declare it: `state h\[…\]`/ },
  { code: "K0511", model: "h = 0.5 * prev(«h») + x", says: /declare it: `state h\[…\]`/ },

  // Parameters.
  { code: "K0601", model: 'param (w[n] | v[n])«[m]» from "w"', says: /no `_`/ },
  { code: "K0602", model: "param «(w[n] | v[n])[_, m]»", says: /need its name/ },
  { code: "K0603", model: 'param w[m] from «"w.{lyer}"»', says: /`\{lyer\}`/ },
  {
    code: "K0604",
    model: 'param w[m] from "w"\nparam «v[n] from "w"»',
    says: /read in two shapes.*\[4\].*\[6\]/s,
  },
  { code: "K0605", model: "param «w[t, m]»", says: /has the axis `t`/ },
  { code: "K0606", model: 'param w[i, m] from "e.{i}.w" | «"e.w"»', says: /`\{i\}` in every alternative/ },

  // What is called, indexed and repeated.
  { code: "K0201", model: "repeat r in 0..2 { q = x }\nz = «q»", says: /`repeat` defines ends with it/ },
  { code: "K0201", model: "if true { q = x } else { p = x }\nz = «q»", says: /one branch of `if`/ },
  { code: "K0218", model: 'z = exp(x) at «"q"»', says: /`exp` is a function/ },
  { code: "K0218", beside: "fn f(x) = x", model: 'z = f(x) at «"q"»', says: /`f` is a function/ },
  { code: "K0308", model: "repeat r in «3..1» { z = x }", says: /never runs.*3\.\.1/s },
  { code: "K0309", beside: "const w[«n»] = [1, 2]", model: "z = x * w", says: /`n`.*\[1, 2\].*4 numbers/s },
  { code: "K0410", model: "z = x[t: «0»]", says: /`t` has its size when the model runs/ },
  { code: "K0411", model: "z = x[«0»]", says: /`x\[m: i\]`/ },
  { code: "K0202", model: "z = «x»(3)", says: /`x` is an input/ },
  { code: "K0212", model: "z = rms_norm(x, over m, «esp: 1e-5»)", says: /did you mean `eps`/ },
  {
    code: "K0212",
    beside: "block f(u[t, m], const size = 1) -> [t, m] { return u * size }",
    model: "z = f(x, «szie: 2»)",
    says: /did you mean `size`/,
  },
  { code: "K0320", model: "w = x\nz = sum(x, over «w»)", says: /`w` is a value/ },
  { code: "K0401", model: "z = x[«n»: 0]", says: /this value has no axis `n`/ },

  // Beyond reason.
  { code: "K0315", model: "«repeat r in 0..1000000000 { z = x }»", says: /1000000000 rounds/ },
  { code: "K0327", beside: "axis «huge» = 2^40", says: /`huge` is too large.*1099511627776/s },
  {
    code: "K0415",
    beside: "axis p = 2^20, q = 2^20",
    model: "param w[p], v[q]\nz = x*sum(«w*v», over [p, q])",
    says: /too large/,
  },

  {
    code: "K0327",
    beside: "axis a = 1, c = [a, a, a, a], e = [c, c, c, c], «huge» = [e, e, e, e, e]",
    says: /`huge` is too large.*80 factors/s,
  },
  {
    code: "K0310",
    beside: `const a0 = [1, 2]\n${Array.from({ length: 18 }, (_, i) => `const a${i + 1} = [a${i}, a${i}]\n`).join("")}`,
    says: /more than 1000000 items/,
  },
  { code: "K0607", model: 'axis e = 70000\nparam w[e, m] from «"e.{e}"»', says: /70000 tensors/ },
  {
    code: "K0608",
    beside: `const s = "${"s".repeat(100)}"`,
    model: `param w[m] from «"${"{s}".repeat(50)}"»`,
    says: /at most 4096 characters/,
  },

  // Programs.
  {
    code: "K0703",
    model: "repeat i in 0..9000 { repeat j in 0..9000 { const z = «i» } }",
    says: /more than 100000 expressions/,
  },
  {
    code: "K0701",
    text: "axis b: batch, t: time, m = 2\nmodel «example» {\n  input x: f32[b, t, m]\n}\n",
    says: /no output/,
  },
  { code: "K0702", model: "input q: «f64»[b, t, m]", says: /`f64` is not a type of inputs/ },
  { code: "K0702", model: "output q: «u32»[b, t, m] = x", says: /`u32` is not a type of outputs/ },
  { code: "K0406", model: "output q: index(m)[b, t, m] = «x»", says: /whole numbers \(index\)[^]*argmax/ },
  { code: "K0406", model: "output q: index(m)[b, t] = «3»", says: /the output `q` has the wrong type/ },
];

/** Everything that a diagnostic says, as one text. */
const textOf = (diagnostic: Diagnostic): string =>
  [diagnostic.message, diagnostic.found, diagnostic.expected, diagnostic.hint].join("\n");

function sourceOf(example: Example): string {
  if (example.text !== undefined) return example.text;
  return `${AXES}${example.beside ?? ""}\n${modelOf(example.model ?? "")}`;
}

describe("diagnostics of analysis and elaboration", () => {
  for (const example of EXAMPLES) {
    const marked = sourceOf(example);
    const what = (example.model ?? example.beside ?? example.text ?? "").replaceAll(/\s+/g, " ");
    it(`${example.code}: ${what}`, () => {
      const source = marked.replaceAll(/[«»]/g, "");
      const { diagnostics } = elaborateSource(source, example);
      const codes = diagnostics.map((d) => `${d.code} ${d.message}`).join("; ");
      assert.equal(diagnostics.length, 1, codes);
      const [diagnostic] = diagnostics;
      assert(diagnostic !== undefined);
      assert.equal(diagnostic.code, example.code, codes);
      assert.match(textOf(diagnostic), example.says);
      if (!marked.includes("«")) return;
      const { start, end } = diagnostic.span;
      assert.equal(source.slice(start, end), marked.slice(marked.indexOf("«") + 1, marked.indexOf("»")));
    });
  }

  it("has an example of every code", () => {
    const folder = fileURLToPath(new URL("../../compiler/diagnostics/codes/", import.meta.url));
    const codes = readdirSync(folder)
      .filter((file) => file !== "syntax.ts")
      .flatMap((file) => readFileSync(folder + file, "utf8").match(/"K\d{4}"/g) ?? [])
      .map((code) => code.slice(1, -1))
      // From K0710 on they are the passes'.
      .filter((code) => code < "K0710");
    const shown = new Set(EXAMPLES.map(({ code }) => code));
    assert.deepEqual(
      [...new Set(codes)].filter((code) => !shown.has(code)),
      [],
    );
  });

  it("reports every mistake of a file, each once, and none that follows from another", () => {
    const { diagnostics } = elaborateSource(
      `${AXES}${modelOf(`
      p = x + nope
      q = exp(p) * dot(p, p, over q)
      r = sofplus(q) + p
      repeat layer in 0..4 { s = x + nowhere }`)}`,
    );
    assert.deepEqual(
      diagnostics.map(({ code }) => code),
      ["K0201", "K0320", "K0202", "K0201"],
    );
  });

  it("shows both sides of an axis mismatch, and where the axis is asked for", () => {
    const source = `${AXES}${modelOf("param w[n]\nz = dot(w, x, over n)")}`;
    const [diagnostic] = elaborateSource(source).diagnostics;
    const shown = diagnostic?.related?.map(({ span, message }) => [
      source.slice(span.start, span.end),
      message,
    ]);
    assert.deepEqual(shown, [
      ["w", "the other side is f32[n]"],
      ["n", "`n` is asked for here"],
    ]);
  });

  it("stays in the author's file where the value comes from the prelude", () => {
    const source = `${AXES}block f(u[t, m]) -> [t] { return silu(u) }\n${modelOf("z = f(x)")}`;
    const [diagnostic] = elaborateSource(source).diagnostics;
    assert.equal(diagnostic?.code, "K0402");
    assert.equal(source.slice(diagnostic.span.start, diagnostic.span.end), "silu(u)");
  });

  it("says which sizes differ where two files' axes have one name", () => {
    const files = {
      "f.krait": "const width = 5\naxis t: time, m = width\nblock f(u[t, m]) -> [t, m] { return u }\n",
    };
    const source = `use f from "f.krait"\n${AXES}${modelOf("z = f(x)")}`;
    const [diagnostic] = elaborateSource(source, { files }).diagnostics;
    assert.equal(diagnostic?.code, "K0403");
    assert.match(diagnostic.hint ?? "", /`m` has size 6, `m_2` has size 5.*use … with/s);
    const fixed = source.replace('"f.krait"', '"f.krait" with width = 6');
    assert.deepEqual(elaborateSource(fixed, { files }).diagnostics, []);
  });

  it("shows the call that wrote out a mistake in another body", () => {
    const source = `${AXES}block f(u[t, m]) -> [t, m] { return u + nope }\n${modelOf("z = f(x)")}`;
    const [diagnostic] = elaborateSource(source).diagnostics;
    const call = diagnostic?.related?.at(-1);
    assert(call !== undefined);
    assert.equal(call.message, "`f` is called here");
    assert.equal(source.slice(call.span.start, call.span.end), "f(x)");
  });
});
