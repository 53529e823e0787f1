/** Inputs at random, in pieces, and results put together again. */
import assert from "node:assert/strict";
import type { Graph } from "../../compiler/3-graph/types.js";
import type { Values } from "../../compiler/interpret/index.js";
import type { Random } from "../support/random.js";

export type Inputs = Readonly<Record<string, Values>>;

/** Gaussian numbers for every input, at those run-time sizes. */
export function randomInputs(graph: Graph, random: Random, sizes: Readonly<Record<string, number>>): Inputs {
  return Object.fromEntries(
    graph.inputs.map((input) => {
      const shape = input.axes.map((id) => {
        const size = graph.axes.get(id)?.size;
        return typeof size === "number" ? size : (sizes[id] ?? NaN);
      });
      return [input.name, random.tensor(shape)];
    }),
  );
}

/** Coordinates from..to along an axis of every input that has it. */
export function cut(graph: Graph, inputs: Inputs, axis: string, from: number, to: number): Inputs {
  return Object.fromEntries(
    graph.inputs.map((input): [string, Values] => {
      const values = inputs[input.name];
      assert.ok(values !== undefined);
      const at = input.axes.findIndex((id) => id === axis);
      return [input.name, at < 0 ? values : part(values, at, from, to)];
    }),
  );
}

function part({ shape, data }: Values, at: number, from: number, to: number): Values {
  const inner = shape.slice(at + 1).reduce((product, size) => product * size, 1);
  const size = shape[at] ?? 0;
  const outer = shape.slice(0, at).reduce((product, n) => product * n, 1);
  const taken: number[] = [];
  for (let o = 0; o < outer; o++)
    for (let i = from * inner; i < to * inner; i++) taken.push(data[o * size * inner + i] ?? NaN);
  return { shape: shape.map((n, k) => (k === at ? to - from : n)), data: taken };
}

/** Tensors one after the other along an axis. */
export function join(parts: readonly Values[], at: number): Values {
  const [first] = parts;
  assert.ok(first !== undefined);
  const size = parts.reduce((sum, { shape }) => sum + (shape[at] ?? 0), 0);
  const outer = first.shape.slice(0, at).reduce((product, n) => product * n, 1);
  const data: number[] = [];
  for (let o = 0; o < outer; o++)
    for (const { shape, data: numbers } of parts) {
      const run = shape.slice(at).reduce((product, n) => product * n, 1);
      for (let i = 0; i < run; i++) data.push(numbers[o * run + i] ?? NaN);
    }
  return { shape: first.shape.map((n, k) => (k === at ? size : n)), data };
}
