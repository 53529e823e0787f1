/** Programs: lowered kernels with their buffers placed, as dispatches of the manifest. */
import { InternalError } from "../diagnostics/internal-error.js";
import { DOCUMENTS, isPacked, LONGEST } from "../4-passes/packed.js";
import { TAIL_COUNT, TAIL_BEGIN } from "../4-passes/programs.js";
import { NUMBERS } from "../3-graph/numbers.js";
import type { Axis, AxisId, Graph } from "../3-graph/types.js";
import { axisSize, bufferKey, bytes, constantSize, type Tensor } from "../5-kernel/lower/buffers.js";
import type { LoweredGroup, LoweredKernel } from "../5-kernel/lower/index.js";
import type { BoundBuffer } from "../5-kernel/lower/scope.js";
import {
  PACKED_INPUTS,
  type BufferRange,
  type Dim,
  type Dispatch,
  type NumberEntry,
  type Program,
} from "../../runtime/bundle-format.js";
import type { ConstantPlan } from "./constants.js";
import { planScratch, type Life } from "./scratch.js";
import type { ShaderTable } from "./shaders.js";
import type { StatePlan } from "./states.js";

export interface ProgramParts {
  /** Ways to compute the program, of which the numbers of a run pick one; most programs have one. */
  readonly variants: readonly ProgramVariant[];
  readonly constants: ConstantPlan;
  readonly states: StatePlan;
  readonly shaders: ShaderTable;
}

export interface ProgramVariant {
  readonly graph: Graph;
  readonly groups: readonly LoweredGroup[];
  /** When it is the one; the last has no condition: it is the one when no other is. */
  readonly when?: Dim;
  /** Where this is 0 it needs no memory, however the run's other numbers are. */
  readonly ever?: Dim;
}

interface Placed {
  readonly lowered: LoweredKernel;
  readonly part: "body" | "tail";
}

/** The run-time number that says which variant runs. */
const VARIANT = NUMBERS.variant;

export function emitProgram({ variants, constants, states, shaders }: ProgramParts): Program {
  const numbers = numbersOf(variants);
  const names = numbers.map((number) => number.name);
  const single = variants.length === 1;
  const chunk = documentChunk(variants);
  const made = variants.map((variant, k) => {
    const placed = partition(variant);
    const { slots, slotOf } = planScratch(livesOf(placed));
    const isThis: Dim | undefined = single ? undefined : ["==", VARIANT, k];
    const { ever } = variant;
    const range = (buffer: BoundBuffer): BufferRange => {
      if (buffer.kind === "pack" || buffer.tensor.ref.kind === "param") return constants.range(buffer);
      return tensorRange(buffer.tensor, states, slotOf);
    };
    const dispatch = ({ lowered }: Placed): Dispatch => {
      const shader = shaders.add(lowered.kernel, names);
      const when = both(isThis, lowered.when);
      return {
        shader: shader.id,
        bindings: lowered.buffers.map(range),
        workgroups: shader.dispatch,
        ...(when === undefined ? {} : { when }),
      };
    };
    return {
      scratch: slots.map(({ bytes: size }) => (ever === undefined ? size : (["?", ever, size, 4] as const))),
      body: placed.filter(({ part }) => part === "body").map(dispatch),
      tail: placed.filter(({ part }) => part === "tail").map(dispatch),
    };
  });
  return {
    numbers,
    scratch: overlaid(made.map(({ scratch }) => scratch)),
    body: made.flatMap(({ body }) => body),
    tail: made.flatMap(({ tail }) => tail),
    ...(chunk !== undefined && { chunk }),
    ...(variants.some(({ graph }) => isPositional(graph)) && { positional: true }),
  };
}

/** The slots of variants, of which one runs: each as large as that variant needs it that needs most. */
function overlaid(variants: readonly (readonly Dim[])[]): Program["scratch"] {
  const most = Math.max(...variants.map((slots) => slots.length));
  return Array.from({ length: most }, (_, k) => {
    const sizes = variants.map((slots) => slots[k]).filter((size) => size !== undefined);
    return { id: `s${k}`, bytes: sizes.reduce((p, q) => ["max", p, q] as const) };
  });
}

