/** `use`: names of other files, with their constants set. */
import { strict as assert } from "node:assert";
import { parse } from "../../compiler/1-parse/index.js";
import { analyze, type AnalyzeOptions, type Module } from "../../compiler/2-analyze/index.js";
import { createSink } from "../../compiler/diagnostics/sink.js";

function moduleOf(
  text: string,
  files: Readonly<Record<string, string>>,
  options: AnalyzeOptions = {},
): Module {
  const sink = createSink();
  const loadSource = (path: string): { path: string; text: string } | undefined => {
    const found = files[path];
    return found === undefined ? undefined : { path, text: found };
  };
  const module = analyze(parse({ path: "models/main.krait", text }, sink), { ...options, loadSource }, sink);
  assert.deepEqual(sink.diagnostics, []);
  return module;
}

const MIXER = `const width = 8 from "hidden_size", inner = 2 * width
axis t: time, m = width, d = inner
block mixer(u[t, m]) -> [t, m] { return u }
fn twice(x) = 2 * x
`;

describe("use", () => {
  it("finds files relative to the one that uses them, and lists each once", () => {
    const files = {
      "models/parts/a.krait": 'use twice from "../../lib/b.krait"\nfn four(x) = twice(twice(x))\n',
      "lib/b.krait": "fn twice(x) = 2 * x\n",
    };
    const module = moduleOf('use four from "./parts/a.krait"\nuse twice from "../lib/b.krait"\n', files);
    assert.deepEqual(
      module.uses.map(({ path }) => path),
      ["models/parts/a.krait", "lib/b.krait"],
    );
    assert.equal(module.callables.get("four")?.home.file, "models/parts/a.krait");
    assert.equal(
      module.callables.get("twice")?.home,
      module.callables.get("four")?.home.callables.get("twice")?.home,
    );
  });

  it("sets constants of the used file alone, and those computed from them follow", () => {
    const module = moduleOf('use mixer from "mixer.krait" with width = w / 2\nconst w = 6, width = 100\n', {
      "models/mixer.krait": MIXER,
    });
    const home = module.callables.get("mixer")?.home;
    assert.deepEqual([home?.constants.get("width")?.value, home?.constants.get("inner")?.value], [3, 6]);
    assert.equal(module.constants.get("width")?.value, 100);
  });

  it("gives the same file with the same settings once, with others again", () => {
    const module = moduleOf(
      `use mixer from "mixer.krait" with width = 4
use twice from "mixer.krait" with width = 2 + 2
use inner from "mixer.krait"
`,
      { "models/mixer.krait": MIXER },
    );
    assert.equal(module.callables.get("mixer")?.home, module.callables.get("twice")?.home);
    assert.equal(module.constants.get("inner")?.value, 16);
  });

  it("reads the configuration in used files too, but not --set", () => {
    const text = 'use inner from "mixer.krait"\nconst width = 5\n';
    const options = { config: { hidden_size: 10 }, set: { width: 7 } };
    const module = moduleOf(text, { "models/mixer.krait": MIXER }, options);
    assert.deepEqual([module.constants.get("inner")?.value, module.constants.get("width")?.value], [20, 7]);
  });
});
