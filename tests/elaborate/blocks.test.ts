/** Blocks and functions: scopes, mapping, paths, results. */
import { strict as assert } from "node:assert";
import { AXES, elaborateSource, graphOf, nodesOf, outputNode } from "./support.js";

const EMA = `block ema(u[t, m]) -> [t, m] {
  param a[m]
  state h[m]
  h = a * prev(h) + u
  return h
}
`;

const model = (statements: string): string => `model example {\n  input x: f32[b, t, m]\n${statements}\n}\n`;

describe("blocks", () => {
  it("name states by call path, and find parameters under their at scopes", () => {
    const graph = graphOf(
      `${AXES}${EMA}${model(`
  z = ema(x) at "first"
  repeat layer in 0..2 at "layers.{layer}" { z += ema(z) at "mix" }
  repeat k in 0..2 { z += ema(z) at "/shared" }
  z += ema(z)
  output y[b, t, m] = z`)}`,
    );
    assert.deepEqual(
      graph.states.map(({ name }) => name),
      ["first.h", "layers.0.mix.h", "layers.1.mix.h", "k.0.shared.h", "k.1.shared.h", "ema.h"],
    );
    assert.deepEqual(
      graph.params.map(({ name }) => name),
      ["first.a", "layers.0.mix.a", "layers.1.mix.a", "shared.a", "a"],
    );
  });

  it("give two calls at one path states of their own, and one set of weights", () => {
    const graph = graphOf(`${AXES}${EMA}${model('output y[b, t, m] = ema(x) at "e" + ema(2 * x) at "e"')}`);
    assert.deepEqual(
      graph.states.map(({ name }) => name),
      ["e.h", "e_2.h"],
    );
    assert.deepEqual(
      graph.params.map(({ name }) => name),
      ["e.a"],
    );
  });

  it("are mapped over axes that the header does not name, and so are the blocks that they call", () => {
    const graph =
      graphOf(`${AXES}${EMA}block outer(u[t, m]) -> [t, m] { return ema(u) + ema(sum(u, over m) * gain()) }
block gain() -> [m] {
  param scale[m]
  return scale
}
${model("param w[i]\noutput y[b, t, m, i] = outer(x * w)")}`);
    assert.deepEqual(
      graph.states.map(({ axes }) => axes),
      [
        ["b", "i", "m"],
        ["b", "i", "m"],
      ],
    );
    assert.deepEqual(outputNode(graph).type.axes, ["b", "t", "m", "i"]);
  });

  it("do not see what their caller defines", () => {
    const { diagnostics } = elaborateSource(
      `${AXES}block f(u[t, m]) -> [t, m] { return u * gain }\n${model("gain = 2\noutput y[b, t, m] = f(x)")}`,
    );
    assert.deepEqual(
      diagnostics.map(({ code }) => code),
      ["K0201"],
    );
  });

  it("may use an axis by name that an argument carries under a copy's name", () => {
    const graph = graphOf(`${AXES}block f(u[t, m]) -> [t, m] { return u * sum(pos(n), over n) }
${model("param w[n]\nz = f((x * w)[n -> n'])\noutput y[b, t, m] = sum(z[n' -> n], over n)")}`);
    assert.deepEqual(outputNode(graph).type.axes, ["b", "t", "m"]);
  });

  it("may name batch and time, over which every call is mapped", () => {
    const graph = graphOf(`${AXES}block f(u[b, t, m]) -> [b, t, m] {
  state h[m]
  h = 0.5 * prev(h) + u * pos(t)
  return h
}
${model("output y[b, t, m] = f(x)")}`);
    assert.deepEqual(graph.states[0]?.axes, ["b", "m"]);
  });

  it("give several results, and take constants by order, name or default", () => {
    const graph = graphOf(`${AXES}block f(u[t, m], const gain = 3, const shift = 5) -> ([t, m], [t]) {
  return u * gain + shift, sum(u, over m)
}
${model("p, q = f(x)\nr, s = f(x, shift: 7)\noutput y[b, t, m] = p + r\noutput z[b, t] = q * s")}`);
    const scalars = nodesOf(graph, "scalar").map(({ value }) => value);
    assert.deepEqual(
      scalars.toSorted((a, b) => a - b),
      [3, 5, 7],
    );
  });

  it("share what two calls compute alike", () => {
    const graph = graphOf(`${AXES}fn f(v) = exp(v) + 1\n${model("output y[b, t, m] = f(x) * f(x)")}`);
    assert.equal(nodesOf(graph, "map").filter(({ fn }) => fn === "exp").length, 1);
  });
});

describe("functions", () => {
  it("see the body that they are defined in, as it was when they are called", () => {
    const graph = graphOf(
      `${AXES}${model(`
  param w[n, m]
  gain = 2
  fn project(v) = gain * dot(w, v, over m)
  output y[b, t, n] = project(x)`)}`,
    );
    assert.deepEqual(outputNode(graph).type.axes, ["b", "t", "n"]);
  });

  it("are polymorphic in axes, and take axes as arguments", () => {
    const graph = graphOf(`${AXES}fn centre(v, over A) {
  total = sum(v, over A)
  return v - total / size(A)
}
${model("param w[n]\noutput y[b, t, m] = centre(x, over m) + sum(centre(x * w, over [m, n]), over n)")}`);
    assert.deepEqual(
      nodesOf(graph, "reduce").map(({ over }) => over),
      [["m"], ["m", "n"], ["n"]],
    );
  });

  it("go before the prelude's and built-in ones, where the file has its own", () => {
    const graph = graphOf(`${AXES}fn silu(v) = v + 1\n${model("output y[b, t, m] = silu(x)")}`);
    const node = outputNode(graph);
    assert(node.kind === "map" && node.fn === "add");
  });

  it("choose by constants with if and return", () => {
    const source = (name: string): string =>
      `${AXES}fn act(v) { if "${name}" == "exp" { return exp(v) } else { return tanh(v) } }\n${model("output y[b, t, m] = act(x)")}`;
    const used = (name: string): string => {
      const node = outputNode(graphOf(source(name)));
      return node.kind === "map" ? node.fn : node.kind;
    };
    assert.deepEqual([used("exp"), used("tanh")], ["exp", "tanh"]);
  });
});

describe("if", () => {
  it("lets names that both branches define outlive it, and no others", () => {
    const source = (use: string): string =>
      `${AXES}const tied = true\n${model(`if tied { z = x\n q = x } else { z = 2 * x }\n output y[b, t, m] = ${use}`)}`;
    graphOf(source("z"));
    assert.deepEqual(
      elaborateSource(source("q")).diagnostics.map(({ code }) => code),
      ["K0201"],
    );
  });

  it("reads only the parameters of the branch that is taken", () => {
    const source = `${AXES}const bias = false\n${model("z = x\nif bias {\n param w[m]\n z += w\n}\noutput y[b, t, m] = z")}`;
    assert.equal(graphOf(source).params.length, 0);
    assert.equal(graphOf(source, { set: { bias: true } }).params.length, 1);
  });
});
