// Bundles the package into dist/: index.js (compiler), runtime.js, node.js and cli.js, as ES modules that share chunks,
// so that a class such as KraitError is one class whichever entry a program imports. index.js and runtime.js run in
// browsers as they are. cli.js runs a script of its own, with V8's code cache, which has no modules. With
// --package, as it is published: with declarations, without source maps, whose sources it lacks.
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { writeSources } from "./sources.mjs";

const root = fileURLToPath(new URL("../", import.meta.url));
const forPackage = process.argv.includes("--package");

writeSources();
rmSync(root + "dist", { recursive: true, force: true });
/** What both have in common. */
const options = {
  absWorkingDir: root,
  outdir: "dist",
  bundle: true,
  platform: "node",
  sourcemap: !forPackage,
  sourcesContent: false,
  legalComments: "linked",
  // The compiler's code frames come by way of picocolors, whose file for Node.js wants a global `process`.
  alias: { picocolors: "picocolors/picocolors.browser.js" },
  external: ["webgpu", "ts-morph", "@sparticuz/chromium"],
  logLevel: "warning",
};

// The command line's own script, in the form that src/cli/code-cache.ts wants: one expression in ASCII, with a hash of all of it in its
// name. Without blanks there is a third less to read at each start; names stay, for the stacks of our own mistakes.
const program = await build({
  ...options,
  entryPoints: { program: "src/cli/program.ts" },
  entryNames: "[name]-[hash]",
  outExtension: { ".js": ".cjs" },
  format: "cjs",
  target: "node20",
  minifyWhitespace: true,
  banner: { js: "(function (module, require, importModule, moduleUrl) {" },
  footer: { js: "})" },
  define: { "import.meta.url": "moduleUrl" },
  metafile: true,
  plugins: [withoutSubprocesses(), importingModules(options.external)],
}).catch(() => process.exit(1)); // it has said why

// A script's own import() fails, and only when it is reached.
const [left] = Object.values(program.metafile.outputs).flatMap(({ imports }) =>
  imports.filter(({ kind }) => kind === "dynamic-import"),
);
if (left !== undefined)
  throw new Error(`import("${left.path}") is left in the command's script: name it in \`external\``);

const [programFile] = Object.keys(program.metafile.outputs).filter((file) => file.endsWith(".cjs"));

toAscii(root + programFile);

await build({
  ...options,
  entryPoints: {
    index: "src/index.ts",
    runtime: "runtime/index.ts",
    node: "src/node/index.ts",
    cli: "src/cli/main.ts",
    // The same again, so that its statements move to a chunk that both share: bundlers leave out a file that is not used, but not
    // index.js, of which familyNames is.
    compiler: "src/index.ts",
    families: "src/families.ts",
  },
  splitting: true,
  format: "esm",
  target: ["node20", "es2022"],
  define: { PROGRAM_FILE: JSON.stringify(`./${basename(programFile)}`) },
}).catch(() => process.exit(1));
chmodSync(root + "dist/cli.js", 0o755);

if (!forPackage) keepCompiledCode();

if (forPackage) {
  const tsc = fileURLToPath(import.meta.resolve("typescript/bin/tsc"));
  const { status } = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], {
    cwd: root,
    stdio: "inherit",
  });
  process.exit(status ?? 1);
}

/** Letters of other alphabets, which esbuild leaves in regular expressions and tagged templates, as escapes: text of one byte a letter is read fastest. */
function toAscii(file) {
  const escape = (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  writeFileSync(file, readFileSync(file, "utf8").replace(/[^\0-\x7f]/g, escape));
}

/** Runs the commands that people wait for, so that the code cache has what a model of some size needs of the compiler. */
function keepCompiledCode() {
  const folder = mkdtempSync(join(tmpdir(), "krait-"));
  const model = root + "templates/models/mamba.krait";
  for (const args of [
    ["check", model],
    ["build", model, "-o", join(folder, "bundle")],
  ])
    spawnSync(process.execPath, [root + "dist/cli.js", ...args], { stdio: ["ignore", "ignore", "inherit"] });
  rmSync(folder, { recursive: true });
}

/** Commander starts subcommands that are files of their own, of which Krait has none: start-up need not wait for what that takes. */
function withoutSubprocesses() {
  return {
    name: "without-subprocesses",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^node:child_process$/ }, ({ path }) => ({ path, namespace: "absent" }));
      onLoad({ filter: /.*/, namespace: "absent" }, () => ({ contents: "module.exports = {};" }));
    },
  };
}

/** Packages that come in when they are needed come by way of `importModule`, which a script has in the place of import(). */
function importingModules(packages) {
  const call = new RegExp(`\\bimport\\("(${packages.join("|")})"\\)`, "g");
  return {
    name: "importing-modules",
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const text = await readFile(path, "utf8");
        return { contents: text.replaceAll(call, 'importModule("$1")'), loader: "ts" };
      });
    },
  };
}
