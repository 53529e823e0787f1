/** Documents one by one: what a packed run must give, by the oracle's plain runs of each document alone. */
import assert from "node:assert/strict";
import type { AxisId, Graph } from "../../compiler/3-graph/types.js";
import { DOCUMENTS, LONGEST } from "../../compiler/4-passes/packed.js";
import { TAIL_BEGIN, TAIL_COUNT } from "../../compiler/4-passes/programs.js";
import { dimensionsOf } from "../../compiler/interpret/sizes.js";
import { interpret, type InterpretOptions, type Values } from "../../compiler/interpret/index.js";
import { ChunkField, PACKED_INPUTS, SpanField, StepField } from "../../runtime/bundle-format.js";
import { documentPieces } from "../../runtime/documents.js";
import type { Random } from "./random.js";

export type Given = Readonly<Record<string, Values>>;

/** Where a tensor's batch and time stand among its dimensions. */
interface Places {
  readonly batch: number;
  readonly time: number;
}

function places(graph: Graph, entry: Parameters<typeof dimensionsOf>[0]): Places {
  const at = (role: "batch" | "time"): number =>
    dimensionsOf(entry).findIndex((axes) =>
      axes.some((axis) => graph.axes.get(axis)?.role === role && isRuntime(graph, axis)),
    );
  return { batch: at("batch"), time: at("time") };
}

const isRuntime = (graph: Graph, axis: AxisId): boolean => typeof graph.axes.get(axis)?.size === "object";

const product = (sizes: readonly number[]): number => sizes.reduce((p, size) => p * size, 1);

/** Coordinates begin ≤ i < end along a dimension. */
function part({ shape, data }: Values, at: number, begin: number, end: number): Values {
  const inner = product(shape.slice(at + 1));
  const size = shape[at] ?? 0;
  const taken: number[] = [];
  for (let outer = 0; outer < product(shape.slice(0, at)); outer++)
    for (let i = begin * inner; i < end * inner; i++) taken.push(data[outer * size * inner + i] ?? NaN);
  return { shape: shape.map((n, k) => (k === at ? end - begin : n)), data: taken };
}

/** Tensors one after the other along a dimension, flat. */
function joined(parts: readonly Values[], at: number): number[] {
  const outer = product(parts[0]?.shape.slice(0, at) ?? []);
  return Array.from({ length: outer }, (_, o) =>
    parts.flatMap(({ shape, data }) => {
      const run = product(shape.slice(at));
      return Array.from({ length: run }, (_, i) => data[o * run + i] ?? NaN);
    }),
  ).flat();
}

/** The shape of an input of packed documents: `total` steps in the place of time, and no batch where there is time. */
export function packedShape(
  graph: Graph,
  entry: Parameters<typeof dimensionsOf>[0],
  total: number,
  batch: number,
): number[] {
  const { time, batch: b } = places(graph, entry);
  return dimensionsOf(entry).flatMap((axes, k) => {
    if (k === b) return time < 0 ? [batch] : [];
    return [product(axes.map((axis) => sizeOf(graph, axis, total)))];
  });
}

function sizeOf(graph: Graph, axis: AxisId, total: number): number {
  const size = graph.axes.get(axis)?.size;
  return typeof size === "number" ? size : total;
}

/** Random inputs of documents of `total` steps in all, as f32 holds them. */
export function packedInputs(
  graph: Graph,
  lengths: readonly number[],
  random: Random,
  draw: (input: Graph["inputs"][number], random: Random) => number,
): Given {
  const total = lengths.reduce((sum, length) => sum + length, 0);
  return Object.fromEntries(
    graph.inputs.map((input): [string, Values] => {
      const shape = packedShape(graph, input, total, lengths.length);
      const { data } = random.tensor(shape, (r) => draw(input, r));
      return [input.name, { shape, data: Float64Array.from(Float32Array.from(data)) }];
    }),
  );
}

export interface OneByOne {
  /** By output: at all positions of all documents, flat; and at the last of each (nothing for a document without steps). */
  readonly all: ReadonlyMap<string, number[]>;
  readonly last: ReadonlyMap<string, number[][]>;
  /** By state: a document after the other. */
  readonly states: ReadonlyMap<string, number[]>;
  /** To go on from. */
  readonly carried: readonly Pick<InterpretOptions, "states" | "positions">[];
}

