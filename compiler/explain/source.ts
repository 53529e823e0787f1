/** Values as their author wrote them: names, lines, text. */
import { PRELUDE_PATH } from "../2-analyze/prelude.js";
import { positionsIn } from "../diagnostics/positions.js";
import type { SourceFile, Span } from "../diagnostics/types.js";
import type { Graph, Node, NodeId } from "../3-graph/types.js";

/** A line of source that a kernel computes some of. */
export interface SourceLine {
  readonly file: string;
  readonly line: number;
  readonly text: string;
  /** Names of values of this line that the kernel has. */
  readonly values: readonly string[];
}

export class SourceText {
  private readonly files = new Map<
    string,
    { readonly text: string; readonly lineOf: (offset: number) => number }
  >();

  constructor(sources: readonly SourceFile[]) {
    for (const { path, text } of sources) {
      const position = positionsIn(text);
      this.files.set(path, { text, lineOf: (offset) => position(offset).line });
    }
  }

  /** Where an author would look for a node: in their own files before the prelude. */
  span({ spans }: Pick<Node, "spans">): Span | undefined {
    return spans.find(({ file }) => file !== PRELUDE_PATH && this.files.has(file)) ?? spans[0];
  }

  /** `file:line`, without folders. */
  place(span: Span): string {
    const line = this.files.get(span.file)?.lineOf(span.start);
    const file = span.file.slice(span.file.lastIndexOf("/") + 1);
    return line === undefined ? file : `${file}:${line}`;
  }

  text({ file, start, end }: Span): string {
    const text = this.files.get(file)?.text.slice(start, end) ?? "";
    return clip(text.replace(/#.*$/gm, " ").replace(/\s+/g, " ").trim(), 60);
  }

  /** The lines of some nodes, in the order of the source. */
  lines(nodes: readonly Node[]): readonly SourceLine[] {
    const found = new Map<string, { file: string; line: number; text: string; values: Set<string> }>();
    for (const node of nodes) {
      const span = this.span(node);
      const file = span && this.files.get(span.file);
      if (span === undefined || file === undefined) continue;
      const line = file.lineOf(span.start);
      const key = `${span.file}:${line}`;
      const text = file.text.split(/\r\n|\r|\n/)[line - 1] ?? "";
      const entry = found.get(key) ?? {
        file: span.file,
        line,
        text: clip(text.replace(/#.*$/, "").trim(), 90),
        values: new Set(),
      };
      found.set(key, entry);
      const inPrelude = node.spans[0]?.file === PRELUDE_PATH;
      if (node.name !== undefined && (!inPrelude || text.includes(`${shortName(node.name)} =`)))
        entry.values.add(shortName(node.name));
    }
    return [...found.values()]
      .sort((p, q) => (p.file === q.file ? p.line - q.line : p.file < q.file ? -1 : 1))
      .map(({ values, ...rest }) => ({ ...rest, values: [...values] }));
  }

  /** What to call a value in a sentence: its name, or its text. */
  label(graph: Graph, id: NodeId): string {
    const node = graph.nodes[id];
    if (node === undefined) return "a value";
    if (node.name !== undefined) return `'${shortName(node.name)}'`;
    if (node.kind === "prev") return `prev(${shortName(graph.states[node.state]?.name ?? "h")})`;
    const span = this.span(node);
    const text = span && this.text(span);
    return text === undefined || text === "" ? `a ${node.kind}` : `'${text}'`;
  }
}

/** The last part of a call path. */
export const shortName = (path: string): string => path.slice(path.lastIndexOf(".") + 1);

const clip = (text: string, most: number): string =>
  text.length <= most ? text : `${text.slice(0, most - 1)}…`;
