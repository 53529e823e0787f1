/** The oracle against PyTorch: the selective scan computed in float64 and stored as f32. */
import { readdirSync } from "node:fs";
import { interpret, type Tensor, type Values } from "../../compiler/interpret/index.js";
import { expectClose, type Numbers } from "../support/expect-close.js";
import { fixturePath, opFixture, tensorOf } from "../support/fixtures.js";
import type { StoredTensor } from "../support/safetensors.js";
import { scanGraph, scanInputs } from "./scan.js";

const FIXTURES = readdirSync(fixturePath("ops"))
  .filter((file) => file.startsWith("scan-"))
  .map((file) => file.replace(".safetensors", ""));

/** h0 and h_last have channels whole; the graph's state has them as [g, rep]. */
function splitState({ shape, data }: StoredTensor, graph: { readonly groups: number }): Values {
  const [batch = 0, channels = 0, states = 0] = shape;
  return { shape: [batch, graph.groups, channels / graph.groups, states], data };
}

function named(got: Tensor | undefined, what: string): Tensor {
  if (got === undefined) throw new Error(`the interpreter gave no ${what}`);
  return got;
}

describe("the interpreter's selective scan agrees with PyTorch", () => {
  for (const name of FIXTURES) {
    it(name, () => {
      const fixture = opFixture(name);
      const { tensors } = fixture;
      const groups = tensorOf(tensors, "B").shape[2] ?? 1;
      const h0 = tensors["h0"];
      const result = interpret(scanGraph(fixture), {
        inputs: scanInputs(fixture),
        ...(h0 === undefined ? {} : { states: { h: splitState(h0, { groups }) } }),
      });
      const y = tensorOf(tensors, "y");
      const got: Numbers = { ...named(result.outputs["y"], "output y"), shape: y.shape };
      expectClose(got, y, { tolerance: "f32-stored", what: `${name}: y` });
      expectClose(named(result.states["h"], "state h"), splitState(tensorOf(tensors, "h_last"), { groups }), {
        tolerance: "f32-stored",
        what: `${name}: h_last`,
      });
    });
  }
});
