import assert from "node:assert/strict";
import type { Declaration, Statement } from "../../compiler/1-parse/ast.js";
import { readWell, show, showAxes, statementsOf } from "../support/syntax.js";

/** The only declaration of a file. */
function declaration<K extends Declaration["kind"]>(
  kind: K,
  text: string,
): Extract<Declaration, { kind: K }> {
  const { declarations } = readWell(text);
  assert.equal(declarations.length, 1);
  const [only] = declarations;
  assert(only !== undefined && isKind(only, kind), `${String(only?.kind)} is no ${kind}`);
  return only;
}

/** The only statement of a body. */
function statement<K extends Statement["kind"]>(kind: K, text: string): Extract<Statement, { kind: K }> {
  const statements = statementsOf(text);
  assert.equal(statements.length, 1);
  const [only] = statements;
  assert(only !== undefined && isKind(only, kind), `${String(only?.kind)} is no ${kind}`);
  return only;
}

function isKind<T extends { kind: string }, K extends T["kind"]>(
  node: T,
  kind: K,
): node is Extract<T, { kind: K }> {
  return node.kind === kind;
}

const names = (of: readonly { readonly name: string }[]): string[] => of.map(({ name }) => name);
const texts = (of: readonly { readonly text: string }[]): string[] => of.map(({ text }) => text);

