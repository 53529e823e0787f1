import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { Statement } from "../../compiler/1-parse/ast.js";
import { readWell, show, showAxes } from "../support/syntax.js";

const sourceOf = (name: string): string =>
  readFileSync(new URL(`sources/${name}.krait`, import.meta.url), "utf8");

describe("whole models", () => {
  it("Mamba", () => {
    const { declarations } = readWell(sourceOf("mamba"));
    assert.deepEqual(
      declarations.map(({ kind }) => kind),
      ["const", "const", "axis", "axis", "model", "block"],
    );
    const [, , , , model, block] = declarations;
    assert(model?.kind === "model" && block?.kind === "block");

    const layers = model.body.find((item) => item.kind === "repeat");
    assert(layers !== undefined);
    assert.equal(layers.at?.text, "backbone.layers.{layer}");
    assert.deepEqual(layers.body.map(describeStatement), [
      'norm[m] from "norm.weight"',
      'x += mixer((rms_norm(x, over [m], eps) * norm)) at "mixer"',
    ]);

    assert.deepEqual(
      block.formals.map(({ name }) => name.name),
      ["u"],
    );
    assert.deepEqual(block.results.map(showAxes), ["[t, m]"]);
    assert.deepEqual(block.body.map(describeStatement), [
      'w_x[d] | w_z[d] in [_, m] from "in_proj.weight"',
      'conv_w[d, 1, k] from "conv1d.weight", conv_b[d] from "conv1d.bias"',
      'w_r[r] | w_B[n] | w_C[n] in [_, d] from "x_proj.weight"',
      'w_dt[d, r] from "dt_proj.weight", b_dt[d] from "dt_proj.bias"',
      'A_log[d, n], D[d], w_out[m, d] from "out_proj.weight"',
      "x = silu((causal_conv(dot(w_x, u, over [m]), conv_w, along [t], over [k]) + conv_b))",
      "z = dot(w_z, u, over [m])",
      "delta = softplus((dot(w_dt, dot(w_r, x, over [d]), over [r]) + b_dt))",
      "B = dot(w_B, x, over [d])",
      "C = dot(w_C, x, over [d])",
      "h[d, n]",
      "der(h) = (((- exp(A_log)) * h) + (B * x)) by exp_euler(delta)",
      "y = (dot(C, h, over [n]) + (D * x))",
      "return",
    ]);
  });

  it("the forms of the other families", () => {
    const { declarations } = readWell(sourceOf("families"));
    const counts = new Map<string, number>();
    for (const { kind } of declarations) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    assert.deepEqual(Object.fromEntries(counts), {
      use: 1,
      const: 3,
      axis: 4,
      fn: 2,
      rule: 1,
      block: 2,
      model: 1,
    });
    const model = declarations.find((item) => item.kind === "model");
    const layers = model?.body.find((item) => item.kind === "repeat");
    const shared = layers?.body.at(-1);
    assert(shared?.kind === "if");
    const [nested] = shared.otherwise;
    assert(nested?.kind === "if");
    assert.equal(show(nested.condition), "((not tied) or ((layer in hybrid) and (layer in [1, 2])))");
    assert.equal(nested.then.map(describeStatement).at(-1), 'x += shared(x, x0, call) at "/blocks.{which}"');
  });
});

function describeStatement(item: Statement): string {
  switch (item.kind) {
    case "param":
      return item.definitions
        .map(({ parts, axes, from }) => {
          const tensors = parts.map((part) => `${part.name.name}${showAxes(part.axes)}`).join(" | ");
          const layout = parts.length > 1 ? ` in ${showAxes(axes)}` : "";
          const paths = from.map(({ text }) => ` from "${text}"`).join("");
          return `${tensors}${layout}${paths}`;
        })
        .join(", ");
    case "state":
      return item.definitions.map(({ name, axes }) => `${name.name}${showAxes(axes)}`).join(", ");
    case "der":
      return `der(${item.state.name}) = ${show(item.value)} by ${item.rule.name}(${item.args.map(show).join(", ")})`;
    case "assign":
      return `${item.targets.map(({ name }) => name.name).join(", ")} ${item.op} ${show(item.value)}`;
    default:
      return item.kind;
  }
}
