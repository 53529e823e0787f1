/**
 * Diagnostics for people, in the terminal:
 *
 *     error[K0110]: expected `)` to close the call of `dot`, but found the end of the line
 *       --> mamba.krait:12:18
 *       11 |   z = dot(w_z, u, over m)
 *     > 12 |   y = dot(C, h, over n
 *          |                       ^
 *       hint: …
 */
import { codeFrameColumns } from "@babel/code-frame";
import { positionsIn } from "./positions.js";
import { MOST_DIAGNOSTICS } from "./sink.js";
import type { Diagnostic, Severity, SourceFile, Span } from "./types.js";

/** How diagnostics are shown. */
export interface RenderOptions {
  /** With ANSI colours, for a terminal. */
  readonly color?: boolean;
}

/** A span of more lines shows the first of them, so that a message about a block does not print the block. */
const LINES_SHOWN = 3;

const ESCAPE = "\u001b[";
type Style = "bold" | "red" | "yellow" | "blue" | "cyan" | "dim";
const STYLES: Readonly<Record<Style, string>> = {
  bold: "1",
  red: "1;31",
  yellow: "1;33",
  blue: "1;34",
  cyan: "36",
  dim: "2",
};
type Paint = (style: Style, text: string) => string;
const painted: Paint = (style, text) => `${ESCAPE}${STYLES[style]}m${text}${ESCAPE}0m`;
const plain: Paint = (_style, text) => text;

const severityStyle: Readonly<Record<Severity, Style>> = { error: "red", warning: "yellow" };

/** `where` and the lines around it; only `where` if the source is not at hand. */
function frame(
  span: Span,
  sources: ReadonlyMap<string, SourceFile>,
  style: Style,
  paint: Paint,
  context: number,
): string[] {
  const text = sources.get(span.file)?.text;
  if (text === undefined) return [`  ${paint("cyan", "-->")} ${span.file}`];
  const find = positionsIn(text);
  const start = find(span.start);
  const last = find(span.end);
  const single = last.line === start.line;
  const end = single
    ? { line: start.line, column: Math.max(last.column, start.column + 1) }
    : { line: Math.min(last.line, start.line + LINES_SHOWN - 1), column: last.column };
  // The frame's own colours are for JavaScript, so that it is asked for without and painted here.
  const lines = codeFrameColumns(text, { start, end }, { linesAbove: context, linesBelow: context }).split(
    "\n",
  );
  return [
    `  ${paint("cyan", "-->")} ${span.file}:${start.line}:${start.column}`,
    ...lines.map((line) => paintFrameLine(line, style, paint)),
  ];
}

/** A line of a frame: `> 12 | code`, `  12 | code` or `     |   ^^^`. */
function paintFrameLine(line: string, style: Style, paint: Paint): string {
  const parts = /^(>?)( *\d* \|)(.*)$/s.exec(line);
  if (parts === null) return line;
  const [, arrow = "", gutter = "", rest = ""] = parts;
  const marker = !/\d/.test(gutter);
  return `${arrow === "" ? "" : paint(style, arrow)}${paint("dim", gutter)}${marker ? paint(style, rest) : rest}`;
}

/** One diagnostic as text, without a line break at its end. `sources` has the files by path. */
export function render(
  diagnostic: Diagnostic,
  sources: ReadonlyMap<string, SourceFile>,
  options: RenderOptions = {},
): string {
  const paint = options.color === true ? painted : plain;
  const style = severityStyle[diagnostic.severity];
  const title = paint(style, `${diagnostic.severity}[${diagnostic.code}]`);
  const lines = [`${title}${paint("bold", `: ${diagnostic.message}`)}`];
  lines.push(...frame(diagnostic.span, sources, style, paint, 1));

  const details: [string, string | undefined][] = [
    ["found", diagnostic.found],
    ["expected", diagnostic.expected],
  ];
  const shown = details.filter((entry): entry is [string, string] => entry[1] !== undefined);
  const width = Math.max(0, ...shown.map(([label]) => label.length));
  for (const [label, text] of shown) {
    lines.push(`  ${paint("bold", `${label.padStart(width)}:`)} ${indentRest(text, width + 4)}`);
  }
  for (const { span, message } of diagnostic.related ?? []) {
    lines.push(`  ${paint("blue", "note:")} ${indentRest(message, 8)}`);
    lines.push(...frame(span, sources, "blue", paint, 0));
  }
  if (diagnostic.hint !== undefined) {
    lines.push(`  ${paint("cyan", "hint:")} ${indentRest(diagnostic.hint, 8)}`);
  }
  return lines.join("\n");
}

const indentRest = (text: string, columns: number): string =>
  text.replaceAll("\n", `\n${" ".repeat(columns)}`);

/** All of them, with a blank line between, and a line that counts them at the end. */
export function renderAll(
  diagnostics: readonly Diagnostic[],
  sources: ReadonlyMap<string, SourceFile>,
  options: RenderOptions = {},
): string {
  const count = (severity: Severity): string[] => {
    const many = diagnostics.filter((diagnostic) => diagnostic.severity === severity).length;
    return many === 0 ? [] : [`${many} ${severity}${many === 1 ? "" : "s"}`];
  };
  const all = diagnostics.length >= MOST_DIAGNOSTICS ? ["perhaps more"] : [];
  const summary = [...count("error"), ...count("warning"), ...all].join(", ");
  return [...diagnostics.map((diagnostic) => render(diagnostic, sources, options)), summary]
    .filter((part) => part !== "")
    .join("\n\n");
}
