/** One target of a bundle: the model's programs fused, scheduled, lowered and placed for what a device offers. */
import { InternalError } from "../diagnostics/internal-error.js";
import type { Span } from "../diagnostics/types.js";
import { prefillVariants } from "../4-passes/decay/index.js";
import { absorb } from "../4-passes/absorb.js";
import { fuse, type Fusion, type FusionOptions } from "../4-passes/fuse.js";
import { exceeds, relieve, type ReliefOptions } from "../4-passes/relieve.js";
import type { Programs } from "../4-passes/index.js";
import { mergeReductions } from "../4-passes/merge-reductions.js";
import { share } from "../4-passes/share.js";
import { schedulesFor, type ScheduleOptions, type Target } from "../4-passes/schedule.js";
import type { AxisId, Graph, NodeId, Param, Pieces } from "../3-graph/types.js";
import { inHalves } from "../5-kernel/halves.js";
import { inStorage } from "../5-kernel/storage.js";
import { bufferCount, Tensors } from "../5-kernel/lower/buffers.js";
import { lower, type LoweredGroup, type SourceLine } from "../5-kernel/lower/index.js";
import { TunedKernels } from "../5-kernel/schedules/tuned.js";
import type { Kernel } from "../5-kernel/types.js";
import { SUBGROUP, UNIT } from "../../templates/subgroup-matrix.js";
import type {
  Activations,
  AdapterKind,
  AdapterTuning,
  Dim,
  Storage,
  TargetEntry,
  TuningEntry,
} from "../../runtime/bundle-format.js";
import { ConstantPlan, type PieceNames } from "./constants.js";
import { emitLoad, emitProgram } from "./program.js";
import { ShaderTable } from "./shaders.js";
import { planStates } from "./states.js";

export interface EmitOptions {
  readonly storage: (param: string) => Storage;
  readonly activations: Activations;
  readonly sourceAt: (span: Span) => SourceLine | undefined;
  readonly schedule?: ScheduleOptions;
}

export interface EmittedTarget {
  readonly entry: TargetEntry;
  readonly files: ReadonlyMap<string, string>;
  /** By shader id. */
  readonly kernels: ReadonlyMap<string, Kernel>;
  readonly programs: readonly EmittedProgram[];
  /** Of a tuned target: what was taken from its tuning. */
  readonly tuned?: ReadonlySet<TuningEntry>;
}

export interface EmittedProgram {
  readonly name: "load" | "prefill" | "step" | "packed";
  /** Of several of one name, the first whose condition holds at the sizes of a run is the one; the last has none. */
  readonly when?: Dim;
  /** Where this is 0 it needs no memory. */
  readonly ever?: Dim;
  readonly graph: Graph;
  readonly fusion: Fusion;
  readonly groups: readonly LoweredGroup[];
}

/** Products with a parameter, and reductions, up to this deep are computed by their reader when there is one step: they cost a launch more than they cost to compute again. */
const INLINE_IN_STEP = 256;

/** Of several ways to fuse, the first that keeps to the target's bindings; else the last. */
type Attempts = readonly [FusionOptions, ...FusionOptions[]];

function firstThat<T>(made: readonly (() => T)[], isGood: (value: T) => boolean): T {
  for (const make of made.slice(0, -1)) {
    const value = make();
    if (isGood(value)) return value;
  }
  const [last] = made.slice(-1);
  if (last === undefined) throw new InternalError("emit", "nothing to try");
  return last();
}

export function emitTarget(programs: Programs, target: Target, options: EmitOptions): EmittedTarget {
  return emitted(programs, target, lowered(programs, target, options));
}

/**
 * The target once more with what was measured on an adapter; undefined if that has none of its kernels.
 * @param beside files of the profile's other targets, which are shared
 */
