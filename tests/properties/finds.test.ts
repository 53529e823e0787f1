/** What random models brought to light, each as small as it could be made: `finds/*.krait`, held to the laws again. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { looksAhead } from "../../compiler/4-passes/programs.js";
import { graphOf } from "../support/elaborated.js";
import type { Case } from "./cases.js";
import { holdsOnDevice } from "./device-laws.js";
import type { Kind } from "./grammar/scope.js";
import { holdsForOracle } from "./oracle-laws.js";
import { Report } from "./report.js";

const FOLDER = new URL("finds/", import.meta.url);
const KINDS: Readonly<Record<string, Kind>> = { u: "unit", a: "positive" };

/** The last line has how it was run: `# batch 2, 5 steps, numbers of seed 7, {"targets":["baseline"]}`. */
function caseOf(text: string): Case {
  const found = /# batch (\d+), (\d+) steps, numbers of seed (\d+), (\{.*\})/.exec(text);
  if (found === null) throw new Error("the last line does not say how the model is run");
  const [batch = 0, steps = 0, seed = 0] = found.slice(1, 4).map(Number);
  const graph = graphOf(text);
  const kinds = graph.params.map(({ name }): [string, Kind] => {
    const last = name.split(".").at(-1) ?? "";
    return [last, KINDS[last.charAt(0)] ?? "signed"];
  });
  const options = JSON.parse(found[4] ?? "{}") as Case["options"];
  return {
    text,
    batch,
    steps,
    seed,
    options,
    kinds: new Map(kinds),
    looksAhead: looksAhead(graph) !== undefined,
  };
}

describe("what random models brought to light", () => {
  for (const file of readdirSync(FOLDER).sort())
    it(file.replace(".krait", "").replaceAll("-", " "), async () => {
      const drawn = caseOf(readFileSync(new URL(file, FOLDER), "utf8"));
      const report = new Report();
      await holdsForOracle(drawn, report);
      await holdsOnDevice(drawn, report);
      assert.equal(report.unfit, 0, "the numbers are too ill-conditioned to be compared");
    });
});
