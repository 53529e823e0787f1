/** Typed modules of bundles, compiled with TypeScript together with right and wrong uses. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { typedModule } from "../../compiler/6-emit/typed-module.js";
import { tensorCheckpoint, type Bundle, type Interface } from "../../runtime/index.js";
import { openTyped } from "../../runtime/typed.js";
import { testDevice } from "../support/adapter.js";
import { kraitOk, temporaryFolder } from "../support/cli.js";
import { bundleOf } from "../support/model.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

const SMOOTH = `const width = 8, floor = -inf, names = ["a", "b"]
axis b: batch, t: time
axis m = width, p = 3
model smooth_2 {
  ## What is to be smoothed. */
  input x: f32[b, t, m]
  input gain: f32[m]
  input kind: index(p)[b, t]
  state h[m]
  h = 0.5 * prev(h) + x * gain
  output y[b, t, m] = h
  output total[b, t] = sum(h, over m) + kind
}
`;

const LOOKS_AHEAD = `axis b: batch, t: time
axis m = 4
model both_ways {
  input x: f32[b, t, m]
  output y[b, t, m] = x + flip(x, along t)
}
`;

/** What TypeScript has to say of some files that stand side by side; strict, as an application would be. */
function check(files: Readonly<Record<string, string>>): readonly string[] {
  const folder = join(ROOT, "tests", "types");
  const texts = new Map(Object.entries(files).map(([name, text]) => [join(folder, name), text]));
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    lib: ["lib.es2023.d.ts", "lib.dom.d.ts"],
    types: ["@webgpu/types"],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    isolatedModules: true,
    verbatimModuleSyntax: true,
    skipLibCheck: true,
    noEmit: true,
    paths: { "krait/runtime": [join(ROOT, "runtime/index.ts")] },
  };
  const disk = ts.createCompilerHost(options);
  const host: ts.CompilerHost = {
    ...disk,
    getCurrentDirectory: () => ROOT,
    readFile: (path) => texts.get(path) ?? disk.readFile(path),
    fileExists: (path) => texts.has(path) || disk.fileExists(path),
    getSourceFile: (path, ...rest) => {
      const text = texts.get(path);
      return text === undefined
        ? disk.getSourceFile(path, ...rest)
        : ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
    },
  };
  const program = ts.createProgram([...texts.keys()], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ file, start = 0, messageText }) => {
    const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start).line + 1;
    return `${file?.fileName ?? ""}:${line} ${ts.flattenDiagnosticMessageText(messageText, " ")}`;
  });
}

const USES = `
import type { Bundle, OpenOptions } from "krait/runtime";
import { axes, constants, open, type Smooth2Session } from "./smooth.js";
import * as ahead from "./ahead.js";

export async function right(bundle: Bundle, options: OpenOptions): Promise<number> {
  const model = await open(bundle, options);
  const session: Smooth2Session = await model.session({ batch: 2 });
  const x = new Float32Array(2 * 5 * axes.m);
  const kind = new Uint32Array(10);
  const { y, total } = await session.prefill({ x, kind, gain: new Float32Array(constants.width) });
  const eight: 8 = y.shape[2];
  const all = await session.prefill({ x, kind }, { outputs: "all", names: ["total"] });
  await session.prefill({ x, kind }, { outputs: ({ begin, outputs }) => void (begin + outputs.y.data.length) });
  const next = await session.step({ x, kind: new Int32Array(2) });
  const feed = { x: "y", kind: "total" } as const;
  const deliver = (outputs: { y: { data: Float32Array } }): boolean => outputs.y.data.length > 0;
  const steps: number = await session.generate({ x, kind }, { steps: 4, feed, deliver });
  const { shape } = await session.readState("h");
  const saved = await session.save();
  await session.restore(saved);
  await session.reset();
  const name: "b" = constants.names[1];
  return eight + total.data.length + all.total.shape[0] + next.y.data.length + shape[1] + saved.states.h.data.length + name.length + session.pos + steps;
}