export function tunedTarget(
  programs: Programs,
  target: Target,
  { programs: untuned, kernels }: EmittedTarget,
  { tuning, beside }: { readonly tuning: AdapterTuning; readonly beside: ReadonlyMap<string, string> },
): EmittedTarget | undefined {
  const known = new TunedKernels(tuning, target);
  if (![...kernels.values()].some((kernel) => known.has(kernel))) return undefined;
  const tuned = untuned.map((program) =>
    // What runs once is not worth it.
    program.name === "load" ? program : { ...program, groups: program.groups.map(known.ofGroup) },
  );
  if (known.used.size === 0) return undefined;
  return { ...emitted(programs, target, tuned, { tuning, beside }), tuned: known.used };
}

/** All programs, in the order in which bundles have them. */
function lowered(programs: Programs, target: Target, options: EmitOptions): readonly EmittedProgram[] {
  const schedules = schedulesFor(target, options.schedule);
  // What is computed once is computed as well as can be.
  const atLoad = schedulesFor({ ...target, matrixUnits: false }, options.schedule);
  const prepare = (name: EmittedProgram["name"], graph: Graph, fusing: Attempts): EmittedProgram => {
    const { storage, activations } = options;
    const tensors = new Tensors(graph, { storage, activations, bindingBytes: schedules.bindingBytes });
    const relief: ReliefOptions = {
      maxBindings: schedules.maxBindings,
      packs: (param) => storage(param) === "f32",
      banks: (param) => bufferCount(tensors.param(param)),
    };
    // What a scan computes anew brings its operands' buffers along; where they are too many, it goes alone.
    const fused = fusing.map((each) => () => relieve(graph, share(graph, fuse(graph, each)), relief));
    const relieved = firstThat(fused, (fusion) => !exceeds(graph, fusion, relief));
    const fusion = mergeReductions(graph, name === "step" ? absorb(graph, relieved, schedules) : relieved);
    const kernels = lower(graph, fusion, {
      schedules: name === "load" ? atLoad : schedules,
      storage,
      activations,
      sourceAt: options.sourceAt,
      loads: name === "load",
    });
    const isRounded = activationsOf(graph);
    const stored =
      name === "load"
        ? kernels
        : inStorage(kernels, {
            activations,
            // What a step hands on is little, and stays as exact as it is.
            isRounded: (node) => name !== "step" && isRounded(node),
            copies: schedules.map(),
          });
    // A step of few sequences multiplies by plain lanes, which round nothing.
    const groups = target.matrixUnits === true && name !== "step" ? inHalves(stored) : stored;
    return { name, graph, fusion, groups };
  };
  const alone = { inlineDots: 0, inlineReductions: 0 };
  const dots = { ...alone, inlineDots: INLINE_IN_STEP };
  const inTime: Attempts = [alone];
  const oneStep: Attempts = [{ ...dots, inlineReductions: INLINE_IN_STEP }, dots, alone];
  const variantsOf = (name: EmittedProgram["name"], program: Graph): readonly EmittedProgram[] =>
    prefillVariants(program, options.schedule, { halves: target.matrixUnits === true }).map(
      ({ graph, ...when }) => ({
        ...prepare(name, graph, inTime),
        ...when,
      }),
    );
  const { prefill, step, packed, load } = programs;
  return [
    ...variantsOf("prefill", prefill),
    ...(step ? [prepare("step", step, oneStep)] : []),
    ...(packed ? variantsOf("packed", packed) : []),
    ...(load ? [prepare("load", load, inTime)] : []),
  ];
}

