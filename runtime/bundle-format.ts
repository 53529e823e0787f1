/**
 * The bundle's manifest, `model.json`: the one set of types that compiler and runtime share.
 * Meaning of every field: SPEC.md § Bundle. `schema.ts` beside this validates what is read from disk.
 */

/** What `format` of every manifest says. */
export const FORMAT = "krait-bundle";
/** The manifest version that this compiler writes and this runtime reads; `open` refuses any other (R0102). */
export const FORMAT_VERSION = 4;

/**
 * A whole number known when a program runs: a literal, a run-time name (`b`, `t`, …) or an operation on two.
 * `/` rounds down, `^/` rounds up, comparisons give 0 or 1, `?` is [ "?", condition, then, else ].
 */
export type Dim =
  | number
  | string
  | readonly ["+" | "-" | "*" | "/" | "^/" | "%" | "min" | "max" | "<" | "<=" | "==" | "&", Dim, Dim]
  | readonly ["?", Dim, Dim, Dim];

/**
 * How a parameter lies on the GPU. f32, f16 and bf16 are the checkpoint's values, widened to f32 exactly where they are read. int8 and int4
 * are codes for them: of each group of `GROUP_ELEMENTS` elements in a row a scale, and of each element a whole number of
 * scales, from -127 to 127 (-7 to 7). How they lie: SPEC.md § Quantized weights.
 */
export type Storage = "f32" | "f16" | "bf16" | "int8" | "int4";

/**
 * How the model's inputs, outputs and values between kernels lie on the GPU: f32, or rounded to 16 bits, two in a u32, the first in the
 * low half. SPEC.md § Activations.
 */
export type Activations = "f32" | "f16" | "bf16";

/** Bits of one element; of int8 and int4 without its group's scale. */
export const STORAGE_BITS = { f32: 32, f16: 16, bf16: 16, int8: 8, int4: 4 } as const;

/** Elements in a row, in the checkpoint's order, that share a scale. */
export const GROUP_ELEMENTS = 32;

/** Ranges of a quantized parameter begin at multiples of so many elements: of whole words of codes and of scales. */
export const RANGE_ELEMENTS = 64;

/** `model.json`: what a bundle holds, what its model takes and gives, and how each target computes it. Plain JSON. */
export interface Manifest {
  readonly format: typeof FORMAT;
  readonly formatVersion: number;
  /** `krait 0.1.0`: which compiler wrote it. */
  readonly compiler: string;
  readonly model: string;
  /** The source files, embedded beside the manifest; the first is the main file. */
  readonly sources: readonly FileEntry[];
  /** What the compiler was asked: enough to build the same bundle again. */
  readonly options: {
    readonly set: Readonly<Record<string, ConstantValue>>;
    readonly targets: readonly string[];
    /** Storage of every parameter unless `storage` of the parameter says otherwise. */
    readonly weights: Storage;
    readonly storage?: Readonly<Record<string, Storage>>;
    /** In what inputs, outputs and values between kernels lie. Absent: f32. */
    readonly activations?: Activations;
    /** Whether targets have the program `packed`. */
    readonly packed?: boolean;
    /** Schedules that were measured, as far as the model has use for them: for each adapter, targets of its own. */
    readonly tuning?: readonly AdapterTuning[];
  };
  /** The main file's constants as they came out. */
  readonly constants: Readonly<Record<string, ConstantValue>>;
  readonly inputs: readonly InputEntry[];
  readonly outputs: readonly OutputEntry[];
  readonly states: readonly StateEntry[];
  readonly params: readonly ParamEntry[];
  /** Best first; the runtime takes the first whose requirements the adapter meets. */
  readonly targets: readonly TargetEntry[];
}

/** A constant of the language: what `--set` gives, and what a manifest records. */
export type ConstantValue = number | boolean | string | readonly ConstantValue[];

/** What was measured on an adapter, by WebGPU's names of it (`adapter.info`). */
export interface AdapterTuning extends AdapterKind {
  readonly entries: readonly TuningEntry[];
}

/** Which GPU: `nvidia`, `hopper`; of one whose architecture WebGPU has no name for, the name of the device. */
export interface AdapterKind {
  readonly vendor: string;
  readonly architecture: string;
}

/** The fastest schedule of a kernel at some sizes. */
export interface TuningEntry {
  /** The target profile that it was measured for. */
  readonly target: string;
  /** The identity of the kernel: a hash of what it computes. */
  readonly kernel: string;
  /** Sizes of the kernel's extents that are known only when it runs. */
  readonly shape: Readonly<Record<string, number>>;
  readonly schedule: Readonly<Record<string, number | string>>;
}