const both = (p: Dim | undefined, q: Dim | undefined): Dim | undefined =>
  p === undefined ? q : q === undefined ? p : ["&", p, q];

/** Whether some value depends on how many steps came before: `pos(t)`. */
function isPositional({ axes, nodes }: Graph): boolean {
  return nodes.some((node) => node.kind === "coordinate" && isTime(axes.get(node.axis)));
}

/** Not its chunks, or the steps within one. */
const isTime = (axis: Axis | undefined): boolean => axis?.role === "time" && axis.cut === undefined;

/** The runtime's numbers first, then those that kernels compute from them. */
function numbersOf(variants: readonly ProgramVariant[]): readonly NumberEntry[] {
  const names = new Set<string>();
  const computed: NumberEntry[] = [];
  for (const { graph } of variants)
    for (const { size, cut } of graph.axes.values()) {
      if (typeof size === "number") continue;
      if (cut?.part !== "chunks") names.add(size.runtime);
      else {
        computed.push({ name: size.runtime, value: chunkCount(graph, cut) });
      }
    }
  names.delete(TAIL_COUNT);
  const packed = variants.some(({ graph }) => isPacked(graph)) ? [LONGEST, DOCUMENTS] : [];
  const supplied = [...names, NUMBERS.pos, TAIL_BEGIN, TAIL_COUNT, ...packed];
  const given = supplied.map((name): NumberEntry => ({ name }));
  const pick = variants.reduceRight<Dim>(
    (rest, { when }, k) => (when === undefined ? k : ["?", when, k, rest]),
    variants.length - 1,
  );
  const picked = variants.length === 1 ? [] : [{ name: VARIANT, value: pick }];
  const entries: NumberEntry[] = [...given, ...computed, ...picked];
  for (const { groups } of variants)
    for (const { kernels } of groups)
      for (const { numbers = [] } of kernels)
        for (const number of numbers) {
          const known = entries.find(({ name }) => name === number.name);
          if (known === undefined) entries.push(number);
          else if (JSON.stringify(known.value) !== JSON.stringify(number.value))
            throw new InternalError("emit", `${number.name} stands for two numbers of one program`);
        }
  return entries;
}

/** The chunks of time; where each document has its own, no fewer than there are. */
function chunkCount(graph: Graph, cut: { readonly of: AxisId; readonly steps: AxisId }): Dim {
  const [time, steps] = [axisSize(graph, cut.of), axisSize(graph, cut.steps)];
  return isPacked(graph) ? ["+", ["/", time, steps], DOCUMENTS] : ["^/", time, steps];
}

/** Steps a chunk of documents, where a program cuts them. */
function documentChunk(variants: readonly ProgramVariant[]): number | undefined {
  for (const { graph } of variants) {
    const chunks = graph.inputs.find(({ name }) => name === PACKED_INPUTS.chunks)?.axes[0];
    const cut = chunks === undefined ? undefined : graph.axes.get(chunks)?.cut;
    if (cut?.part === "chunks") return constantSize(graph, cut.steps);
  }
  return undefined;
}

/** The tail: kernels over the window's positions, and those that write outputs and nothing that the body reads, where there is a window at all. */
function partition({ graph, groups }: ProgramVariant): readonly Placed[] {
  const windowed = [...graph.axes.values()]
    .filter((axis) => axisSize(graph, axis.id) === TAIL_COUNT)
    .map(({ id }) => id);
  const readByBody = new Set<string>();
  const partOf = ({ group, kernels }: LoweredGroup): Placed["part"] => {
    const scratch = kernels.flatMap(({ buffers, kernel }) =>
      buffers.flatMap((buffer, k) =>
        buffer.kind === "tensor" && isScratch(buffer.tensor)
          ? [{ key: bufferKey(buffer.tensor), access: kernel.bindings[k]?.access }]
          : [],
      ),
    );
    const feedsBody = scratch.some(({ key, access }) => access === "read_write" && readByBody.has(key));
    const atWindow = group.domain.some((axis) => windowed.includes(axis));
    if (windowed.length > 0 && (atWindow || (group.outputs.length > 0 && !feedsBody))) return "tail";
    for (const { key } of scratch) readByBody.add(key);
    return "body";
  };
  // Readers come after what they read.
  const parts = [...groups].reverse().map(partOf).reverse();
  const all = groups.flatMap(({ kernels }, g) =>
    kernels.map((lowered): Placed => ({ lowered, part: parts[g] ?? "body" })),
  );
  return [...all.filter(({ part }) => part === "body"), ...all.filter(({ part }) => part === "tail")];
}

