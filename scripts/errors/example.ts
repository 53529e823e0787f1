/** An example of each mistake, for docs/errors.md and for the tests that hold the messages. */
import type { ConstantValue } from "../../runtime/bundle-format.js";

/** A source: the whole of it, or what stands beside and in a model that reads `x[b, t, m]` and gives `y[b, t, m]`. */
export interface Snippet {
  readonly text?: string;
  readonly beside?: string;
  readonly model?: string;
  /** What docs/errors.md shows of a source that is too long for it. */
  readonly abridged?: string;
  /** Whether `--packed` is given. */
  readonly packed?: boolean;
  /** What `--target` says. */
  readonly targets?: readonly string[];
}

export interface ErrorExample {
  readonly code: string;
  /** What went wrong, in a few words. */
  readonly title: string;
  /** What the rule is, why, and what to do. */
  readonly meaning: string;
  readonly wrong: Snippet;
  readonly mended: Snippet;
  /** Other files, by path. */
  readonly files?: Readonly<Record<string, string>>;
  /** What the command line and a checkpoint's config.json say. */
  readonly set?: Readonly<Record<string, ConstantValue>>;
  readonly config?: unknown;
}

const HEADER = "axis b: batch, t: time, m = 6, n = 4\n";

/** The whole source of a snippet. */
export function sourceOf({ text, beside, model }: Snippet): string {
  if (text !== undefined) return text;
  const above = beside === undefined ? "" : `${beside}\n`;
  const body = (model ?? "").replace(/^(?=.)/gm, "  ");
  const statements = body === "" ? "" : `${body}\n`;
  const result = /^output y\b/m.test(model ?? "") ? "" : "  output y[b, t, m] = x\n";
  return `${HEADER}${above}\nmodel example {\n  input x: f32[b, t, m]\n${statements}${result}}\n`;
}

/** What differs from one example to another. */
export const shown = ({ text, beside, model }: Snippet): string =>
  text ?? [beside, model].filter((part) => part !== undefined).join("\n\n");
