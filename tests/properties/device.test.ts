/** The laws of whole models, over random sources, on the adapter of this run. */
import fc from "fast-check";
import { testAdapter } from "../support/adapter.js";
import { cases } from "./cases.js";
import { holdsOnDevice } from "./device-laws.js";
import { LONGEST, Report, SEED, settings } from "./report.js";

const SETTINGS = settings(60);

describe("laws of models on a device", function () {
  this.timeout(LONGEST);
  const report = new Report();

  it(`hold for ${String(SETTINGS.numRuns)} random sources (seed ${String(SEED)})`, async () => {
    await fc.assert(
      fc.asyncProperty(cases, (drawn) => holdsOnDevice(drawn, report)),
      SETTINGS,
    );
  });

  after(async () => {
    const { name, description } = await testAdapter();
    report.print("on a device", `adapter ${name}: ${description}`);
  });
});
