import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist/", "node_modules/", ".gpu/", "**/*.cjs", "**/*.mjs", "eslint.config.js"] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true } },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "inline-type-imports" }],
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
      // Numbers and booleans read well in messages; anything else in a template is likely a mistake.
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true },
      ],
      // `return report(…)` ends a branch in one line; that it is void is plain from the function's type.
      "@typescript-eslint/no-confusing-void-expression": "off",
      // `const { id: _, ...rest } = node` drops a field.
      "@typescript-eslint/no-unused-vars": [
        "error",
        { argsIgnorePattern: "^_", varsIgnorePattern: "^_", ignoreRestSiblings: true },
      ],
      eqeqeq: "error",
      "no-console": "error",
    },
  },
  {
    // What also runs in browsers. Imports of Node's modules are the architecture's to forbid.
    files: ["compiler/**", "runtime/**", "templates/**", "src/*.ts"],
    rules: { "no-restricted-globals": ["error", "process", "Buffer", "global", "setImmediate"] },
  },
  {
    // The command line, scripts, benchmarks and examples talk to a person.
    files: ["src/cli/**", "examples/**", "bench/**", "tests/support/**"],
    rules: { "no-console": "off" },
  },
  {
    // Plain loops over arrays of known length are what tests compare with; `!` keeps them plain.
    files: ["tests/**"],
    // An expression that must not compile stands alone under its `@ts-expect-error`.
    rules: {
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/no-unused-expressions": "off",
    },
  },
);
