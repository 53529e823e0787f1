/** Parameters: names in the checkpoint, layouts, stacking, tied weights. */
import { strict as assert } from "node:assert";
import { interpret } from "../../compiler/interpret/index.js";
import { AXES, graphOf, nodesOf } from "./support.js";

const model = (statements: string): string =>
  `${AXES}axis g = 2, p = 2, q = 3\nmodel example {\n  input x: f32[b, t]\n${statements}\n}\n`;

describe("parameters", () => {
  it("have their own name, or the alternatives after from, inside the scopes around them", () => {
    const graph = graphOf(`${model('output y[b, t, m] = f(x) at "a"')}
block f(u[t]) -> [t, m] { return g(u) at "b" }
block g(u[t]) -> [t, m] {
  param w[m], v[m] from "v.weight" | "v.kernel", s[m] from "/top"
  return u * w * v * s
}
`);
    assert.deepEqual(
      graph.params.map(({ name, sources }) => [name, sources]),
      [
        ["a.b.w", ["a.b.w"]],
        ["a.b.v.weight", ["a.b.v.weight", "a.b.v.kernel"]],
        ["top", ["top"]],
      ],
    );
  });

  it("fill the holes of a path with constants", () => {
    const graph = graphOf(
      model(`
  const kind = "proj"
  z = 0 * x
  repeat layer in 1..3 { param w[] from "{kind}.{layer}"
    z += w }
  output y[b, t] = z`),
    );
    assert.deepEqual(
      graph.params.map(({ name }) => name),
      ["proj.1", "proj.2"],
    );
  });

  it("stacked in one tensor are its parts, in order, the parts' axes row-major", () => {
    const graph = graphOf(
      model(`param (u[p] | v[g, q] | w[p])[_, 1] from "all.weight"
  output y1[b, t, p] = x + u
  output y2[b, t, g, q] = x + v
  output y3[b, t, p] = x + w`),
    );
    assert.deepEqual(
      graph.params.map(({ layout }) => layout.map(({ axis, size }) => [axis, size])),
      [
        [
          ["all", 10],
          [undefined, 1],
        ],
      ],
    );
    const all = Array.from({ length: 10 }, (_, k) => k);
    const { outputs } = interpret(graph, {
      inputs: { x: { shape: [1, 1], data: [0] } },
      params: { "all.weight": { shape: [10, 1], data: all } },
    });
    const values = Object.values(outputs).map(({ data }) => [...data]);
    assert.deepEqual(values, [
      [0, 1],
      [2, 3, 4, 5, 6, 7],
      [8, 9],
    ]);
  });

  it("stack inside a group", () => {
    const graph = graphOf(
      model(`param (u[p] | v[q])[[g, _], i] from "qkv.weight"
  output y1[b, t, g, p, i] = x + u
  output y2[b, t, g, q, i] = x + v`),
    );
    const [param] = graph.params;
    assert.deepEqual(param?.shape, [10, 2]);
    assert.deepEqual(
      param.layout.map(({ axis }) => axis),
      ["g", "qkv", "i"],
    );
    const { outputs } = interpret(graph, {
      inputs: { x: { shape: [1, 1], data: [0] } },
      params: { "qkv.weight": { shape: [10, 2], data: Array.from({ length: 20 }, (_, k) => k) } },
    });
    assert.deepEqual([...(outputs["y1"]?.data ?? [])], [0, 1, 2, 3, 10, 11, 12, 13]);
    assert.deepEqual([...(outputs["y2"]?.data ?? [])], [4, 5, 6, 7, 8, 9, 14, 15, 16, 17, 18, 19]);
  });

  it("stack a weight and its bias along one axis", () => {
    const graph = graphOf(
      model(`param (u[p] | v[q])[_, i] from "in.weight", (c[p] | d[q])[_] from "in.bias"
  output y1[b, t, p] = x + sum(u, over i) + c
  output y2[b, t, q] = x + sum(v, over i) + d`),
    );
    assert.deepEqual(
      graph.params.map(({ layout }) => layout[0]?.axis),
      ["in", "in"],
    );
  });

  it("are one where the same tensor is read twice", () => {
    const graph = graphOf(model(`param w[m], v[m] from "w"\n  output y[b, t, m] = x * w + v`));
    assert.equal(graph.params.length, 1);
    assert.equal(nodesOf(graph, "param").length, 1);
  });

  it("may be complex", () => {
    const graph = graphOf(model("param w[m]: complex\n  output y[b, t, m] = re(w * x)"));
    assert.equal(graph.params[0]?.scalar, "c64");
    assert.deepEqual(nodesOf(graph, "param")[0]?.type, { scalar: "c64", axes: ["m"] });
  });
});