/** What the runtime tells the packed program of one call; `chunk`: of one that cuts documents, its steps a chunk. */
export function packedRun(
  lengths: readonly number[],
  positions: readonly number[],
  chunk?: number,
): Required<Pick<InterpretOptions, "inputs" | "sizes">> {
  const [piece] = documentPieces(lengths, positions, Infinity, chunk);
  assert.ok(piece);
  const { count, tables, longest, documents } = piece;
  const fields: Readonly<Record<string, object>> = {
    [PACKED_INPUTS.steps]: StepField,
    [PACKED_INPUTS.spans]: SpanField,
    [PACKED_INPUTS.chunks]: ChunkField,
    [PACKED_INPUTS.chunkSpans]: SpanField,
  };
  const inputs = Object.fromEntries(
    [...tables].map(([name, data]): [string, Values] => {
      const width = Object.keys(fields[name] ?? {}).length;
      return [name, { shape: [data.length / width, width], data }];
    }),
  );
  const wanted = { shape: [count], data: Array.from({ length: count }, (_, i) => i) };
  return {
    inputs: { ...inputs, [PACKED_INPUTS.wanted]: wanted },
    sizes: {
      ...{ [TAIL_BEGIN]: 0, [TAIL_COUNT]: count, b: lengths.length },
      ...{ [LONGEST]: longest, [DOCUMENTS]: documents },
    },
  };
}

/** Runs each document alone, a batch of one, from what it carried before. Outputs have time as their first or second dimension. */
export function oneByOne(
  graph: Graph,
  inputs: Given,
  lengths: readonly number[],
  options: Pick<InterpretOptions, "params"> = {},
  before: OneByOne["carried"] = [],
): OneByOne {
  const parts = new Map(graph.outputs.map(({ name }): [string, Values[]] => [name, []]));
  const last = new Map(graph.outputs.map(({ name }): [string, number[][]] => [name, []]));
  const states = new Map(graph.states.map(({ name }): [string, number[]] => [name, []]));
  const carried: Pick<InterpretOptions, "states" | "positions">[] = [];
  let begin = 0;
  lengths.forEach((length, document) => {
    const own = Object.fromEntries(
      graph.inputs.map((input): [string, Values] => {
        const values = inputs[input.name];
        assert.ok(values);
        const { batch, time } = places(graph, input);
        if (time < 0) return [input.name, batch < 0 ? values : part(values, batch, document, document + 1)];
        const row = part(values, batch >= 0 && batch < time ? time - 1 : time, begin, begin + length);
        const shape = [...row.shape];
        if (batch >= 0) shape.splice(batch, 0, 1);
        return [input.name, { shape, data: row.data }];
      }),
    );
    const sizes = Object.fromEntries(
      [...graph.axes.values()].flatMap(({ size, role }) =>
        typeof size === "object" ? [[size.runtime, role === "batch" ? 1 : length]] : [],
      ),
    );
    const result = interpret(graph, { ...options, ...before[document], inputs: own, sizes });
    carried.push({ states: result.states, positions: result.positions });
    for (const [name, { data }] of Object.entries(result.states)) states.get(name)?.push(...data);
    for (const output of graph.outputs) {
      const tensor = result.outputs[output.name];
      assert.ok(tensor);
      const { time } = places(graph, output);
      parts.get(output.name)?.push(tensor);
      const end = time < 0 || length === 0 ? tensor : part(tensor, time, length - 1, length);
      last.get(output.name)?.push(Array.from(end.data));
    }
    begin += length;
  });
  const all = new Map(
    graph.outputs.map((output) => {
      const { batch, time } = places(graph, output);
      return [output.name, joined(parts.get(output.name) ?? [], time < 0 ? batch : time)];
    }),
  );
  return { all, last, states, carried };
}

/** Random parameters, as f32 holds them; one of many tensors by each of these. */
export function drawParams(graph: Graph, random: Random): Given {
  return Object.fromEntries(
    graph.params.flatMap((param) => {
      const stored = param.pieces?.shape ?? param.shape ?? param.layout.map(({ size }) => size);
      const shape = param.scalar === "c64" ? [...stored, 2] : stored;
      return (param.pieces?.tensors ?? [param]).map(({ name }): [string, Values] => [
        name,
        {
          shape,
          data: Float64Array.from(Float32Array.from(random.tensor(shape, (r) => 0.5 * r.normal()).data)),
        },
      ]);
    }),
  );
}
