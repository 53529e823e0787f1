// Bundles the package into dist/: index.js (compiler), runtime.js, node.js and cli.js, as ES modules that share chunks,
// so that a class such as KraitError is one class whichever entry a program imports. index.js and runtime.js run in
// browsers as they are. With --package, as it is published: with declarations, without source maps, whose sources it lacks.
import { spawnSync } from "node:child_process";
import { chmodSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { writeSources } from "./sources.mjs";

const root = fileURLToPath(new URL("../", import.meta.url));
const forPackage = process.argv.includes("--package");

writeSources();
rmSync(root + "dist", { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: {
    index: "src/index.ts",
    runtime: "runtime/index.ts",
    node: "src/node/index.ts",
    cli: "src/cli/main.ts",
  },
  outdir: "dist",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: ["node20", "es2022"],
  sourcemap: !forPackage,
  sourcesContent: false,
  legalComments: "linked",
  // The compiler's code frames come by way of picocolors, whose file for Node.js wants a global `process`.
  alias: { picocolors: "picocolors/picocolors.browser.js" },
  external: ["webgpu", "ts-morph", "@sparticuz/chromium"],
  plugins: [builtinsForCommonJs()],
  logLevel: "warning",
}).catch(() => process.exit(1)); // it has said why
chmodSync(root + "dist/cli.js", 0o755);

if (forPackage) {
  const tsc = fileURLToPath(import.meta.resolve("typescript/bin/tsc"));
  const { status } = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], {
    cwd: root,
    stdio: "inherit",
  });
  process.exit(status ?? 1);
}

/**
 * A bundled CommonJS package (commander) says `require("node:fs")`, which an ES module does not have. Each builtin
 * so required becomes a module that holds the builtin's default export, imported statically.
 */
function builtinsForCommonJs() {
  return {
    name: "builtins-for-commonjs",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^(static:)?node:/ }, ({ kind, path }) => {
        if (path.startsWith("static:")) return { path: path.slice("static:".length), namespace: "static" };
        return kind === "require-call" ? { path, namespace: "required" } : { path, external: true };
      });
      onLoad({ filter: /.*/, namespace: "required" }, ({ path }) => ({
        // Commander starts subcommands that are files of their own, of which Krait has none: start-up need not wait for this.
        contents:
          path === "node:child_process"
            ? "module.exports = {};"
            : `module.exports = require(${JSON.stringify(`static:${path}`)}).default;`,
      }));
      onLoad({ filter: /.*/, namespace: "static" }, ({ path }) => ({
        contents: `export { default } from ${JSON.stringify(path)};`,
      }));
    },
  };
}
