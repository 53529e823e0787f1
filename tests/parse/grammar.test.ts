import assert from "node:assert/strict";
import { Lexer } from "chevrotain";
import { KraitParser } from "../../compiler/1-parse/parser.js";
import { isKeyword, tokenVocabulary } from "../../compiler/1-parse/tokens.js";
import { read } from "../support/syntax.js";

describe("grammar", () => {
  // The compiler skips these checks of chevrotain's to start quickly.
  it("has no ambiguity, left recursion or unreachable alternative", () => {
    assert.doesNotThrow(() => new KraitParser({ validateGrammar: true }));
  });

  it("has tokens that can all be reached, found by their first character", () => {
    const lexer = new Lexer([...tokenVocabulary], {
      positionTracking: "onlyOffset",
      ensureOptimizations: true,
    });
    assert.deepEqual(lexer.lexerDefinitionErrors, []);
  });

  it("reserves the words that the specification lists, and no others", () => {
    const reserved = tokenVocabulary.filter(isKeyword).map(({ name }) => name.toLowerCase());
    const specified =
      "use const axis fn rule block model input output param state der repeat if else return " +
      "from with at by over along as where init and or not in";
    assert.deepEqual(reserved.sort(), specified.split(" ").sort());
    for (const word of reserved) {
      assert.notDeepEqual(read(`const ${word} = 1\n`).diagnostics, [], word);
    }
    for (const word of [
      "time",
      "batch",
      "index",
      "complex",
      "real",
      "step",
      "mix",
      "state_size",
      "input1",
      "inf",
    ]) {
      assert.deepEqual(read(`const ${word} = 1\n`).diagnostics, [], word);
    }
  });
});
