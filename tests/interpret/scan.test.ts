/** The oracle against PyTorch: the selective scan computed in float64 and stored as f32. */
import { readdirSync } from "node:fs";
import { interpret, type Tensor } from "../../compiler/interpret/index.js";
import { expectClose } from "../support/expect-close.js";
import { fixturePath, opFixture, tensorOf } from "../support/fixtures.js";
import { graphOf } from "../support/elaborated.js";
import { COMPLEX_SCAN, complexScanInputs, scanGraph, scanInputs } from "../support/scan.js";

const FIXTURES = readdirSync(fixturePath("ops"))
  .filter((file) => file.startsWith("scan-") && file !== "scan-complex.safetensors")
  .map((file) => file.replace(".safetensors", ""));

function named(got: Tensor | undefined, what: string): Tensor {
  if (got === undefined) throw new Error(`the interpreter gave no ${what}`);
  return got;
}

describe("the interpreter's selective scan agrees with PyTorch", () => {
  for (const name of FIXTURES) {
    it(name, () => {
      const fixture = opFixture(name);
      const { tensors } = fixture;
      const graph = scanGraph(fixture);
      const h0 = tensors["h0"];
      const result = interpret(graph, {
        inputs: scanInputs(graph, fixture),
        ...(h0 === undefined ? {} : { states: { h: h0 } }),
      });
      const check = (got: Tensor | undefined, expected: string): void => {
        expectClose(named(got, expected), tensorOf(tensors, expected), {
          tolerance: "f32-stored",
          what: `${name}: ${expected}`,
        });
      };
      check(result.outputs["y"], "y");
      check(result.states["h"], "h_last");
    });
  }

  it("scan-complex", () => {
    const { tensors } = opFixture("scan-complex");
    const [channels = 0, states = 0] = tensorOf(tensors, "A").shape;
    const inputs = complexScanInputs(opFixture("scan-complex"));
    const result = interpret(graphOf(COMPLEX_SCAN, { set: { channels, states } }), { inputs });
    const expectTensor = (got: Tensor | undefined, expected: string): void => {
      const want = tensorOf(tensors, expected);
      const found = named(got, expected);
      const shape = found.scalar === "c64" ? [...found.shape, 2] : found.shape;
      const what = `scan-complex: ${expected}`;
      expectClose({ shape, data: found.data }, want, { tolerance: "f32-stored", what });
    };
    expectTensor(result.outputs["y"], "y");
    expectTensor(result.states["h"], "h_last");
  });
});
