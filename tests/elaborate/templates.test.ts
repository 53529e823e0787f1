/** The model templates against the checkpoints that they are written for. */
import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Graph } from "../../compiler/3-graph/types.js";
import { checkpointFixture } from "../support/fixtures.js";
import { graphOf, type SourceOptions } from "./support.js";

function template(name: string, options: SourceOptions): Graph {
  const path = fileURLToPath(new URL(`../../templates/models/${name}.krait`, import.meta.url));
  return graphOf(readFileSync(path, "utf8"), { ...options, file: `${name}.krait` });
}

const MAMBA = [
  ["mixer.conv", "history", "b d taps"],
  ["mixer.h", "state", "b d n"],
] as const;
const MAMBA2 = [
  ["mixer.conv", "history", "b part rest rep p taps"],
  ["mixer.conv_2", "history", "b part rest n taps"],
  ["mixer.conv_3", "history", "b part rest n taps"],
  ["mixer.h", "state", "b part rest rep p n"],
] as const;
const RWKV = [
  ["attention.prev_u", "delay", "b m"],
  ["attention.top", "state", "b d"],
  ["attention.num", "state", "b d"],
  ["attention.den", "state", "b d"],
  ["feed_forward.prev_u", "delay", "b m"],
] as const;
const RECURRENT = [
  ["temporal_block.conv", "history", "b g rep lane taps"],
  ["temporal_block.rg_lru.h", "state", "b g rep lane"],
] as const;

/** The fixture, its template, where its layers are, how many of them carry something, and what each of these does. */
const CHECKPOINTS = [
  ["mamba", "mamba", "backbone.layers", 3, MAMBA],
  ["mamba-bf16-sharded", "mamba", "backbone.layers", 3, MAMBA],
  ["falcon-mamba", "falcon_mamba", "backbone.layers", 2, MAMBA],
  ["mamba2", "mamba2", "backbone.layers", 3, MAMBA2],
  ["mamba2-groups", "mamba2", "backbone.layers", 3, MAMBA2],
  ["mamba2-f16", "mamba2", "backbone.layers", 3, MAMBA2],
  ["rwkv4", "rwkv", "rwkv.blocks", 3, RWKV],
  // Its third layer is attention.
  ["recurrent-gemma", "recurrent_gemma", "model.layers", 2, RECURRENT],
] as const;

describe("model templates", () => {
  for (const [fixture, name, path, layers, carriedEach] of CHECKPOINTS) {
    describe(fixture, () => {
      const checkpoint = checkpointFixture(fixture);
      const graph = template(name, { config: checkpoint.config });

      it("reads every tensor of the checkpoint, in its shape, and no other", () => {
        const read = graph.params.map((param) => {
          const source = param.sources.find((candidate) => checkpoint.params[candidate] !== undefined);
          return [source ?? param.name, param.shape ?? param.layout.map((axis) => axis.size)] as const;
        });
        const stored = Object.entries(checkpoint.params).map(
          ([tensor, { shape }]) => [tensor, shape] as const,
        );
        const byName = (p: readonly [string, unknown], q: readonly [string, unknown]): number =>
          p[0] < q[0] ? -1 : 1;
        assert.deepEqual(read.toSorted(byName), stored.toSorted(byName));
      });

      it("carries its states and histories, named by call path", () => {
        const carried = graph.states.map((state) => [state.name, state.kind, state.axes.join(" ")]);
        const expected = Array.from({ length: layers }, (_, layer) =>
          carriedEach.map(([value, ...rest]) => [`${path}.${layer}.${value}`, ...rest]),
        ).flat();
        assert.deepEqual(carried, expected);
      });

      it("takes tokens and gives logits", () => {
        assert.deepEqual(
          graph.inputs.map(({ name: input, scalar, bound, axes }) => [input, scalar, bound, axes.join(" ")]),
          [["token", "index", 97, "b t"]],
        );
        assert.deepEqual(
          graph.outputs.map(({ name: output, axes }) => [output, axes.join(" ")]),
          [["logits", "b t v"]],
        );
      });
    });
  }

  it("have the sizes of mamba-130m without a configuration", () => {
    const graph = template("mamba", {});
    const sizes = Object.fromEntries([...graph.axes.values()].map(({ id, size }) => [id, size]));
    assert.deepEqual(
      [sizes["v"], sizes["m"], sizes["d"], sizes["n"], sizes["r"], sizes["k"]],
      [50280, 768, 1536, 16, 48, 4],
    );
    assert.equal(graph.states.filter((state) => state.kind === "state").length, 24);
  });

  it('computes the rank where the configuration says "auto", and believes intermediate_size over expand', () => {
    const config = {
      hidden_size: 40,
      num_hidden_layers: 1,
      time_step_rank: "auto",
      expand: 2,
      intermediate_size: 96,
    };
    const sizes = template("mamba", { config }).axes;
    const size = (name: string): unknown => [...sizes.values()].find(({ id }) => id === name)?.size;
    assert.deepEqual([size("r"), size("d")], [3, 96]);
  });

  it("reads lm_head where the head is not tied, and ties it where the configuration does not say", () => {
    const names = (config: unknown): boolean =>
      template("mamba", { config }).params.some(({ name }) => name === "lm_head.weight");
    assert.equal(names({ num_hidden_layers: 1 }), false);
    assert.equal(names({ num_hidden_layers: 1, tie_word_embeddings: false }), true);
  });
});
