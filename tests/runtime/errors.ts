/** Asserting on the runtime's errors. */
import assert from "node:assert/strict";
import { KraitError, type ErrorCode } from "../../runtime/errors.js";

/** That `work` fails with this code, and a message that matches `text`. */
export async function assertRejects(work: Promise<unknown>, code: ErrorCode, text: RegExp): Promise<void> {
  await assert.rejects(work, (error: unknown) => {
    assert.ok(error instanceof KraitError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, text);
    return true;
  });
}

export function assertThrows(work: () => unknown, code: ErrorCode, text: RegExp): Promise<void> {
  return assertRejects(
    new Promise((resolve) => {
      resolve(work());
    }),
    code,
    text,
  );
}
