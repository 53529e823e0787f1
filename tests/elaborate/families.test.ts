/** Families beyond Mamba: what the language must be able to say elaborates into a valid graph. */
import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { graphOf, nodesOf } from "./support.js";

describe("families", () => {
  const path = fileURLToPath(new URL("./sources/families.krait", import.meta.url));
  const graph = graphOf(readFileSync(path, "utf8"), { file: "families.krait" });

  it("carry their states with the axes of their call sites", () => {
    const carried = Object.fromEntries(
      graph.states.map(({ name, axes, scalar }) => [name, `${scalar}[${axes.join(" ")}]`]),
    );
    assert.deepEqual(carried, {
      "s4d.h": "c64[b m nn]",
      "mamba2.conv": "f32[b g rep p taps]",
      "mamba2.conv_2": "f32[b two i g taps]",
      "mamba2.conv_3": "f32[b two i g taps]",
      "mamba2.h": "f32[b g rep p two i]",
      "cores.prev_u": "f32[b m]",
      "cores.R": "f32[b g rep two i p]",
      "cores.S": "f32[b g rep two i p]",
      "cores.s": "f32[b g rep two i]",
      "cores.top": "f32[b g rep]",
      "cores.theta": "f32[b g rep i]",
      "cores.h": "f32[b m]",
      "bi.fwd.h": "f32[b m]",
      "bi.bwd.h": "f32[b m]",
      "rc.mixer.h": "f32[b strand m]",
    });
  });

  it("keep grouped projections in the shapes of their checkpoints", () => {
    const shapes = Object.fromEntries(
      graph.params.map(({ name, shape, layout }) => [name, shape ?? layout.map(({ size }) => size)]),
    );
    // z and x of 4 heads of 8, B and C of 2 groups of 8, a step a head; q and k of 8 in each of 2 groups.
    assert.deepEqual(shapes["mamba2.in_proj.weight"], [32 + 32 + 16 + 16 + 4, 32]);
    assert.deepEqual(shapes["mamba2.conv1d.weight"], [32 + 16 + 16, 1, 4]);
    assert.deepEqual(shapes["attn.qk.weight"], [2 * (8 + 8), 32]);
    assert.deepEqual(shapes["blocks.0.w_q"], [32, 2, 32]);
  });

  it("look at no node of a layer that is not there", () => {
    assert.deepEqual(
      graph.params.filter(({ name }) => name.startsWith("blocks.1")),
      [],
    );
    assert.equal(nodesOf(graph, "flip").length > 0, true);
  });
});
