/**
 * Documents: text with the places where it may break, and a printer that breaks as few of them as the width asks for.
 * (The method is Wadler's, "A prettier printer".)
 */
export type Doc =
  | string
  | readonly Doc[]
  /** A place to break; `flat` is what stands there otherwise. */
  | { readonly kind: "line"; readonly flat: string; readonly hard: boolean }
  | { readonly kind: "indent"; readonly doc: Doc }
  /** Breaks at all of its lines or at none. */
  | { readonly kind: "group"; readonly doc: Doc }
  /** Breaks between two parts only where the next part has no room. */
  | {
      readonly kind: "fill";
      readonly parts: readonly Doc[];
      /** What separates each part from the next: one less. */
      readonly between: readonly Doc[];
      /** How many parts are printed. */
      readonly from: number;
    }
  /** A comment after what stands before it, and those that go on below it. Ends its line. */
  | { readonly kind: "trailing"; readonly comments: readonly string[] }
  /** A comment on a line of its own. */
  | { readonly kind: "own"; readonly comment: string }
  /** A column that may be aligned with those of the lines above and below. */
  | { readonly kind: "mark" };

export const line = (flat: string): Doc => ({ kind: "line", flat, hard: false });
export const hardLine: Doc = { kind: "line", flat: "", hard: true };
export const indent = (doc: Doc): Doc => ({ kind: "indent", doc });
export const group = (doc: Doc): Doc => ({ kind: "group", doc });
export const fill = (parts: readonly Doc[], between: readonly Doc[]): Doc => ({
  kind: "fill",
  parts,
  between,
  from: 0,
});
export const join = (parts: readonly Doc[], separator: Doc): Doc =>
  parts.flatMap((part, index) => (index === 0 ? [part] : [separator, part]));

/** A printed line; its comment, and the column that may be aligned, are placed when the lines around it are known. */
export interface Line {
  readonly indent: number;
  readonly text: string;
  /** Before alignment, counted without the indent. */
  readonly mark?: number;
  /** After the text; more than one go on below. */
  readonly comments: readonly string[];
}

export const INDENT = 2;
/** Code is broken to fit; comments are left as long as they are. */
export const WIDTH = 100;

type Mode = "flat" | "break";
interface Command {
  readonly indent: number;
  readonly mode: Mode;
  readonly doc: Doc;
}

/** The lines of `doc`, the first at `indent` columns. */
export function print(doc: Doc, indentation: number): Line[] {
  const printer = new Printer(indentation);
  printer.run({ indent: indentation, mode: "break", doc });
  return printer.lines;
}

class Printer {
  readonly lines: Line[] = [];
  private text = "";
  private mark: number | undefined;
  private comments: readonly string[] = [];
  /** A comment ends the line. */
  private closed = false;
  private readonly stack: Command[] = [];

  constructor(private indent: number) {}

  run(first: Command): void {
    this.stack.push(first);
    for (let next = this.stack.pop(); next !== undefined; next = this.stack.pop()) this.print(next);
    this.endLine(0);
  }

  private endLine(nextIndent: number): void {
    const text = this.text.trimEnd();
    if (text !== "" || this.comments.length > 0) {
      const { indent, mark, comments } = this;
      this.lines.push({ indent, text, comments, ...(mark === undefined ? {} : { mark }) });
    }
    this.text = "";
    this.mark = undefined;
    this.comments = [];
    this.closed = false;
    this.indent = nextIndent;
  }

  private print({ indent, mode, doc }: Command): void {
    const push = (...docs: readonly Doc[]): void => {
      for (const each of docs.toReversed()) this.stack.push({ indent, mode, doc: each });
    };
    if (typeof doc === "string") return this.put(doc, indent);
    if (isList(doc)) return push(...doc);
    switch (doc.kind) {
      case "line":
        return mode === "break" || doc.hard ? this.endLine(indent) : this.put(doc.flat, indent);
      case "indent":
        this.stack.push({ indent: indent + INDENT, mode, doc: doc.doc });
        return;
      case "group": {
        const flat = mode === "flat" || this.fits({ indent, mode: "flat", doc: doc.doc }, true);
        this.stack.push({ indent, mode: flat ? "flat" : "break", doc: doc.doc });
        return;
      }
      case "fill":
        if (mode === "break") return this.fill(doc, indent);
        return push(...doc.parts.flatMap((part, at) => [at === 0 ? "" : (doc.between[at - 1] ?? ""), part]));
      case "trailing":
        if (this.closed) this.endLine(indent);
        this.comments = doc.comments;
        this.closed = true;
        return;
      case "own":
        this.endLine(indent);
        this.text = doc.comment;
        this.closed = true;
        return;
      case "mark":
        this.mark ??= this.text.length;
    }
  }

  private put(text: string, indent: number): void {
    if (this.closed && text.trim() !== "") this.endLine(indent);
    if (text.trim() === "" && (this.text === "" || this.closed)) return;
    this.text += text;
  }

  /** Prints one part, and pushes the rest. */
  private fill(doc: Extract<Doc, { kind: "fill" }>, indent: number): void {
    const { parts, between, from } = doc;
    const [part, next, separator] = [parts[from], parts[from + 1], between[from]];
    if (part === undefined) return;
    const modeOf = (docs: Doc, withRest: boolean): Mode =>
      this.fits({ indent, mode: "flat", doc: docs }, withRest) ? "flat" : "break";
    const push = (mode: Mode, pushed: Doc): void => void this.stack.push({ indent, mode, doc: pushed });
    if (next === undefined || separator === undefined) return push(modeOf(part, true), part);
    const separated = modeOf([part, separator, next], parts.length === from + 2);
    const first = modeOf(part, false);
    push("break", { ...doc, from: from + 1 });
    push(separated, separator);
    push(first, part);
  }

  /** Whether `command`, printed flat, and what follows it up to the next break stay within the width. */
  private fits(command: Command, withRest: boolean): boolean {
    let room = WIDTH - this.indent - this.text.length;
    const own: Command[] = [command];
    let below = withRest ? this.stack.length : 0;
    while (room >= 0) {
      const isOwn = own.length > 0;
      const next = own.pop() ?? this.stack[--below];
      if (next === undefined) return true;
      const { indent, mode, doc } = next;
      if (typeof doc === "string") room -= doc.length;
      else if (isList(doc)) for (const each of doc.toReversed()) own.push({ indent, mode, doc: each });
      else {
        switch (doc.kind) {
          case "line":
            if (mode === "break" || doc.hard) return true;
            room -= doc.flat.length;
            break;
          case "own":
            return !isOwn;
          case "trailing":
            // What follows stands on another line, so that in what is to be flat it can only be the last.
            return !isOwn || own.every((left) => isNothing(left.doc));
          case "fill":
            // The rest of it only where the first part leaves room: it may be long.
            if (doc.from + 1 < doc.parts.length) {
              own.push({ indent, mode, doc: { ...doc, from: doc.from + 1 } });
              own.push({ indent, mode, doc: doc.between[doc.from] ?? "" });
            }
            own.push({ indent, mode, doc: doc.parts[doc.from] ?? "" });
            break;
          case "group":
          case "indent":
            own.push({ indent, mode, doc: doc.doc });
            break;
          case "mark":
            break;
        }
      }
    }
    return false;
  }
}

const isList = (doc: Doc): doc is readonly Doc[] => Array.isArray(doc);
const isNothing = (doc: Doc): boolean => doc === "" || (isList(doc) && doc.every(isNothing));
