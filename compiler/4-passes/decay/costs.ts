/**
 * What a prefill of a decaying outer product costs, in microseconds, by a scan and by products of matrices: estimates for
 * a data-center GPU with f32 products, from bench/RESULTS.md. They decide between schedules that compute the same.
 */
import type { AxisId, Graph } from "../../3-graph/types.js";
import { BEST_ALONE, MOST_ALONE } from "../schedule.js";
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
/** The same of products of 16-bit operands on matrix units, as shallow as a chunk's are. */
const HALF_PRODUCTS = 80e6;
const SCANNED = 4.2e6;
/** With a decay for each key, whose tiles are shorter. */
const SCANNED_BY_KEY = 1.45e6;
/** Pairs of steps whose decays are taken key by key, a microsecond. */
const PAIRS = 1e5;
/** A step of the sequential kernel, and products that it adds up a microsecond, its operands in caches. */
const TURN = 6;
const TURNED = 5e5;
/** Where steps sum: products that a lane adds up a microsecond, and what else such a step takes, alone and with other lanes. */
const LANE = 1700;
const WAIT = { alone: 0.05, others: 0.35 };
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
  /** Of low rank: how often its state is contracted within a step, and put in again. */
  readonly contractions: number;
  readonly puts: number;
}

function extentsOf(graph: Graph, form: DecayForm): Extents {
  const product = (axes: readonly AxisId[]): number =>
    axes.reduce((count, axis) => {
      const size = graph.axes.get(axis)?.size;
      return typeof size === "number" ? count * size : count;
    }, 1);
  const ofState = (reads: DecayForm["reads"]): DecayForm["inputs"] =>
    reads.flatMap((read) => read.terms.filter(({ of }) => of !== "none"));
  const terms = ofState(form.reads);
  const { read, puts = [] } = form.removal ?? {};
  const contractions = ofState(read === undefined ? [] : [read]);
  const inKeys = axesOf(graph, [
    ...[...form.inputs, ...terms, ...puts, ...contractions].flatMap(({ key }) => key),
    ...(form.isScalar ? [] : form.decay.factors),
  ]);
  return {
    key: product(form.key),
    value: product(form.value),
    lead: product(form.lead),
    keyLead: product(form.lead.filter((axis) => inKeys.has(axis))),
    inputs: form.inputs.length,
    reads: terms.length,
    contractions: contractions.length,
    puts: puts.length,
  };
}

/** By a scan: one that takes all steps in turn, and one that is cut in time, which one of low rank cannot be. */
export function scanCosts(
  graph: Graph,
  form: DecayForm,
  { batch, steps }: Workload,
): { readonly whole: number; readonly cut?: number } {
  const { key, value, lead, contractions } = extentsOf(graph, form);
  const elements = key * value * lead;
  const channels = batch * value * lead;
  const stepping =
    (batch * steps * elements * (1 + contractions)) / (form.isScalar ? SCANNED : SCANNED_BY_KEY);
  const speed = Math.min(1, channels / CHANNELS) ** STARVED;
  const chunks = Math.min(Math.ceil(CHANNELS_CUT / channels), MOST_CHUNKS);
  // Local states and decays, written and read, and the states before each chunk.
  const bytes = 6 * 4 * batch * chunks * elements;
  const whole = stepping / speed + LAUNCH;
  // Of low rank, a lane takes each step's products one after the other, however many lanes there are.
  if (contractions > 0)
    return {
      whole: Math.max(
        whole,
        steps * ((3 * Math.min(key, BEST_ALONE)) / LANE + (key > BEST_ALONE ? WAIT.others : WAIT.alone)),
      ),
    };
  return {
    whole,
    cut: PASSES_CUT * stepping + bytes / BYTES + 3 * LAUNCH,
  };
}

/** By products of matrices, in chunks of `length` steps; `halves`: as `inMatrixForm` writes them for 16-bit operands. */
export function matrixCost(
  graph: Graph,
  form: DecayForm,
  { batch, steps }: Workload,
  length: number,
  halves = false,
): number {
  const extents = extentsOf(graph, form);
  const { key, value, lead, keyLead, reads } = extents;
  // What is removed is one more input.
  const inputs = extents.inputs + extents.puts;
  const pairs = form.isScalar ? 0 : reads * inputs * pairCost(extents, length);
  const group = (lead / keyLead) * value;
  const operations =
    reads * inputs * product(keyLead, length, length, key) +
    reads * inputs * product(lead, length, value, length) +
    reads * product(keyLead, length, group, key) +
    inputs * product(keyLead, group, key, length);
  // A chunk's states are written, read, stepped and read again; sums within chunks pass through memory, if not joined.
  const joined = halves && inputs === 1 && form.isScalar;
  const passed = joined ? 0 : 2 * reads * inputs;
  const bytes = 4 * (4 * key * value * lead + length * value * lead * (passed + 2 * inputs));
  const chunks = Math.ceil(steps / length);
  const launches = 2 + inputs + reads * (2 * inputs + 1);
  const speed = halves ? HALF_PRODUCTS : PRODUCTS;
  const each = operations / speed + bytes / BYTES + pairs;
  const removal =
    extents.contractions === 0 ? 0 : removalCost(extents, form.isScalar, { batch, chunks, speed }, length);
  return batch * chunks * each + removal + launches * LAUNCH;
}

/** Of low rank: the triangular systems, and a product of keys with keys a chunk, chunk after chunk. */
function removalCost(
  extents: Extents,
  isScalar: boolean,
  { batch, chunks, speed }: Readonly<Record<"batch" | "chunks" | "speed", number>>,
  length: number,
): number {
  const { key, value, lead, keyLead, inputs, contractions, puts } = extents;
  if (length > MOST_ALONE) return Infinity;
  const matrices = contractions * (inputs + puts);
  const pairs = isScalar ? 0 : matrices * pairCost(extents, length);
  const operations =
    matrices * product(isScalar ? keyLead : lead, length, length, key) +
    contractions * inputs * product(lead, length, value, length) +
    puts * product(lead, key, key, length) +
    product(lead, length, value, key);
  const substituted = (2 * lead * length * length * (key + value)) / SCANNED;
  const bytes =
    4 * lead * (4 * matrices * length * length + 4 * length * key + 6 * length * value + 3 * key * key);
  const each = operations / speed + bytes / BYTES + pairs + substituted;
  const turning = Math.max(TURN, (batch * lead * value * key * key) / TURNED);
  const launches = 4 + 2 * matrices + (isScalar ? 0 : 3 * matrices);
  return batch * chunks * each + chunks * turning + launches * LAUNCH;
}

/** Pairs of steps of a block that decay key by key. */
const pairCost = ({ lead, key }: Extents, length: number): number =>
  (lead * key * length * Math.min(BLOCK, length)) / PAIRS;

const product = (count: number, rows: number, cols: number, depth: number): number =>
  (2 * count * rows * cols * depth) / (fill(rows) * fill(cols));

/** How much of its tiles an extent fills. */
const fill = (extent: number): number => extent / (32 * Math.ceil(extent / 32));
