/** The runtime's errors in docs/errors.md: each call ends in the error of its code. `npm run check:errors` holds the messages. */
import assert from "node:assert/strict";
import { ERROR_CODES, type ErrorCode } from "../../runtime/errors.js";
import { runRuntimeExample } from "../../scripts/errors/run-runtime-example.js";
import { runtimeExamples } from "../../scripts/errors/runtime.js";

describe("the runtime's example of", () => {
  for (const code of Object.keys(ERROR_CODES) as ErrorCode[])
    it(code, async () => {
      const error = await runRuntimeExample(runtimeExamples[code]);
      assert.equal(error.code, code, error.message);
    });
});
