/** Columns: `from` clauses and trailing comments stand below one another in lines that follow each other. */
import { type Line, WIDTH } from "./doc.js";

/** Between the longest line and the comments beside it. */
const COMMENT_GAP = 4;

/** The lines as text. */
export function align(lines: readonly Line[]): string[] {
  return alignComments(alignMarks(lines));
}

/** Splits `lines` into the longest pieces whose neighbours belong together. */
function runs(lines: readonly Line[], together: (a: Line, b: Line) => boolean): Line[][] {
  const pieces: Line[][] = [];
  for (const line of lines) {
    const last = pieces.at(-1)?.at(-1);
    if (last !== undefined && together(last, line)) pieces.at(-1)?.push(line);
    else pieces.push([line]);
  }
  return pieces;
}

/** Where the width does not allow all of a run to be aligned, none is. */
function alignMarks(lines: readonly Line[]): Line[] {
  const together = (a: Line, b: Line): boolean =>
    a.mark !== undefined && b.mark !== undefined && a.indent === b.indent && a.comments.length <= 1;
  return runs(lines, together).flatMap((run) => {
    const column = Math.max(...run.map(({ mark = 0 }) => mark));
    const aligned = run.map((line) => {
      const { text, mark } = line;
      if (mark === undefined) return line;
      return { ...line, text: `${text.slice(0, mark)}${" ".repeat(column - mark)}${text.slice(mark)}` };
    });
    return aligned.some(({ indent, text }) => indent + text.length > WIDTH) ? run : aligned;
  });
}

function alignComments(lines: readonly Line[]): string[] {
  const together = (a: Line, b: Line): boolean => a.comments.length > 0 && b.comments.length > 0;
  return runs(lines, together).flatMap((run) => {
    const column = Math.max(...run.map(({ indent, text }) => indent + text.length)) + COMMENT_GAP;
    return run.flatMap(({ indent, text, comments }) => {
      const [first, ...rest] = comments;
      const code = `${" ".repeat(indent)}${text}`;
      if (first === undefined) return [code.trimEnd()];
      return [`${code.padEnd(column)}${first}`, ...rest.map((comment) => `${" ".repeat(column)}${comment}`)];
    });
  });
}