/** A file of the bundle. `sha256`: of its UTF-8, 64 hexadecimal digits; `open` compares it (R0104). */
export interface FileEntry {
  /** Relative to the bundle, with `/`, never leaving it. */
  readonly file: string;
  readonly sha256: string;
}

/** An axis as callers see it: a name for messages, and a size. Run-time names: batch `b`, time `t` as the source calls them. */
export interface AxisEntry {
  readonly name: string;
  readonly size: Dim;
}

/** An input as callers give it: row-major in the order of `axes`, numbers or whole numbers below `bound`. */
export interface InputEntry {
  readonly name: string;
  /** Numbers lie on the GPU as f32, or in 16 bits. */
  readonly scalar: Activations | "index";
  /** For `index`: values are 0 ≤ i < bound. */
  readonly bound?: number;
  /** Row-major, as callers pass it. */
  readonly axes: readonly AxisEntry[];
  /** Which of `axes` is time, if any; an input without it is fixed for the session. */
  readonly time?: string;
  readonly doc?: string;
}

/**
 * An output as callers get it: numbers (f32), row-major in the order of `axes`; `time` has as many positions as were asked for.
 */
export interface OutputEntry {
  readonly name: string;
  /** As an input's; `index`: whole numbers 0 ≤ i < bound, u32 on the GPU. Absent: f32. */
  readonly scalar?: Activations | "index";
  readonly bound?: number;
  readonly axes: readonly AxisEntry[];
  readonly time?: string;
  readonly doc?: string;
}

/** The last axis, of size 2, of what is made of two numbers; no names that a source could give. */
export const PARTS_AXIS = { complex: "re, im", angle: "turns, rest" } as const;

/**
 * What a session carries for one state: f32, [batch, declared axes…]. A `delay` is what `prev(e)` needs, a `history`
 * what a convolution does.
 */
export interface StateEntry {
  /** Call path: `layers.0.mixer.h`. */
  readonly name: string;
  readonly kind: "state" | "delay" | "history";
  /**
   * Batch first. Complex states end in an axis of size 2 (re, im). So do angles (turns, rest): callers have them in
   * radians, without it.
   */
  readonly axes: readonly AxisEntry[];
  /** Of an angle in radians. */
  readonly init: number;
}

/** A parameter: where its values come from in a checkpoint, in which shape, and how they lie on the GPU. */
export interface ParamEntry {
  readonly name: string;
  /** Checkpoint names, tried in order. */
  readonly sources: readonly string[];
  /** As the checkpoint stores it, literal sizes included; complex ends in 2. */
  readonly shape: readonly number[];
  readonly storage: Storage;
}

/** One multiplication of subgroup matrices: rows × depth by depth × cols, by `subgroup` invocations. */
export interface MatrixUnit {
  readonly operands: string;
  readonly sums: string;
  readonly rows: number;
  readonly cols: number;
  readonly depth: number;
  readonly subgroup: number;
}

/** One target profile's way to run the model: what a device must offer, shaders, memory and programs. */
export interface TargetEntry {
  readonly name: string;
  readonly requires: {
    /** WebGPU feature names. */
    readonly features: readonly string[];
    /** WebGPU limit names → least value needed. */
    readonly limits: Readonly<Record<string, number>>;
    /** Products that a subgroup must be able to make at once, on matrix units. */
    readonly matrices?: readonly MatrixUnit[];
    /** The one kind of adapter that this target was tuned for. */
    readonly adapter?: AdapterKind;
  };
  readonly shaders: readonly ShaderEntry[];
  /** Where constant data lives: one GPU buffer each; parameters and load-time results are placed in them. */
  readonly constants: readonly ConstantBufferEntry[];
  /** Bytes of the state arena of one session, and where each state of the manifest lies in it. */
  readonly states: {
    readonly bytes: Dim;
    readonly places: readonly { readonly state: string; readonly offset: Dim }[];
  };
  /** Runs once, after the parameters are uploaded. */
  readonly load: Program;
  readonly prefill: Program;
  /** Absent for a model that looks ahead in time. */
  readonly step?: Program;
  /** `prefill` of documents of any lengths, one after the other in time. Only where the bundle was built with it. */
  readonly packed?: Program;
}

/** What the runtime calls the numbers that it supplies beside the batch and the steps. */
export const RUN_NUMBERS = {
  pos: "pos",
  tailBegin: "tail_begin",
  tailCount: "tail_count",
  longest: "longest",
  documents: "documents",
} as const;

/**
 * What a packed program reads beside the model's inputs: u32, supplied by the runtime for every piece. No input of a
 * source has such a name.
 */
