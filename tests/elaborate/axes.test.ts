/** Axes: products are their primes, sums have parts, copies are others; types follow from names. */
import { strict as assert } from "node:assert";
import { interpret } from "../../compiler/interpret/index.js";
import { graphOf, nodesOf, outputNode } from "./support.js";

const HEADER = `axis b: batch, t: time
axis g = 2, rep = 3, head = [g, rep], p = 2, d = [head, p]
axis rot = 2, pass = 3, s = rot | pass, m = 12, pair = 2
`;

/** The model `y = expression` of the inputs, and what it gives for 0, 1, 2 … in each. */
function run(
  inputs: string,
  output: string,
  expression: string,
  sizes: Readonly<Record<string, readonly number[]>>,
): number[] {
  const graph = graphOf(`${HEADER}model example {\n${inputs}\n  output y${output} = ${expression}\n}\n`);
  const values = Object.fromEntries(
    Object.entries(sizes).map(([name, shape]) => {
      const count = shape.reduce((product, size) => product * size, 1);
      return [name, { shape, data: Array.from({ length: count }, (_, k) => k) }];
    }),
  );
  const result = interpret(graph, { inputs: values, sizes: { b: 1, t: 1 } });
  return [...(result.outputs["y"]?.data ?? [])];
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, k) => from + k);

describe("axes", () => {
  it("a product is its primes, major first, for callers one dimension", () => {
    const graph = graphOf(`${HEADER}model example {
  input x: f32[b, t, d]
  param w[d, 1, m]
  state h[d]
  h = prev(h) + x
  output y[b, t, m] = dot(h, w, over d)
}
`);
    assert.deepEqual(graph.inputs[0]?.axes, ["b", "t", "g", "rep", "p"]);
    assert.deepEqual(
      graph.inputs[0].dimensions?.map(({ name, primes }) => [name, primes]),
      [
        ["b", 1],
        ["t", 1],
        ["d", 3],
      ],
    );
    assert.deepEqual(graph.params[0]?.shape, [12, 1, 12]);
    assert.deepEqual(graph.states[0]?.axes, ["b", "g", "rep", "p"]);
    assert.deepEqual(nodesOf(graph, "dot")[0]?.over, ["g", "rep", "p"]);
    assert.deepEqual(outputNode(graph).type.axes, ["b", "t", "m"]);
  });

  it("grouped values broadcast over the heads of their group", () => {
    const got = run("input x: f32[b, t, head]\ninput B: f32[b, t, g]", "[b, t, head]", "x * 0 + B", {
      x: [1, 1, 6],
      B: [1, 1, 2],
    });
    assert.deepEqual(got, [0, 0, 0, 1, 1, 1]);
  });

  it("takes parts of a sum axis and joins them again", () => {
    const sizes = { x: [1, 1, 5] };
    assert.deepEqual(run("input x: f32[b, t, s]", "[b, t, rot]", "x[s -> rot]", sizes), [0, 1]);
    assert.deepEqual(run("input x: f32[b, t, s]", "[b, t, pass]", "x[s -> pass]", sizes), [2, 3, 4]);
    const joined = "concat(x[s -> rot] + 10, x[s -> pass], as s)";
    assert.deepEqual(run("input x: f32[b, t, s]", "[b, t, s]", joined, sizes), [10, 11, 2, 3, 4]);
  });

  it("splits and merges by renaming to a product", () => {
    const sizes = { x: [1, 1, 12] };
    const picked = "x[m -> d][g: 1, rep: 2, p: 0]";
    assert.deepEqual(run("input x: f32[b, t, m]", "[b, t]", picked, sizes), [10]);
    assert.deepEqual(run("input x: f32[b, t, m]", "[b, t, p]", "x[m -> d][head: 4]", sizes), [8, 9]);
  });

  it("renames products factor by factor, and to copies", () => {
    const graph = graphOf(`${HEADER}model example {
  input x: f32[b, t, d]
  param w[d', d]
  output y[b, t, d] = dot(w, x, over d)[d' -> d]
}
`);
    assert.deepEqual(
      graph.params[0]?.layout.map(({ axis }) => axis),
      ["g'", "rep'", "p'", "g", "rep", "p"],
    );
    assert.deepEqual(outputNode(graph).type.axes, ["b", "t", "g", "rep", "p"]);
  });

  it("stacks, flips, and counts coordinates", () => {
    const x = "input x: f32[b, t, p]";
    assert.deepEqual(run(x, "[b, t, pair, p]", "stack(x, 5 - x, as pair)", { x: [1, 1, 2] }), [0, 1, 5, 4]);
    assert.deepEqual(run(x, "[b, t, p]", "flip(x, along p)", { x: [1, 1, 2] }), [1, 0]);
    assert.deepEqual(
      run("input x: f32[b, t, d]", "[b, t, d]", "x - pos(d)", { x: [1, 1, 12] }),
      Array(12).fill(0),
    );
    assert.deepEqual(run(x, "[b, t, p]", "x + size(d)", { x: [1, 1, 2] }), [12, 13]);
  });

  it("lays constant lists along an axis", () => {
    const lists = "const w[head] = [1, 2, 4, 8, 16, 32], one[p] = [3, 5]";
    const sizes = { x: [1, 1, 6] };
    const got = run(`input x: f32[b, t, head]\n${lists}`, "[b, t, head]", "x * 0 + w", sizes);
    assert.deepEqual(got, [1, 2, 4, 8, 16, 32]);
    assert.deepEqual(
      run(`input x: f32[b, t, head]\n${lists}`, "[b, t, head, p]", "x * 0 + one", sizes),
      range(0, 6).flatMap(() => [3, 5]),
    );
  });

  it("reduces under a mask", () => {
    const sizes = { x: [1, 1, 12] };
    assert.deepEqual(run("input x: f32[b, t, m]", "[b, t]", "sum(x, over m, where pos(m) < 3)", sizes), [3]);
    assert.deepEqual(run("input x: f32[b, t, m]", "[b, t]", "max(x, over m, where x <= 7)", sizes), [7]);
  });

  it("gathers a table by whole numbers, which convert where they meet other numbers", () => {
    const graph = graphOf(`${HEADER}model example {
  input token: index(m)[b, t]
  param table[m, p]
  output y[b, t, p] = table[m: token] * token
}
`);
    assert.deepEqual([graph.inputs[0]?.scalar, graph.inputs[0]?.bound], ["index", 12]);
    assert.deepEqual(nodesOf(graph, "gather")[0]?.type, { scalar: "f32", axes: ["b", "t", "p"] });
    assert.equal(nodesOf(graph, "map").filter(({ fn }) => fn === "float").length, 1);
  });

  it("keeps axes of equal name and different size apart, and equal ones together", () => {
    const graph = graphOf(`axis b: batch, t: time, m = 4
model example {
  input x: f32[b, t, m]
  output y[b, t, m] = f(x) + g(x)
}
block f(u[t, m]) -> [t, m] {
  axis k = 2
  param w[m, k]
  return sum(w, over k) * u
}
block g(u[t, m]) -> [t, m] {
  axis k = 3
  param v[m, k]
  return sum(v, over k) * u
}
`);
    assert.deepEqual(
      graph.params.map(({ layout }) => layout[1]?.axis),
      ["k", "k_2"],
    );
  });
});
