import assert from "node:assert/strict";
import { createSink } from "../../compiler/diagnostics/sink.js";
import type { Diagnostic } from "../../compiler/diagnostics/types.js";

const at = (file: string, start: number, code = "K0110", more: Partial<Diagnostic> = {}): Diagnostic => ({
  code,
  severity: "error",
  message: "no",
  span: { file, start, end: start + 1 },
  ...more,
});

describe("sink", () => {
  it("sorts by file, position and code", () => {
    const sink = createSink();
    for (const diagnostic of [at("b", 0), at("a", 5, "K0204"), at("a", 5), at("a", 10), at("a", 2)]) {
      sink.report(diagnostic);
    }
    assert.deepEqual(
      sink.diagnostics.map(({ span, code }) => [span.file, span.start, code]),
      [
        ["a", 2, "K0110"],
        ["a", 5, "K0110"],
        ["a", 5, "K0204"],
        ["a", 10, "K0110"],
        ["b", 0, "K0110"],
      ],
    );
  });

  it("keeps the first of the same code at the same span", () => {
    const sink = createSink();
    sink.report(at("a", 0, "K0110", { message: "first" }));
    sink.report(at("a", 0, "K0110", { message: "second" }));
    sink.report(at("a", 0, "K0110", { span: { file: "a", start: 0, end: 2 } }));
    assert.deepEqual(
      sink.diagnostics.map(({ message }) => message),
      ["first", "no"],
    );
  });

  it("has errors once one is reported; a warning is none", () => {
    const sink = createSink();
    assert.equal(sink.hasErrors, false);
    sink.report(at("a", 0, "K0123", { severity: "warning" }));
    assert.equal(sink.hasErrors, false);
    sink.report(at("a", 0));
    assert.equal(sink.hasErrors, true);
  });
});
