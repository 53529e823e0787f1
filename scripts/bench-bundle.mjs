// Bundles the benchmarks into dist/bench.js, dist/bench-compare.js and dist/bench-tune.js, one file each, for machines that have the
// package `webgpu` and this package.json but neither the other packages nor the repository.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../", import.meta.url));
const git = (...args) => execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();

await build({
  absWorkingDir: root,
  entryPoints: { bench: "bench/main.ts", "bench-compare": "bench/compare.ts", "bench-tune": "bench/tune.ts" },
  outdir: "dist",
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  external: ["webgpu", "@sparticuz/chromium"],
  define: { BENCH_COMMIT: JSON.stringify(commit()) },
  banner: {
    js: "import { createRequire as createRequireHere } from 'node:module'; const require = createRequireHere(import.meta.url);",
  },
  logLevel: "warning",
}).catch(() => process.exit(1)); // it has said why

function commit() {
  const changes = git("status", "--porcelain", "--", ":!node_modules") === "" ? "" : "+changes";
  return git("rev-parse", "--short=12", "HEAD") + changes;
}
