/**
 * Imports point one way: src → compiler → templates, src → runtime. Compiler and runtime share the types of
 * runtime/bundle-format.ts and nothing else, so that an application ships the runtime without the compiler.
 */
module.exports = {
  forbidden: [
    {
      name: "no-cycles",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "runtime-stands-alone",
      severity: "error",
      from: { path: "^runtime/" },
      to: { path: "^(src|compiler|templates|tests|examples|bench)/" },
    },
    {
      name: "compiler-knows-only-the-bundle-format-of-the-runtime",
      severity: "error",
      from: { path: "^compiler/" },
      to: { path: "^(src|tests|examples|bench)/|^runtime/(?!bundle-format\\.ts$)" },
    },
    {
      name: "templates-stand-alone",
      severity: "error",
      from: { path: "^templates/" },
      to: { path: "^(src|compiler|runtime|tests|examples|bench)/" },
    },
    {
      name: "bundle-format-is-types-alone",
      severity: "error",
      from: { path: "^runtime/bundle-format\\.ts$" },
      to: { path: "." },
    },
    {
      name: "portable",
      comment: "Runtime and compiler also run in a browser: what they need, callers pass.",
      severity: "error",
      from: { path: "^(runtime|compiler|templates)/|^src/[^/]+$" },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "portable-face",
      severity: "error",
      from: { path: "^src/[^/]+$" },
      to: { path: "^src/(cli|node)/" },
    },
    {
      name: "no-typescript-in-browsers",
      comment: "ts-morph is loaded for typed modules alone, by the command line.",
      severity: "error",
      from: { path: "^(src/[^/]+|runtime/index\\.ts)$" },
      to: { path: "node_modules/ts-morph/|^compiler/6-emit/typed-module\\.ts$", reachable: true },
    },
    {
      name: "node-face-without-compiler",
      severity: "error",
      from: { path: "^src/node/" },
      to: { path: "^(compiler|templates)/|^src/(?!node/)" },
    },
    {
      name: "no-way-back-to-the-command-line",
      severity: "error",
      from: { pathNot: "^(src/cli|tests|bench)/" },
      to: { path: "^src/cli/" },
    },
    {
      name: "shipped-code-needs-no-development-package",
      severity: "error",
      from: { path: "^(src|compiler|runtime|templates)/" },
      to: { dependencyTypes: ["npm-dev"], pathNot: "node_modules/@types/|node_modules/@webgpu/types/" },
    },
    {
      name: "everything-resolves",
      severity: "error",
      from: {},
      // `krait`, `krait/runtime` and `krait/node` are this package by its own name; they resolve to dist/ once it is built.
      to: { couldNotResolve: true, pathNot: "^krait(/|$)" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules|^dist/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "types", "node", "default"],
      extensions: [".ts", ".js", ".mjs"],
    },
  },
};
