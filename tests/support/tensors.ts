/** Parts of tensors along a run-time axis, and parts put together again; axes as callers see them. */
import assert from "node:assert/strict";
import { dimensionsOf } from "../../compiler/interpret/sizes.js";
import type { AxisId, Dimension, Graph } from "../../compiler/3-graph/types.js";
import type { Values } from "../../compiler/interpret/index.js";
import type { Inputs } from "../../runtime/index.js";
import { f32, u32 } from "./model.js";

interface Declaration {
  readonly name: string;
  readonly axes: readonly AxisId[];
  readonly dimensions?: readonly Dimension[];
}

/** Which dimension a run-time axis is; −1 where there is none. */
export function dimensionOf(tensor: Declaration, axis: string): number {
  return dimensionsOf(tensor).findIndex((axes) => axes.includes(axis as AxisId));
}

/** Coordinates begin ≤ i < end along a dimension. */
export function part({ shape, data }: Values, at: number, begin: number, end: number): Values {
  if (at < 0) return { shape, data };
  const size = shape[at] ?? 0;
  const inner = shape.slice(at + 1).reduce((product, n) => product * n, 1);
  const outer = shape.slice(0, at).reduce((product, n) => product * n, 1);
  const row = (end - begin) * inner;
  const taken = new Float64Array(outer * row);
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < row; i++) taken[o * row + i] = data[(o * size + begin) * inner + i] ?? NaN;
  return { shape: shape.map((n, k) => (k === at ? end - begin : n)), data: taken };
}

/** Tensors one after the other along a dimension; where they lack it, the last. */
export function join(parts: readonly Values[], at: number): Values {
  const last = parts.at(-1) ?? assert.fail("nothing to join");
  if (at < 0) return last;
  const inner = last.shape.slice(at + 1).reduce((product, n) => product * n, 1);
  const outer = last.shape.slice(0, at).reduce((product, n) => product * n, 1);
  const size = parts.reduce((sum, { shape }) => sum + (shape[at] ?? 0), 0);
  const data = new Float64Array(outer * size * inner);
  let begin = 0;
  for (const { shape, data: numbers } of parts) {
    const row = (shape[at] ?? 0) * inner;
    for (let o = 0; o < outer; o++)
      for (let i = 0; i < row; i++) data[(o * size + begin) * inner + i] = numbers[o * row + i] ?? NaN;
    begin += shape[at] ?? 0;
  }
  return { shape: last.shape.map((n, k) => (k === at ? size : n)), data };
}

/** The part of every input along a run-time axis. */
export function cutInputs(
  graph: Graph,
  inputs: Readonly<Record<string, Values>>,
  axis: string,
  begin: number,
  end: number,
): Readonly<Record<string, Values>> {
  return Object.fromEntries(
    graph.inputs.map((input) => {
      const values = inputs[input.name] ?? assert.fail(`no input ${input.name}`);
      return [input.name, part(values, dimensionOf(input, axis), begin, end)];
    }),
  );
}

/** Inputs as the runtime takes them. */
export function hostInputs(graph: Graph, inputs: Readonly<Record<string, Values>>): Inputs {
  return Object.fromEntries(
    graph.inputs.map(({ name, scalar }) => {
      const { data } = inputs[name] ?? assert.fail(`no input ${name}`);
      return [name, scalar === "index" ? u32(data) : f32(data)];
    }),
  );
}