/** Places for what the programs need, their shaders, and the manifest's entry. */
function emitted(
  programs: Programs,
  target: Target,
  all: readonly EmittedProgram[],
  tuned?: { readonly tuning: AdapterTuning; readonly beside: ReadonlyMap<string, string> },
): EmittedTarget {
  const of = (which: EmittedProgram["name"]): readonly EmittedProgram[] =>
    all.filter(({ name }) => name === which);
  const [load] = of("load");
  const derived = new Set(programs.load?.outputs.map((output) => output.name));
  const params = [...programs.model.params, ...(programs.load?.params ?? [])];
  const pieces = params.flatMap(({ name, pieces: of, scalar }) =>
    of === undefined ? [] : [[name, pieceNames(of, scalar)] as const],
  );
  const constants = new ConstantPlan(derived, new Map(pieces));
  const shaders = new ShaderTable(`kernels/${target.name}`, tuned?.beside);
  const states = planStates(programs.model);
  const emit = (variants: readonly EmittedProgram[]): TargetEntry["prefill"] =>
    emitProgram({ variants, constants, states, shaders });
  const prefillEntry = emit(of("prefill"));
  const stepEntry = programs.step && emit(of("step"));
  const packedEntry = programs.packed && emit(of("packed"));
  const loadEntry = load
    ? emitLoad({ groups: load.groups, constants, shaders })
    : { numbers: [], scratch: [], body: [], tail: [] };
  const entry: TargetEntry = {
    name: tuned ? tunedName(target.name, tuned.tuning) : target.name,
    requires: {
      ...requirements(target, constants, shaders),
      ...(tuned && { adapter: adapterOf(tuned.tuning) }),
    },
    shaders: shaders.entries(),
    constants: constants.entries(),
    states: {
      bytes: states.bytes,
      places: programs.model.states.map(({ name }) => ({
        state: name,
        offset: states.places.get(name)?.offset ?? 0,
      })),
    },
    load: loadEntry,
    prefill: prefillEntry,
    ...(stepEntry && { step: stepEntry }),
    ...(packedEntry && { packed: packedEntry }),
  };
  return { entry, files: shaders.files, kernels: shaders.kernels, programs: all };
}

/**
 * Values that may be rounded: not those of states, nor what a chunked form keeps of them between its kernels (sums over
 * chunks, cumulated decays).
 */
function activationsOf({ axes, nodes, states }: Graph): (node: NodeId) => boolean {
  const ofStates = new Set(states.map(({ equation }) => equation.value));
  const isCut = (axis: AxisId): boolean => axes.get(axis)?.cut !== undefined;
  return (id) => !ofStates.has(id) && nodes[id]?.type.axes.some(isCut) === false;
}

const adapterOf = ({ vendor, architecture }: AdapterTuning): AdapterKind => ({ vendor, architecture });

/** `matrix@nvidia-hopper`. */
const tunedName = (target: string, { vendor, architecture }: AdapterTuning): string =>
  `${target}@${vendor}-${architecture}`;

const pieceNames = ({ tensors, shape }: Pieces, scalar: Param["scalar"]): PieceNames => ({
  names: tensors.map(({ name }) => name),
  elements: shape.reduce((p, q) => p * q, scalar === "c64" ? 2 : 1),
});

/** What shaders multiply at once (templates/subgroup-matrix.ts). */
const MATRIX_UNIT = {
  operands: "f16",
  sums: "f32",
  rows: UNIT,
  cols: UNIT,
  depth: UNIT,
  subgroup: SUBGROUP,
} as const;

const DEFAULT_BINDING_BYTES = 128 * 2 ** 20;
const DEFAULT_BUFFER_BYTES = 256 * 2 ** 20;

/** The target's own limits; and more than WebGPU's default where large constants or a kernel with very many inputs make it necessary. */
function requirements(
  target: Target,
  constants: ConstantPlan,
  shaders: ShaderTable,
): TargetEntry["requires"] {
  const largest = Math.max(0, ...constants.entries().map(({ bytes }) => bytes));
  const { maxStorageBufferBindingSize: _, ...limits } = target.limits;
  const bindings = Math.max(0, ...shaders.entries().map((shader) => shader.bindings.length));
  return {
    features: target.features,
    ...(target.matrixUnits === true && { matrices: [MATRIX_UNIT] }),
    limits: {
      ...limits,
      maxStorageBuffersPerShaderStage: Math.max(bindings, target.limits.maxStorageBuffersPerShaderStage),
      ...(largest > DEFAULT_BINDING_BYTES && { maxStorageBufferBindingSize: largest }),
      ...(largest > DEFAULT_BUFFER_BYTES && { maxBufferSize: largest }),
    },
  };
}