export async function wrong(bundle: Bundle, options: OpenOptions): Promise<void> {
  const session = await (await open(bundle, options)).session();
  const [x, kind] = [new Float32Array(8), new Uint32Array(1)];
  // @ts-expect-error a misspelt input
  await session.prefill({ X: x, kind });
  // @ts-expect-error one more than the model has
  await session.prefill({ x, kind, z: x });
  // @ts-expect-error an input is missing
  await session.prefill({ x });
  // @ts-expect-error an input of another type
  await session.prefill({ x: kind, kind });
  // @ts-expect-error an index input takes no real numbers
  await session.step({ x, kind: x });
  // @ts-expect-error no such output
  (await session.prefill({ x, kind })).z;
  // @ts-expect-error not asked for
  (await session.prefill({ x, kind }, { names: ["y"] })).total;
  // @ts-expect-error no such output
  await session.step({ x, kind }, { names: ["z"] });
  // @ts-expect-error no such output to feed
  await session.generate({ x, kind }, { steps: 2, feed: { x: "z" }, deliver: () => true });
  // @ts-expect-error an output that is not delivered
  await session.generate({ x, kind }, { steps: 2, feed: { x: "y" }, deliver: ({ total }) => total });
  // @ts-expect-error another size
  const nine: 9 = (await session.step({ x, kind })).y.shape[2];
  // @ts-expect-error there are three axes
  (await session.step({ x, kind })).y.shape[3];
  // @ts-expect-error no such state
  await session.readState("g");
  // @ts-expect-error no such axis
  axes.q;
  const both = await (await ahead.open(bundle, options)).session();
  await both.prefill({ x });
  // @ts-expect-error it looks ahead in time
  await both.step({ x });
  void nine;
}
`;

describe("typed modules", () => {
  let smooth: Bundle;
  before(() => void (smooth = bundleOf(SMOOTH)));

  it("typecheck, and make wrong uses compile errors", async () => {
    const files = {
      "smooth.ts": await typedModule(smooth.manifest),
      "ahead.ts": await typedModule(bundleOf(LOOKS_AHEAD).manifest),
      "uses.ts": USES,
    };
    // The same uses once more without the comments that expect a mistake: each must be one, and no more.
    const unguarded = USES.replace(/\/\/ @ts-expect-error.*/g, "//");
    const found = check({ ...files, "unguarded.ts": unguarded });
    const lines = found.map((message) => /unguarded\.ts:(\d+)/.exec(message)?.[1] ?? message);
    const expected = USES.split("\n").flatMap((line, i) =>
      line.includes("@ts-expect-error") ? [String(i + 2)] : [],
    );
    assert.deepEqual(lines, expected, found.join("\n"));
  });

  it("are formatted TypeScript with constants, axes and comments of the source", async () => {
    const text = await typedModule(smooth.manifest);
    assert.match(text, /"floor": -Infinity/);
    assert.match(text, /"m": 8/);
    assert.match(text, /What is to be smoothed\. \*\\\//);
    assert.match(text, /readonly gain\?: Float32Array<ArrayBuffer>;/);
    assert.match(text, /readonly programs: "prefill" \| "step";/);
  });

  it("refuse a bundle of another interface when they open it", async () => {
    const options = { device: await testDevice(), weights: tensorCheckpoint({}) };
    const expected: Interface = {
      inputs: { x: "f32[b, t, 8]", gain: "f32[8]", kind: "index[b, t]" },
      outputs: { y: "f32[b, t, 8]", total: "f32[b, t]" },
      states: { h: "f32[b, 8]" },
    };
    (await openTyped(smooth, options, expected)).destroy();
    const wider = bundleOf(SMOOTH, { set: { width: 16 } });
    await assert.rejects(
      openTyped(wider, options, expected),
      /R0407[^]*"x" was f32\[b, t, 8\] and is f32\[b, t, 16\]/,
    );
  });

  describe("krait build --types", () => {
    const at = temporaryFolder();

    it("adds model.ts to the bundle, which still opens, and only when asked", async () => {
      writeFileSync(at("smooth.krait"), SMOOTH);
      await kraitOk("build", at("smooth.krait"), "-o", at("smooth.bundle"), "--types");
      assert.equal(readFileSync(at("smooth.bundle/model.ts"), "utf8"), await typedModule(smooth.manifest));
      await kraitOk("inspect", at("smooth.bundle"));
      await kraitOk("build", at("smooth.krait"), "-o", at("smooth.bundle"));
      assert.ok(!existsSync(at("smooth.bundle/model.ts")));
    });
  });
});
