/**
 * The WY form of a recurrence of low rank (Bischof & Van Loan 1987; Yang et al. 2024b, § 3): what its steps take out along
 * keys, S = a·prev(S) + p ⊗ u + … with u = Σ_key q·prev(S), for all steps of a chunk at once.
 *
 * u[s] = Σ_key q[s]·a…a·S₀ + Σ_s' N[s, s']·u[s'] + (what the other inputs have put in), N below the diagonal alone, is a
 * triangular system. Its right-hand side is linear in S₀, the state that the chunk came with, and so is its solution:
 * u = W·S₀ + U. W and U need no other chunk. Then p ⊗ u is an outer product like the others.
 */
import type { GraphBuilder } from "../../3-graph/build.js";
import type { AxisId, NodeId } from "../../3-graph/types.js";
import type { Span } from "../../diagnostics/types.js";
import type { Arithmetic } from "./arithmetic.js";
import type { Cut } from "./chunks.js";
import { matrix, readWithin, type Put, type Reading } from "./within-chunk.js";

/** A term of u: `outside` times what a reading of the state before gives. */
export interface Term {
  readonly reading: Reading;
  readonly outside: NodeId | undefined;
}

export interface System {
  readonly make: Arithmetic;
  readonly builder: GraphBuilder;
  readonly cut: Cut;
  readonly key: readonly AxisId[];
  /** The state's name, for names. */
  readonly name: string;
  readonly spans: readonly Span[];
  /** u as a sum; and what it adds that reads no state, in chunks. */
  readonly terms: readonly Term[];
  readonly free: readonly NodeId[];
  /** The other outer products that the recurrence puts in. */
  readonly inputs: readonly Put[];
  /** p, and what u is multiplied by there. Past the end of time p is 0. */
  readonly puts: readonly Put[];
}

export interface Solution {
  /** [step, key]: of the state that the chunk came with. */
  readonly W: NodeId;
  /** [step, value]: of what the chunk itself has put in. Absent: nothing. */
  readonly U: NodeId | undefined;
}

/** Solves u = W·S₀ + U by forward substitution. */
export function solve(system: System): Solution {
  const { make, cut, key, terms, inputs, puts } = system;
  const times = (value: NodeId, outside: NodeId | undefined): NodeId =>
    outside === undefined ? value : make.map("mul", value, outside);
  const N = make.sum(
    terms.flatMap(({ reading, outside }) =>
      puts.map((put) =>
        make.map(
          "mul",
          times(matrix(make, cut, put.key, reading, key), outside),
          make.rename(put.rest, cut.steps, cut.earlier),
        ),
      ),
    ),
  );
  const ofState = make.sum(
    terms.map(({ reading: { q, decays }, outside }) =>
      times(decays === undefined ? q : make.map("mul", q, make.exponential(decays.late)), outside),
    ),
  );
  const ofInputs = [
    ...system.free,
    ...terms.flatMap(({ reading, outside }) =>
      inputs.flatMap((put) => readWithin(make, cut, put, reading, key)).map((value) => times(value, outside)),
    ),
  ];
  return {
    W: substitute(system, N, ofState, "W"),
    U: ofInputs.length === 0 ? undefined : substitute(system, N, make.sum(ofInputs), "U"),
  };
}

/**
 * u[s] = right[s] + Σ_s' N[s, s']·u[s'], as a recurrence along the steps of a chunk whose state is all that it has found
 * (zero where it has not come yet), which the scan holds in registers.
 */
function substitute(
  { make, builder, cut, name, spans }: System,
  N: NodeId,
  right: NodeId,
  what: string,
): NodeId {
  const { steps, earlier } = cut;
  const axes = new Set([N, right].flatMap((id) => builder.typeOf(id).axes));
  axes.add(earlier);
  const state = builder.state({
    kind: "local",
    name: `${name}.${what}`,
    scalar: "f32",
    axes: [...axes].filter((axis) => axis !== steps),
    along: steps,
    init: 0,
    spans,
  });
  const before = make.add({ kind: "prev", state });
  const found = make.map("add", right, make.dot(N, before, earlier));
  const isHere = make.map("eq", make.coordinate(earlier), make.coordinate(steps));
  builder.define(state, { kind: "discrete", value: make.map("select", isHere, found, before) });
  builder.rename(found, `${name}.${what}`);
  return found;
}
