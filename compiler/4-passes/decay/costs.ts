/**
 * What a prefill of a decaying outer product costs, in microseconds, by a scan and by products of matrices: estimates for
 * a data-center GPU with f32 products, from bench/RESULTS.md. They decide between schedules that compute the same.
 */
import type { AxisId, Graph } from "../../3-graph/types.js";
import { BLOCK } from "./chunks.js";
import type { DecayForm } from "./form.js";
import { axesOf } from "./terms.js";

export interface Workload {
  readonly batch: number;
  readonly steps: number;
}

const LAUNCH = 3;
/** Bytes, operations of a product, and elements of a state that a scan steps, a microsecond. */
const BYTES = 2.5e6;
const PRODUCTS = 25e6;
const SCANNED = 4.2e6;
/** Pairs of steps whose decays are taken key by key, a microsecond. Not measured: a cautious guess. */
const PAIRS = 1e6;
/** Channels that fill the device with a scan, and what is left of its speed with fewer: a power of their share. */
const CHANNELS = 12_000;
const STARVED = 0.45;
/** A scan cut in time computes each chunk's last state before it computes everything. */
const PASSES_CUT = 1.6;
const CHANNELS_CUT = 49_152;
const MOST_CHUNKS = 64;

interface Extents {
  readonly key: number;
  readonly value: number;
  readonly lead: number;
  /** Of the lead, what keys have: the scores of a chunk are as many. */
  readonly keyLead: number;
  readonly inputs: number;
  readonly reads: number;
}

function extentsOf(graph: Graph, form: DecayForm): Extents {
  const product = (axes: readonly AxisId[]): number =>
    axes.reduce((count, axis) => {
      const size = graph.axes.get(axis)?.size;
      return typeof size === "number" ? count * size : count;
    }, 1);
  const terms = form.reads.flatMap((read) => read.terms.filter(({ of }) => of !== "none"));
  const inKeys = axesOf(graph, [
    ...[...form.inputs, ...terms].flatMap(({ key }) => key),
    ...(form.isScalar ? [] : form.decay.factors),
  ]);
  return {
    key: product(form.key),
    value: product(form.value),
    lead: product(form.lead),
    keyLead: product(form.lead.filter((axis) => inKeys.has(axis))),
    inputs: form.inputs.length,
    reads: terms.length,
  };
}

/** By a scan: the better of one that takes all steps in turn and one that is cut in time. */
export function scanCosts(
  graph: Graph,
  form: DecayForm,
  { batch, steps }: Workload,
): { readonly whole: number; readonly cut: number } {
  const { key, value, lead } = extentsOf(graph, form);
  const elements = key * value * lead;
  const channels = batch * value * lead;
  const stepping = (batch * steps * elements) / SCANNED;
  const speed = Math.min(1, channels / CHANNELS) ** STARVED;
  const chunks = Math.min(Math.ceil(CHANNELS_CUT / channels), MOST_CHUNKS);
  // Local states and decays, written and read, and the states before each chunk.
  const bytes = 6 * 4 * batch * chunks * elements;
  return {
    whole: stepping / speed + LAUNCH,
    cut: PASSES_CUT * stepping + bytes / BYTES + 3 * LAUNCH,
  };
}

/** By products of matrices, in chunks of `length` steps. */
export function matrixCost(
  graph: Graph,
  form: DecayForm,
  { batch, steps }: Workload,
  length: number,
): number {
  const { key, value, lead, keyLead, inputs, reads } = extentsOf(graph, form);
  // Pairs of steps of a block that decay key by key.
  const pairs = form.isScalar ? 0 : (reads * inputs * lead * key * length * Math.min(BLOCK, length)) / PAIRS;
  const group = (lead / keyLead) * value;
  const product = (count: number, rows: number, cols: number, depth: number): number =>
    (2 * count * rows * cols * depth) / (fill(rows) * fill(cols));
  const operations =
    reads * inputs * product(keyLead, length, length, key) +
    reads * inputs * product(lead, length, value, length) +
    reads * product(keyLead, length, group, key) +
    inputs * product(keyLead, group, key, length);
  // A chunk's states are written, read, stepped and read again; sums within chunks pass through memory.
  const bytes = 4 * (4 * key * value * lead + length * value * lead * (2 * reads * inputs + 2 * inputs));
  const chunks = batch * Math.ceil(steps / length);
  const launches = 2 + inputs + reads * (2 * inputs + 1);
  return chunks * (operations / PRODUCTS + bytes / BYTES + pairs) + launches * LAUNCH;
}

/** How much of its tiles an extent fills. */
const fill = (extent: number): number => extent / (32 * Math.ceil(extent / 32));
