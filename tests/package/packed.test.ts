/**
 * What `npm pack` makes, in a project of its own that has nothing else: plain JavaScript runs, TypeScript finds the types
 * however it resolves modules, and the command runs. Packages that Krait depends on are linked, so that no network is needed.
 */
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import ts from "typescript";
import { testAdapter } from "../support/adapter.js";
import { temporaryFolder } from "../support/cli.js";

const root = fileURLToPath(new URL("../../", import.meta.url));

interface Description {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}

const SOURCE = `axis b: batch, t: time, d = 2
model smooth {
  input x: f32[b, t, d]
  state h[d]
  h = 0.5*prev(h) + x
  output y[b, t, d] = h
}
`;

/** Plain JavaScript that uses all three entries. */
const SCRIPT = `
import { compile } from "krait";
import { requestDevice, writeBundle, readBundle } from "krait/node";
import { KraitError, open } from "krait/runtime";

const { bundle, diagnostics } = compile({ path: "smooth.krait", text: ${JSON.stringify(SOURCE)} });
await writeBundle(bundle, "smooth.bundle");
const read = await readBundle("smooth.bundle");
const device = await requestDevice({ bundle: read, adapter: process.argv[2] });
const model = await open(read, { device });
const session = await model.session();
const { y } = await session.prefill({ x: Float32Array.of(1, 2, 3, 4, 5, 6) }, { outputs: "all" });
const refused = await session.prefill({}).catch((error) => error);
device.destroy();
console.log(JSON.stringify({ diagnostics, y: [...y.data], shape: y.shape, refused: refused instanceof KraitError }));
process.exit();
`;

const MODULE = `
import { compile, type CompileResult, type Diagnostic } from "krait";
import { fileWeights, requestDevice } from "krait/node";
import { open, type Bundle, type Model, type Outputs } from "krait/runtime";

export async function run(text: string): Promise<Outputs> {
  const result: CompileResult = compile({ path: "m.krait", text });
  const bundle: Bundle | undefined = result.bundle;
  if (bundle === undefined) throw new Error(result.diagnostics.map((one: Diagnostic) => one.message).join());
  const device: GPUDevice = await requestDevice({ bundle });
  const model: Model = await open(bundle, { device, weights: await fileWeights("weights") });
  const session = await model.session({ batch: 1 });
  // @ts-expect-error: inputs are typed arrays
  await session.step({ x: [1, 2, 3] });
  return session.prefill({ x: new Float32Array(3) });
}
`;

describe("the packed package", () => {
  const path = temporaryFolder();
  let tarball: string;
  let files: readonly string[];

  before(function () {
    this.timeout(300_000); // it is built with its declarations
    const result = spawnSync("npm", ["pack", "--json", "--pack-destination", path("")], {
      cwd: root,
      encoding: "utf8",
      shell: process.platform === "win32",
    });
    assert.equal(result.status, 0, result.stderr);
    const [packed] = JSON.parse(result.stdout) as [{ filename: string; files: { path: string }[] }];
    tarball = path(packed.filename);
    files = packed.files.map((file) => file.path);
    install(tarball, path("project"));
  });

  const run = (...args: readonly string[]): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(process.execPath, args, { cwd: path("project"), encoding: "utf8" });

  it("holds what is needed and no more", () => {
    const top = [...new Set(files.map((file) => file.split("/")[0] ?? ""))].sort();
    assert.deepEqual(top, [
      ...["CHANGELOG.md", "LICENSE", "README.md", "SPEC.md", "dist", "package.json", "tuning"],
    ]);
    assert.deepEqual(
      files.filter((file) => /\.map$|\.ts$|bench|test/.test(file) && !/^dist\/types\/.*\.d\.ts$/.test(file)),
      [],
    );
  });

  it("is as bundlers, Node.js and TypeScript want it", async () => {
    const data = readFileSync(tarball);
    const tar = data.buffer.slice(data.byteOffset, data.byteOffset + data.length);
    const { messages, pkg } = await publint({ pack: { tarball: tar }, strict: true });
    assert.deepEqual(
      messages.map((message) => formatMessage(message, pkg, { color: false })),
      [],
    );
    const analysis = await checkPackage(createPackageFromTarballData(new Uint8Array(data)));
    assert.ok(analysis.types !== false);
    // Krait is ES modules alone: `require` gets one from Node.js 20.19 on, and the resolution of Node.js 10 finds no subpaths.
    const known = ["CJSResolvesToESM", "NoResolution"];
    assert.deepEqual(
      analysis.problems.filter((problem) => {
        const old = "resolutionKind" in problem && problem.resolutionKind === "node10";
        return !(known.includes(problem.kind) && (old || problem.kind === "CJSResolvesToESM"));
      }),
      [],
    );
  });

  it("runs from plain JavaScript", async () => {
    const { name } = await testAdapter();
    writeFileSync(path("project/run.js"), SCRIPT);
    const { status, stdout, stderr } = run("run.js", name);
    assert.equal(status, 0, stderr);
    assert.deepEqual(JSON.parse(stdout), {
      diagnostics: [],
      y: [1, 2, 3.5, 5, 6.75, 8.5],
      shape: [1, 3, 2],
      refused: true,
    });
  });

  for (const [resolution, module] of [
    ["NodeNext", "NodeNext"],
    ["Bundler", "ESNext"],
  ] as const) {
    it(`gives TypeScript its types, resolved as ${resolution}`, () => {
      writeFileSync(path("project/use.ts"), MODULE);
      const options: ts.CompilerOptions = {
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind[module],
        moduleResolution: ts.ModuleResolutionKind[resolution],
        lib: ["lib.es2023.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"],
        types: [],
        strict: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: false, // Krait's declarations are looked at too
        noEmit: true,
      };
      const program = ts.createProgram([path("project/use.ts")], options);
      const problems = ts.getPreEmitDiagnostics(program);
      const host = {
        getCanonicalFileName: (name: string) => name,
        getCurrentDirectory: () => root,
        getNewLine: () => "\n",
      };
      assert.equal(ts.formatDiagnostics(problems, host), "");
    });
  }

  it("has the command `krait`", () => {
    writeFileSync(path("project/smooth.krait"), SOURCE);
    const command = join("node_modules", ".bin", "krait");
    const checked = run(command, "check", "smooth.krait");
    assert.equal(checked.status, 0, checked.stderr);
    const built = run(command, "build", "smooth.krait", "-o", "out.bundle", "--types");
    assert.equal(built.status, 0, built.stderr);
    assert.ok(existsSync(path("project/out.bundle/model.ts")));
  });
});

/** Puts the tarball where `npm install` would, and links the packages that it depends on. */
function install(tarball: string, project: string): void {
  const modules = join(project, "node_modules");
  mkdirSync(join(modules, ".bin"), { recursive: true });
  writeFileSync(join(project, "package.json"), `{ "private": true, "type": "module" }\n`);
  const { status, stderr } = spawnSync("tar", ["-xzf", tarball, "-C", modules], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  renameSync(join(modules, "package"), join(modules, "krait"));
  symlinkSync(join(modules, "krait", "dist", "cli.js"), join(modules, ".bin", "krait"));
  const description = JSON.parse(readFileSync(join(modules, "krait", "package.json"), "utf8")) as Description;
  for (const name of Object.keys({ ...description.dependencies, ...description.optionalDependencies })) {
    const place = join(root, "node_modules", name);
    if (!existsSync(place)) continue;
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(place, join(modules, name));
  }
}