describe("declarations", () => {
  it("use: names, file and constants", () => {
    const use = declaration(
      "use",
      'use mixer, mlp from "./mamba.krait" with state_size = 64, taps = 2 + 2\n',
    );
    assert.deepEqual(names(use.names), ["mixer", "mlp"]);
    assert.equal(use.from.text, "./mamba.krait");
    assert.deepEqual(
      use.with.map(({ name, value }) => [name.name, show(value)]),
      [
        ["state_size", "64"],
        ["taps", "(2 + 2)"],
      ],
    );
  });

  it("const: values, keys of config.json, an axis", () => {
    const { definitions } = declaration(
      "const",
      'const a = 1e-5 from "x.eps" | "eps", b[head] = [1, 2], c = a*b',
    );
    assert.deepEqual(
      definitions.map(({ name, axis, value, from }) => [name.name, axis?.name, show(value), texts(from)]),
      [
        ["a", undefined, "1e-5", ["x.eps", "eps"]],
        ["b", "head", "[1, 2]", []],
        ["c", undefined, "(a * b)", []],
      ],
    );
  });

  it("axis: run-time axes, sizes, products and sums", () => {
    const { definitions } = declaration(
      "axis",
      "axis b: batch, t: time = [s, hop], m = width, d = expand * width, head = [g, rep], n = rot | mid | rest",
    );
    assert.deepEqual(
      definitions.map(({ name, role, value }) => {
        switch (value.kind) {
          case "runtime":
            return [name.name, role, "runtime", value.role];
          case "product":
            return [name.name, role, showAxes(value.axes)];
          case "sum":
            return [name.name, role, names(value.parts)];
          case "size":
            return [name.name, role, show(value.size)];
        }
      }),
      [
        ["b", "batch", "runtime", "batch"],
        ["t", "time", "[s, hop]"],
        ["m", undefined, "width"],
        ["d", undefined, "(expand * width)"],
        ["head", undefined, "[g, rep]"],
        ["n", undefined, ["rot", "mid", "rest"]],
      ],
    );
  });

  it("fn: an expression is a body of one return", () => {
    const fn = declaration("fn", "fn lerp(a, b, over W, along T, as S) = a + (b - a)*w");
    assert.equal(fn.name.name, "lerp");
    assert.deepEqual(
      fn.parameters.map(({ keyword, name }) => [keyword, name.name]),
      [
        [undefined, "a"],
        [undefined, "b"],
        ["over", "W"],
        ["along", "T"],
        ["as", "S"],
      ],
    );
    const [only, ...rest] = fn.body;
    assert(only?.kind === "return" && rest.length === 0);
    assert.deepEqual(only.values.map(show), ["(a + ((b - a) * w))"]);
  });

  it("fn: with a body", () => {
    const fn = declaration("fn", "fn f() {\n  z = 1\n  return z\n}");
    assert.deepEqual(
      fn.body.map(({ kind }) => kind),
      ["assign", "return"],
    );
  });

  it("rule: both forms", () => {
    const rule = declaration("rule", "rule euler(step, mix):\n  der(h) = a*h + b\n  => h = prev(h) + step*b");
    assert.equal(rule.name.name, "euler");
    assert.deepEqual(names(rule.parameters), ["step", "mix"]);
    assert.equal(rule.state.name, "h");
    assert.equal(show(rule.continuous), "((a * h) + b)");
    assert.equal(show(rule.discrete), "(prev(h) + (step * b))");
  });

  it("block: formals and results", () => {
    const block = declaration(
      "block",
      "block f(u[t, m], const n, const call = 0) -> ([t, m], []) { return u, 1 }",
    );
    assert.equal(block.name.name, "f");
    assert.deepEqual(
      block.formals.map((formal) =>
        formal.kind === "const"
          ? ["const", formal.name.name, formal.value && show(formal.value)]
          : ["tensor", formal.name.name, showAxes(formal.axes)],
      ),
      [
        ["tensor", "u", "[t, m]"],
        ["const", "n", undefined],
        ["const", "call", "0"],
      ],
    );
    assert.deepEqual(block.results.map(showAxes), ["[t, m]", "[]"]);
  });

  it("model, input, output", () => {
    const model = declaration(
      "model",
      "model m {\n input token: index(v)[b, t]\n input wave: f32[b, t]\n output y[b, t] = wave\n output best: index(v)[b, t] = token\n}",
    );
    assert.equal(model.name.name, "m");
    const [token, wave, output, best] = model.body;
    assert(token?.kind === "input" && token.scalar.kind === "index");
    assert.deepEqual(
      [token.name.name, token.scalar.axis.name, showAxes(token.axes)],
      ["token", "v", "[b, t]"],
    );
    assert(wave?.kind === "input" && wave.scalar.kind === "real");
    assert.deepEqual([wave.name.name, wave.scalar.name.name, showAxes(wave.axes)], ["wave", "f32", "[b, t]"]);
    assert(output?.kind === "output");
    assert.deepEqual([output.name.name, showAxes(output.axes), show(output.value)], ["y", "[b, t]", "wave"]);
    assert.equal(output.scalar, undefined);
    assert(best?.kind === "output" && best.scalar?.kind === "index");
    assert.deepEqual(
      [best.name.name, best.scalar.axis.name, showAxes(best.axes), show(best.value)],
      ["best", "v", "[b, t]", "token"],
    );
  });

  it("## documents the declaration after it, line by line", () => {
    const { declarations } = readWell(
      "## One.\n##\n##   Two.\nmodel m {\n  ## In.\n  input x: f32[b]\n  # plain\n  ## Out.\n  # plain\n\n  output y[b] = x\n}\n",
    );
    const [model] = declarations;
    assert(model?.kind === "model");
    assert.equal(model.doc, "One.\n\n  Two.");
    assert.deepEqual(
      model.body.map((item) => (item.kind === "input" || item.kind === "output" ? item.doc : undefined)),
      ["In.", "Out."],
    );
  });

  it("## documents each kind of declaration", () => {
    for (const text of [
      "const a = 1",
      "axis m = 1",
      "fn f() = 1",
      "rule r(s): der(h) = a*h + b => h = b",
      "block f() -> [] { return 1 }",
      "model m { }",
    ]) {
      const [only] = readWell(`## It.\n${text}\n`).declarations;
      assert(only !== undefined && only.kind !== "use");
      assert.equal(only.doc, "It.", text);
    }
    for (const text of ["param w[d]", "state h[d]"]) {
      const [only] = statementsOf(`## It.\n${text}\n`);
      assert(only?.kind === "param" || only?.kind === "state");
      assert.equal(only.doc, "It.", text);
    }
  });
});

