/**
 * What kernels of a step compute as they go instead of kernels before them, or not, as sizes say: steps are what the oracle
 * makes of the same tokens, and states go on alike.
 */
import { readFileSync } from "node:fs";
import { stepsAgree } from "../support/steps.js";

const COMMON = { vocab: 31, width: 24, layers: 2 };
const MIXER = { ...COMMON, state_size: 4, taps: 4 };
const FAMILIES = {
  mamba: MIXER,
  falcon_mamba: MIXER,
  mamba2: { ...MIXER, heads: 6, head_dim: 8 },
  rwkv: COMMON,
};
const source = (family: string): string => readFileSync(`templates/models/${family}.krait`, "utf8");

/** Nothing again, little enough that two rows are few, and what is taken for a launch. */
const LAUNCH_BYTES = [0, 4000, undefined] as const;

for (const [family, set] of Object.entries(FAMILIES))
  describe(`steps of ${family} in which products compute what they are made of`, () => {
    for (const launchBytes of LAUNCH_BYTES)
      for (const batch of [1, 2, 9])
        it(`batch ${batch}, ${launchBytes ?? "the default of"} bytes for a launch`, () => {
          const schedule = launchBytes === undefined ? {} : { launchBytes };
          return stepsAgree(source(family), { set, schedule }, batch);
        });
  });

describe("steps in which the lanes of a scan share sums", () => {
  for (const weights of ["f32", "f16", "bf16"] as const)
    for (const rank of [15, 16, 37, 44, 100])
      it(`mamba, rank ${rank}, weights in ${weights}`, () =>
        stepsAgree(
          source("mamba"),
          { set: { ...MIXER, layers: 1, state_size: 16, dt_rank: rank }, weights },
          2,
        ));
  for (const [rank, states] of [
    [37, 16],
    [64, 24],
  ])
    it(`falcon_mamba, rank ${rank}, ${states} states, whose norms are shared too`, () =>
      stepsAgree(
        source("falcon_mamba"),
        { set: { ...MIXER, layers: 1, state_size: states ?? 1, dt_rank: rank ?? 1 } },
        2,
      ));
});