function isScratch(tensor: Tensor): boolean {
  return tensor.ref.kind === "value" || tensor.ref.kind === "own";
}

/** What the body leaves for the tail lives on, since the tail may run more than once. */
function livesOf(placed: readonly Placed[]): readonly Life[] {
  const lives = new Map<
    string,
    { key: string; bytes: Dim; first: number; last: number; firstPart: string }
  >();
  placed.forEach(({ lowered, part }, at) => {
    for (const buffer of lowered.buffers) {
      if (buffer.kind !== "tensor" || !isScratch(buffer.tensor)) continue;
      const key = bufferKey(buffer.tensor);
      const life = lives.get(key);
      if (life === undefined)
        lives.set(key, { key, bytes: bytes(buffer.tensor), first: at, last: at, firstPart: part });
      else life.last = life.firstPart === part ? at : Infinity;
    }
  });
  return [...lives.values()];
}

function tensorRange(tensor: Tensor, states: StatePlan, slotOf: ReadonlyMap<string, string>): BufferRange {
  const whole = { offset: 0, bytes: bytes(tensor) };
  const { ref } = tensor;
  switch (ref.kind) {
    case "input":
    case "output":
      return { in: ref.kind, id: ref.name, ...whole };
    case "value":
    case "own": {
      const id = slotOf.get(bufferKey(tensor));
      if (id === undefined) throw new InternalError("emit", `no memory for ${tensor.name}`);
      return { in: "scratch", id, ...whole };
    }
    case "state":
    case "next": {
      const place = states.places.get(ref.state);
      if (place === undefined) throw new InternalError("emit", `no memory for the state ${ref.state}`);
      return { in: ref.kind === "state" ? "state" : "next_state", ...place };
    }
    case "param":
      throw new InternalError("emit", `${ref.name} is constant`);
  }
}

/** The load program: each result is written to every place that holds it. */
export function emitLoad(
  parts: Pick<ProgramVariant, "groups"> & Pick<ProgramParts, "constants" | "shaders">,
): Program {
  const { constants, shaders } = parts;
  const placed = parts.groups.flatMap(({ kernels }) =>
    kernels.map((lowered): Placed => ({ lowered, part: "body" })),
  );
  const scratch = planScratch(livesOf(placed));
  const range = (buffer: BoundBuffer, copy: number): BufferRange => {
    if (buffer.kind === "pack") return constants.range(buffer);
    const { tensor } = buffer;
    if (tensor.ref.kind === "param") return constants.single(tensor);
    if (tensor.ref.kind !== "output") return tensorRange(tensor, NO_STATES, scratch.slotOf);
    const places = constants.placesOf(tensor);
    const place = places[Math.min(copy, places.length - 1)];
    if (place === undefined) throw new InternalError("emit", `nothing reads ${tensor.ref.name}`);
    return { in: "constant", ...place };
  };
  const body = placed.flatMap(({ lowered }) => {
    const shader = shaders.add(lowered.kernel, []);
    return Array.from({ length: copiesOf(lowered, constants) }, (_, copy): Dispatch => ({
      shader: shader.id,
      bindings: lowered.buffers.map((buffer) => range(buffer, copy)),
      workgroups: shader.dispatch,
      ...(lowered.when === undefined ? {} : { when: lowered.when }),
    }));
  });
  return { numbers: [], scratch: scratch.slots, body, tail: [] };
}

const NO_STATES: StatePlan = { bytes: 0, places: new Map() };

/** How often a kernel runs so that each place of each of its results is written. */
function copiesOf(lowered: LoweredKernel, constants: ConstantPlan): number {
  const places = lowered.buffers.map((buffer) =>
    buffer.kind === "tensor" && buffer.tensor.ref.kind === "output"
      ? constants.placesOf(buffer.tensor).length
      : 1,
  );
  return Math.max(1, ...places);
}
