/** The laws of the compiler and the oracle, over random sources; shaders are compiled, and nothing runs on a device. */
import fc from "fast-check";
import { requestDevice } from "../../src/node/adapters.js";
import { cases } from "./cases.js";
import { holdsForOracle } from "./oracle-laws.js";
import { LONGEST, Report, SEED, settings } from "./report.js";

const SETTINGS = settings(400);
/** Every step is interpreted by itself. */
const MOST_STEPS = 7;

describe("laws of the compiler", function () {
  this.timeout(LONGEST);
  const report = new Report();
  let device: GPUDevice;

  before(async () => {
    device = await requestDevice({ adapter: "null" });
  });
  after(() => {
    device.destroy();
    report.print("in the compiler", "shaders compiled by the adapter null");
  });

  it(`hold for ${String(SETTINGS.numRuns)} random sources (seed ${String(SEED)})`, async () => {
    const holds = fc.asyncProperty(cases, (drawn) =>
      holdsForOracle({ ...drawn, steps: Math.min(drawn.steps, MOST_STEPS) }, report, device),
    );
    await fc.assert(holds, SETTINGS);
  });
});
