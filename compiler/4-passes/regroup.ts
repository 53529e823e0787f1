/** Groups of fusion that become part of others: who reads what, and the table without them. */
import type { Graph, NodeId } from "../3-graph/types.js";
import type { Absorbed, Fusion } from "./fuse.js";
import { readersInTime } from "./uses.js";

export class GroupReaders {
  /** Groups that copy a value out, by the value. */
  private readonly copiers = new Map<NodeId, number[]>();

  constructor(
    private readonly graph: Graph,
    private readonly fusion: Fusion,
  ) {
    for (const [g, { outputs, carries }] of fusion.groups.entries()) {
      const copied = [
        ...graph.outputs.filter(({ name }) => outputs.includes(name)).map(({ value }) => value),
        ...carries.flatMap((id) => graph.states[id]?.equation.value ?? []),
      ];
      for (const id of copied) this.copiers.set(id, [...(this.copiers.get(id) ?? []), g]);
    }
  }

  /** Groups other than `except` that read values, directly or through what no kernel stores. */
  of(ids: Iterable<NodeId>, except: number): ReadonlySet<number> {
    const found = new Set<number>();
    const pending = [...ids];
    const seen = new Set(pending);
    for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
      for (const copier of this.copiers.get(id) ?? []) if (copier !== except) found.add(copier);
      for (const reader of readersInTime(this.graph)[id] ?? []) {
        const home = this.fusion.home.get(reader);
        if (home !== undefined && home !== except) found.add(home);
        if (home === undefined && !seen.has(reader)) {
          seen.add(reader);
          pending.push(reader);
        }
      }
    }
    return found;
  }
}

/** The fusion in which each group of `into` is part of another, that runs no earlier and is kept. */
export function regrouped(
  fusion: Fusion,
  into: ReadonlyMap<number, { readonly target: number; readonly absorbed: Absorbed }>,
): Fusion {
  const kept = [...fusion.groups.keys()].filter((g) => !into.has(g));
  const renumbered = new Map(kept.map((g, k) => [g, k]));
  const placeOf = (g: number): number => renumbered.get(into.get(g)?.target ?? g) ?? g;
  const absorbedBy = new Map<number, Absorbed[]>();
  for (const { target, absorbed } of into.values())
    absorbedBy.set(target, [...(absorbedBy.get(target) ?? []), absorbed]);
  return {
    ...fusion,
    groups: fusion.groups.flatMap((group, g) =>
      into.has(g) ? [] : [{ ...group, absorbed: [...group.absorbed, ...(absorbedBy.get(g) ?? [])] }],
    ),
    home: new Map([...fusion.home].map(([id, g]) => [id, placeOf(g)])),
  };
}