describe("statements", () => {
  it("param: single, stacked, stacked inside a group, complex", () => {
    const { definitions } = statement(
      "param",
      'param w[d, 1, k] from "a" | "b", (x[d] | z[n, m])[_, m] from "c", (q[p] | k[p])[[g, _], m], C[n]: complex from "C", D[]',
    );
    assert.deepEqual(
      definitions.map(({ parts, axes, scalar, from }) => [
        parts.map((part) => `${part.name.name}${showAxes(part.axes)}`).join(" | "),
        showAxes(axes),
        scalar,
        texts(from),
      ]),
      [
        ["w[d, 1, k]", "[d, 1, k]", "real", ["a", "b"]],
        ["x[d] | z[n, m]", "[_, m]", "real", ["c"]],
        ["q[p] | k[p]", "[[g, _], m]", "real", []],
        ["C[n]", "[n]", "complex", ["C"]],
        ["D[]", "[]", "real", []],
      ],
    );
  });

  it("state: init and scalar", () => {
    const { definitions } = statement("state", "state h[d, n], top[d] init -inf, z[n]: complex init 1 + 2");
    assert.deepEqual(
      definitions.map(({ name, axes, scalar, init }) => [
        name.name,
        showAxes(axes),
        scalar,
        init && show(init),
      ]),
      [
        ["h", "[d, n]", "real", undefined],
        ["top", "[d]", "real", "(- inf)"],
        ["z", "[n]", "complex", "(1 + 2)"],
      ],
    );
  });

  it("der: equation, rule and its arguments", () => {
    const der = statement("der", "der(h) = -exp(A) * h + B * x\n  by zoh(delta, 1/2)");
    assert.deepEqual(
      [der.state.name, show(der.value), der.rule.name, der.args.map(show)],
      ["h", "(((- exp(A)) * h) + (B * x))", "zoh", ["delta", "(1 / 2)"]],
    );
  });

  it("assign: one or several targets, with axes, all operators", () => {
    const [define, rebind, add, several] = statementsOf("y[t, m] = 1\ny := 2\ny += 3\na, b[m] = top(c)");
    const shown = [define, rebind, add, several].map((item) => {
      assert(item?.kind === "assign");
      const targets = item.targets.map(
        ({ name, axes }) => `${name.name}${axes === undefined ? "" : showAxes(axes)}`,
      );
      return `${targets.join(", ")} ${item.op} ${show(item.value)}`;
    });
    assert.deepEqual(shown, ["y[t, m] = 1", "y := 2", "y += 3", "a, b[m] = top(c)"]);
  });

  it("repeat: bounds, path, body", () => {
    const repeat = statement("repeat", 'repeat i in 2*a .. len(b) - 1 at "layers.{i}" { x += f(x) at "g" }');
    assert.deepEqual(
      [repeat.name.name, show(repeat.from), show(repeat.to), repeat.at?.text],
      ["i", "(2 * a)", "(len(b) - 1)", "layers.{i}"],
    );
    const [inner] = repeat.body;
    assert(inner?.kind === "assign");
    assert.equal(show(inner.value), 'f(x) at "g"');
  });

  it("repeat: `at` after a call in the bounds is the loop's", () => {
    const repeat = statement("repeat", 'repeat i in 0..len(b) at "layers.{i}" { }');
    assert.equal(show(repeat.to), "len(b)");
    assert.equal(repeat.at?.text, "layers.{i}");
  });

  it("if: else, else if", () => {
    const first = statement("if", "if a { x = 1 } else if b { x = 2 }\nelse {\n x = 3\n y = 4\n}");
    assert.equal(show(first.condition), "a");
    assert.equal(first.then.length, 1);
    const [second] = first.otherwise;
    assert(second?.kind === "if" && first.otherwise.length === 1);
    assert.equal(show(second.condition), "b");
    assert.deepEqual([second.then.length, second.otherwise.length], [1, 2]);
    assert.deepEqual(statement("if", "if a { }").otherwise, []);
  });

  it("return: several values", () => {
    assert.deepEqual(statement("return", "return a + b, c").values.map(show), ["(a + b)", "c"]);
  });
});
