// Writes templates/sources.ts from the Krait sources in templates/, so that the compiler has them wherever it runs: under
// tsx, bundled, in a browser. With --check, says whether the file is up to date. Plain Node, no packages.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";

const templates = fileURLToPath(new URL("../templates/", import.meta.url));
const target = `${templates}sources.ts`;

/** The text of templates/sources.ts as it should be. */
export function sourcesModule() {
  const models = readdirSync(`${templates}models`)
    .filter((name) => name.endsWith(".krait"))
    .sort();
  const lines = [
    "// Written by scripts/sources.mjs (npm run build) from the .krait files beside it: edit those.",
    "",
    "/** templates/prelude.krait. */",
    `export const PRELUDE = ${literal("prelude.krait")};`,
    "",
    "/** templates/models/*.krait, by family. */",
    "export const MODELS: Readonly<Record<string, string>> = {",
    ...models.map((name) => `  ${key(name.slice(0, -".krait".length))}: ${literal(`models/${name}`)},`),
    "};",
  ];
  return `${lines.join("\n")}\n`;
}

const key = (family) => (/^[A-Za-z_]\w*$/.test(family) ? family : JSON.stringify(family));

/** Line ends as in the repository, whatever the checkout has: they are part of every span. */
function literal(path) {
  const text = readFileSync(templates + path, "utf8").replaceAll("\r\n", "\n");
  return `\`${text.replace(/[\\`]|\$\{/g, "\\$&")}\``;
}

/** Writes the file if it is not up to date. */
export function writeSources() {
  const text = sourcesModule();
  if (current() !== text) writeFileSync(target, text);
}

function current() {
  try {
    return readFileSync(target, "utf8");
  } catch {
    return undefined;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  if (!process.argv.includes("--check")) writeSources();
  else if (current() !== sourcesModule()) {
    console.error(
      "templates/sources.ts is not what the .krait files say: run `npm run build` and commit it.",
    );
    process.exit(1);
  }
}