export const PACKED_INPUTS = {
  /** Of each step of the piece what `StepField` says: shape steps × 5. */
  steps: "packed.steps",
  /** Of each document what `SpanField` says: shape batch × 3. */
  spans: "packed.spans",
  /** Where the program cuts documents into chunks: of each chunk what `ChunkField` says, shape (steps / chunk + documents) × 5. */
  chunks: "packed.chunks",
  /** Of each document what `SpanField` says of its chunks in the place of steps: shape batch × 3. */
  chunkSpans: "packed.chunk_spans",
  /** The steps of the piece whose outputs the tail computes: tail_count of them. */
  wanted: "packed.wanted",
} as const;

/**
 * Of a step: its document, that one's first and last step in the piece, the step's position in it (over all calls), and the
 * chunk that it lies in (0 where there are none).
 */
export const StepField = { document: 0, begin: 1, last: 2, pos: 3, chunk: 4 } as const;

/**
 * Of a chunk: its document, that one's first and last chunk in the piece, where a step has them; its first step, and the one
 * behind its last. Those beyond the last chunk hold no steps: all fields are 0.
 */
export const ChunkField = { document: 0, begin: 1, last: 2, first: 3, end: 4 } as const;

/** Of a document: its first step in the piece, the one behind its last, and its last (its first, if it has none). */
export const SpanField = { begin: 0, end: 1, last: 2 } as const;

/** One WGSL file, entry point `main`. `workgroup`: its size; `workgroupBytes`: workgroup memory in bytes. */
export interface ShaderEntry extends FileEntry {
  readonly id: string;
  /** What the source calls what it computes: `mixer.h`. */
  readonly label: string;
  /** @group(0): binding 0 is the uniform block of the program's numbers, then these in order. */
  readonly bindings: readonly { readonly name: string; readonly access: "read" | "read_write" }[];
  readonly workgroup: readonly [number, number, number];
  readonly workgroupBytes: number;
}

/** One GPU buffer of `bytes` bytes that is written once: by the parameters placed in it, or by the load program. */
export interface ConstantBufferEntry {
  readonly id: string;
  readonly bytes: number;
  /** Parameters copied in, as stored (after widening where the file's type is narrower than `storage`). */
  readonly params: readonly ConstantPlace[];
}

/** A parameter, or with `begin` and `count` a range of its elements (in the checkpoint's order), at an offset in bytes. */
export interface ConstantPlace {
  readonly param: string;
  readonly offset: number;
  /** Of a quantized parameter, whose codes are at `offset`: where the scales of its groups are. */
  readonly scales?: number;
  readonly begin?: number;
  readonly count?: number;
}

/**
 * A run of dispatches. `numbers` lists the run-time names in the order of the uniform block (u32 each, after padding
 * to 16 bytes). A program has a body, run for every piece of the sequence, and a tail that computes the outputs for
 * positions `tail_begin ≤ t < tail_begin + tail_count` of that piece, run as often as outputs are wanted.
 */
export interface Program {
  readonly numbers: readonly NumberEntry[];
  /** Scratch slots, shared by buffers whose lives don't overlap. */
  readonly scratch: readonly { readonly id: string; readonly bytes: Dim }[];
  readonly body: readonly Dispatch[];
  readonly tail: readonly Dispatch[];
  /** `packed`: steps a chunk, where it cuts documents into chunks, each from its first step on. */
  readonly chunk?: number;
  /** Whether what it computes depends on `pos`. */
  readonly positional?: boolean;
}

/** A run-time number: u32, in the uniform block of a program at its place in `numbers`. */
export interface NumberEntry {
  readonly name: string;
  /** Absent: supplied by the runtime (`b`, `t`, `pos`, `tail_begin`, `tail_count`, `longest`, `documents`); else computed from earlier ones. */
  readonly value?: Dim;
}

/** One launch: a shader, a range of a buffer for each of its bindings, and how many workgroups run along x, y and z. */
export interface Dispatch {
  readonly shader: string;
  readonly bindings: readonly BufferRange[];
  readonly workgroups: readonly [Dim, Dim, Dim];
  /** Left out when this is 0. Absent: always run. */
  readonly when?: Dim;
}

/**
 * Bytes of one buffer. `state` is the arena read by this run and `next_state` the one it writes; they swap after each run.
 */
export type BufferRange = {
  readonly offset: Dim;
  readonly bytes: Dim;
} & (
  | { readonly in: "constant"; readonly id: string }
  | { readonly in: "scratch"; readonly id: string }
  | { readonly in: "input"; readonly id: string }
  | { readonly in: "output"; readonly id: string }
  | { readonly in: "state" }
  | { readonly in: "next_state" }
);

/** A bundle in memory: the manifest, and the text of every file that it names. */
export interface Bundle {
  readonly manifest: Manifest;
  readonly files: ReadonlyMap<string, string>;
}
