/** Which kernels belong to one iteration of a `repeat`, by the call paths of what they compute. */
import type { Compilation } from "../compilation.js";
import type { EmittedProgram } from "../6-emit/target.js";
import type { LoweredGroup } from "../5-kernel/lower/index.js";
import { tensorsOf } from "./bytes.js";

/** An iteration: number 3 of `backbone.layers.{layer}`. */
export interface Iteration {
  readonly path: string;
  readonly number: number;
}

/** For each group of a program its iteration of the outermost `repeat`, if it is part of one. */
export function iterationsOf(
  { tree, module }: Compilation,
  { graph, groups }: EmittedProgram,
): readonly (Iteration | undefined)[] {
  const files = [tree, ...[...module.callables.values()].map(({ declaration }) => declaration)];
  const repeats = [...new Set(files.flatMap(repeatsIn))].map(patternOf);
  const named = ({ group, kernels }: LoweredGroup): Iteration | "unnamed" | undefined => {
    const own = [group, ...group.absorbed.map((each) => each.group)];
    const states = [...(group.recurrence?.states ?? []), ...own.flatMap(({ carries }) => carries)];
    const params = kernels
      .flatMap(({ buffers }) => buffers.flatMap(tensorsOf))
      .map(({ tensor: { ref } }) => ref);
    const names = [
      ...own.flatMap(({ members }) => [...members]).map((id) => graph.nodes[id]?.name),
      ...states.map((id) => graph.states[id]?.name),
      ...params.map((ref) => (ref.kind === "param" ? ref.name : undefined)),
    ];
    const known = names.filter((name) => name !== undefined);
    if (known.length === 0) return "unnamed";
    return known.map((name) => outermost(name, repeats)).find((found) => found !== undefined);
  };
  const own = groups.map(named);
  // What has no names of its own (a norm's sum) belongs to its reader.
  return own.map((found, g) => {
    if (found !== "unnamed") return found;
    const readers = readersOf(groups, g).map((reader) => own[reader]);
    return readers.find((each) => each !== "unnamed" && each !== undefined);
  });
}

function readersOf(groups: readonly LoweredGroup[], g: number): readonly number[] {
  const stored = new Set(groups[g]?.group.stores);
  const reads = ({ kernels }: LoweredGroup): boolean =>
    kernels.some(({ buffers }) =>
      buffers.flatMap(tensorsOf).some(({ tensor: { ref } }) => ref.kind === "value" && stored.has(ref.node)),
    );
  return [...groups.keys()].filter((k) => k > g && groups[k] !== undefined && reads(groups[k]));
}

interface Repeat {
  /** `layers.{layer}` */
  readonly path: string;
  readonly pattern: RegExp;
}

function outermost(name: string, repeats: readonly Repeat[]): Iteration | undefined {
  let best: { readonly at: number; readonly iteration: Iteration } | undefined;
  for (const { path, pattern } of repeats) {
    const found = pattern.exec(name);
    if (found === null || (best !== undefined && best.at <= found.index)) continue;
    best = { at: found.index, iteration: { path, number: Number(found[1]) } };
  }
  return best?.iteration;
}

/** The paths of every `repeat` under a piece of syntax: what its `at` says, else `layer.{layer}`. */
function repeatsIn(syntax: unknown): readonly string[] {
  if (Array.isArray(syntax)) return syntax.flatMap(repeatsIn);
  if (typeof syntax !== "object" || syntax === null) return [];
  const inside = Object.values(syntax).flatMap(repeatsIn);
  if (!isRepeat(syntax)) return inside;
  const name = syntax.name.name;
  const path = syntax.at?.text ?? `${name}.{${name}}`;
  return path.includes(`{${name}}`) ? [path, ...inside] : inside;
}

interface RepeatSyntax {
  readonly kind: "repeat";
  readonly name: { readonly name: string };
  readonly at?: { readonly text: string };
}

const isRepeat = (syntax: object): syntax is RepeatSyntax => "kind" in syntax && syntax.kind === "repeat";

/** The first hole is the number; others are anything. */
function patternOf(path: string): Repeat {
  const [first = "", ...rest] = path
    .replace(/^\//, "")
    .split(/\{[^{}]*\}/)
    .map((part) => part.replace(/[.*+?^$()|[\]\\]/g, "\\$&"));
  return { path, pattern: new RegExp(`(?:^|[./])${first}(\\d+)${rest.join("[^./]+")}(?=[./]|$)`) };
}
