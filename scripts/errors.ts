/**
 * Writes docs/errors.md: every mistake that the compiler and the runtime report. With `--check`, says whether it is what
 * would be written.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { format, resolveConfig } from "prettier";
import { ERROR_CODES, type ErrorCode } from "../runtime/errors.js";
import { type ErrorExample, shown } from "./errors/example.js";
import { areas } from "./errors/index.js";
import { runExample } from "./errors/run-example.js";
import { runRuntimeExample } from "./errors/run-runtime-example.js";
import { RUNTIME_MODEL, runtimeExamples } from "./errors/runtime.js";

const PATH = new URL("../docs/errors.md", import.meta.url);

const INTRODUCTION = `# Errors

<!-- Written by scripts/errors.ts (npm run errors); change that. -->

Every mistake has a code that never changes its meaning: \`K\` for those in a source, which the compiler reports, all of a run at
once; \`R\` for those of a bundle, a checkpoint, a device or a call, which the runtime throws as a \`KraitError\`.`;

const fenced = (language: string, text: string): string => `\`\`\`${language}\n${text.trimEnd()}\n\`\`\``;

/** What the surroundings of a source say, if it is not the source alone. */
function surroundings({ files, set, config, wrong }: ErrorExample): string[] {
  const others = Object.entries(files ?? {}).map(([path, text]) => `\`${path}\` is \`${text.trim()}\``);
  const settings = Object.entries(set ?? {}).map(([name, value]) => `\`--set ${name}=${String(value)}\``);
  const targets = (wrong.targets ?? []).map((target) => `\`--target ${target}\``);
  if (wrong.packed === true) targets.push("`--packed`");
  const all = [
    ...others,
    ...(config === undefined ? [] : [`config.json is \`${JSON.stringify(config)}\``]),
    ...(settings.length + targets.length === 0 ? [] : [`run with ${[...settings, ...targets].join(" ")}`]),
  ];
  return all.length === 0 ? [] : [`Here ${all.join(", and ")}.`];
}

function section(example: ErrorExample): string {
  const { code, title, meaning, wrong, mended } = example;
  const { source, rendered } = runExample(example, wrong);
  return [
    `### ${code}: ${title}`,
    meaning,
    ...surroundings(example),
    fenced("krait", wrong.abridged ?? source.text),
    fenced("text", rendered),
    "Mended:",
    fenced("krait", shown(mended) + targetsNote(mended.targets)),
  ].join("\n\n");
}

const targetsNote = (targets: readonly string[] = []): string =>
  targets.length === 0 ? "" : `    # with --target ${targets.join(" ")}`;

const RUNTIME_INTRODUCTION = `The calls below are about this model, compiled to \`bundle\`; \`model\` is what \`open(bundle, { device, weights })\` gives, and
\`session\` what \`model.session()\` gives. On the command line such an error begins with \`error[R0101]\`.`;

async function runtimeSections(): Promise<string> {
  const sections: string[] = [];
  for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
    const example = runtimeExamples[code];
    const { name, message } = await runRuntimeExample(example);
    const shownMessage = fenced("text", `${name}: ${message}`);
    sections.push(
      `### ${code}: ${ERROR_CODES[code]}`,
      example.remedy,
      fenced("js", example.call),
      shownMessage,
    );
  }
  return ["## Runtime", RUNTIME_INTRODUCTION, fenced("krait", RUNTIME_MODEL), ...sections].join("\n\n");
}

async function document(): Promise<string> {
  const parts = [
    INTRODUCTION,
    ...areas.map(({ title, examples }) => [`## ${title}`, ...examples.map(section)].join("\n\n")),
    await runtimeSections(),
  ];
  const options = (await resolveConfig(PATH)) ?? {};
  return format(`${parts.join("\n\n")}\n`, { ...options, parser: "markdown" });
}

const text = await document();
if (!process.argv.includes("--check")) {
  writeFileSync(PATH, text);
} else if (readFileSync(PATH, "utf8") !== text) {
  process.stderr.write("docs/errors.md is not what scripts/errors.ts writes: npm run errors\n");
  process.exitCode = 1;
}
