/**
 * Kernels: what one dispatch does. A skeleton from templates/kernels with its schedule, a pure scalar Expr DAG for
 * each of its holes, its bindings, and its dispatch size over run-time numbers. SPEC.md § Kernel IR.
 */
import type { Dim, Storage } from "../../runtime/bundle-format.js";
import type { MatrixShape } from "../../templates/kernels/contract-matrix.js";
import type { TiledShape } from "../../templates/kernels/contract-tiled.js";
import type { Span } from "../diagnostics/types.js";
import type { ReduceFn } from "../3-graph/types.js";

export type ExprType = "f32" | "u32" | "i32" | "bool";

/** Operations on scalars, all typed and pure. Comparison and logic give bool. Names follow WGSL where it has them. */
export type ExprOp =
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "mod"
  | "min"
  | "max"
  | "neg"
  | "abs"
  | "sign"
  | "floor"
  | "ceil"
  | "round"
  | "sqrt"
  | "rsqrt"
  | "recip"
  | "pow"
  | "exp"
  | "exp2"
  | "expm1"
  | "log"
  | "log1p"
  | "log1p_unit" // of what lies between 0 and 1
  | "sin"
  | "cos"
  | "tanh"
  | "erf"
  | "phi"
  | "turns" // radians as a fraction of a turn in whole 2⁻²³,
  | "turns_rest" // and what is left of it in whole 2⁻⁴⁶
  | "polar_re" // of a size and an angle in half turns
  | "polar_im"
  | "fma"
  | "eq"
  | "ne"
  | "lt"
  | "le"
  | "gt"
  | "ge"
  | "and"
  | "or"
  | "not"
  | "select" // select(condition, ifTrue, ifFalse)
  | "f32"
  | "u32"
  | "i32"; // conversions

/**
 * A scalar value. Hash-consed by ExprBuilder (expr.ts): equal expressions are the same object, so that the printer
 * binds a shared one once. Complex values are pairs of Exprs and never reach a kernel as such.
 */
export type Expr =
  | { readonly kind: "literal"; readonly type: ExprType; readonly value: number }
  /** A name that the skeleton binds: a coordinate, an accumulator, a state's previous value. */
  | { readonly kind: "var"; readonly type: ExprType; readonly name: string }
  /** A run-time number of the program's uniform block. Always u32. */
  | { readonly kind: "number"; readonly type: "u32"; readonly name: string }
  | { readonly kind: "load"; readonly type: ExprType; readonly binding: string; readonly index: Expr }
  | { readonly kind: "op"; readonly type: ExprType; readonly op: ExprOp; readonly args: readonly Expr[] }
  /** A sequential reduction: body over 0 ≤ index < extent. `index` is a u32 var, unique in the kernel. */
  | {
      readonly kind: "loop";
      readonly type: ExprType;
      readonly fn: ReduceFn;
      readonly index: string;
      readonly extent: Expr;
      readonly body: Expr;
    };

export interface Binding {
  /** WGSL name, unique in the kernel, from the source's name of the tensor: `x`, `in_proj_weight`. */
  readonly name: string;
  readonly access: "read" | "read_write";
  /** How elements lie in memory; f16 and bf16 are packed two to a u32, int8 four, int4 eight. index is u32. */
  readonly element: Storage | "u32";
  /** Of f16 and bf16 that the kernel writes: it writes whole words (storage.ts). Without it, f16 is written by elements. */
  readonly words?: true;
  /** Of int8 and int4: the word of 4 bytes from which on the groups' scales follow the codes. */
  readonly scales?: number;
}

/** One element written: `binding[index] = value`, unless `when` is false. */
export interface Store {
  readonly binding: string;
  readonly index: Expr;
  readonly value: Expr;
  readonly when?: Expr;
}

/** A run-time or constant loop bound and the u32 var that runs over it. */
export interface Extent {
  readonly var: string;
  readonly extent: Dim;
}

interface KernelBase {
  /** WGSL-safe, from the source: `mixer_in_proj`. Two kernels with equal content share one shader. */
  readonly name: string;
  readonly bindings: readonly Binding[];
  /** Source lines this kernel computes, printed as comments: text and span. */
  readonly notes: readonly { readonly text: string; readonly span: Span }[];
}

/** One invocation an element of a domain: evaluates and stores. Elementwise chains, gathers, convolutions, and (through `loop`) anything. */
export interface MapKernel extends KernelBase {
  readonly skeleton: "map";
  /** Row-major, last fastest. */
  readonly domain: readonly Extent[];
  readonly stores: readonly Store[];
  readonly schedule: { readonly workgroup: number };
}

/** One workgroup a domain element reduces over one axis (several reductions at once), then stores. */
export interface ReduceKernel extends KernelBase {
  readonly skeleton: "reduce";
  readonly domain: readonly Extent[];
  readonly over: Extent;
  /** Each binds var `name` for `stores`. `body` may use the vars of domain and over. */
  readonly reductions: readonly { readonly name: string; readonly fn: ReduceFn; readonly body: Expr }[];
  readonly stores: readonly Store[];
  readonly schedule: { readonly workgroup: number };
}

/**
 * out[batch, row, col] = Σ_k a(batch, row, k) · b(batch, col, k), then stores with the accumulator var `acc`.
 * Row, col and batch are flattened; the flat vars `row`, `col`, `batch`, `k` (u32) are what the holes may use.
 * `tiled`: workgroup-memory tiles, registers a thread. `matrix`: the same on matrix units, a and b rounded to f16, sums in f32. `rows`: a few rows, one subgroup-sized group of lanes a column or a few of them, lanes along k.
 */
export interface ContractKernel extends KernelBase {
  readonly skeleton: "contract";
  readonly batch: Dim;
  readonly rows: Dim;
  readonly cols: Dim;
  readonly depth: Dim;
  readonly a: Expr;
  readonly b: Expr;
  /** Reductions over k of values of the same row, summed alongside (a norm's Σx²); vars for `stores`. Only with `rows`. */
  readonly along: readonly { readonly name: string; readonly body: Expr }[];
  /** Stores at each batch, row and k: what a is made of and other kernels read too. Only with `rows`. */
  readonly storesAlong?: readonly Store[];
  readonly stores: readonly Store[];
  readonly schedule: TiledSchedule | MatrixSchedule | RowsSchedule;
}
export interface TiledSchedule extends TiledShape {
  readonly kind: "tiled";
}
/** All sizes are multiples of 16. */
export interface MatrixSchedule extends MatrixShape {
  readonly kind: "matrix";
}
export interface RowsSchedule {
  readonly kind: "rows";
  /** Invocations that share one column's sum. */
  readonly lanes: number;
  /** Columns a workgroup. */
  readonly cols: number;
  /** Columns that a lane sums, for which a is computed once; 1 unless given. */
  readonly each?: number;
  /** Rows a workgroup, for which b is read once; 1 unless given, and where a lane has several columns. */
  readonly rows?: number;
}

/**
 * A recurrence, diagonal or with sums over `inner` of its own past, with everything around it. Channels are all axes of the state that are not contracted
 * (flattened: var `channel`, 0 ≤ channel < channels, includes batch and chunk through `lead`); `inner` is the axis
 * that the outputs contract (var `n`; extent 1 if there is none).
 *
 * Vars by hole:
 *   lead (u32): flattened batch × chunk … index;  channel (u32): within one lead;  n (u32): inner;  t (u32): absolute step.
 *   invariants:      lead, channel, n               → bound as vars of their name, in registers for the whole scan
 *   staged "channel": lead, channel, t              → a tile of workgroup memory [step, channel]
 *   staged "inner":  lead, n, t                     → a tile of workgroup memory [step, n]; shared by all channels of a lead
 *   contractions:    all of the above and `prev_S` for every state S; summed over n, bound as vars in step values and reductions
 *   step values:     the same, the contractions' vars and earlier step values; evaluated for every (channel, n, t)
 *   reductions:      as step values; summed over n, bound as vars in `stores`
 *   stores:          lead, channel, t, the reductions' vars; staged values may be read, state values not
 */
export interface ScanKernel extends KernelBase {
  readonly skeleton: "scan";
  readonly leads: Dim;
  readonly channels: number;
  readonly inner: number;
  /** Steps begin(lead) ≤ t < end(lead), u32 Exprs of var lead. */
  readonly begin: Expr;
  readonly end: Expr;
  readonly invariants: readonly {
    readonly name: string;
    readonly per: "channel" | "element";
    readonly value: Expr;
  }[];
  readonly staged: readonly {
    readonly name: string;
    readonly per: "channel" | "inner";
    readonly value: Expr;
  }[];
  readonly states: readonly {
    readonly name: string;
    /** False: the state has no inner axis, and every lane of a channel holds it. */
    readonly inner: boolean;
    readonly initial: Expr;
    /** Name of the step value that is the state's new value. */
    readonly next: string;
    /** Where the last value goes, with var `last` for it. Absent if it is not kept. */
    readonly final?: Store;
  }[];
  /** What a step reads of the whole of a channel's states. Absent: nothing. */
  readonly contractions?: readonly { readonly name: string; readonly value: Expr }[];
  readonly steps: readonly { readonly name: string; readonly inner: boolean; readonly value: Expr }[];
  readonly reductions: readonly { readonly name: string; readonly fn: ReduceFn; readonly value: Expr }[];
  readonly stores: readonly Store[];
  readonly schedule: {
    /** Channels a workgroup, lanes a channel (they share `inner`), steps a tile. */
    readonly channels: number;
    readonly lanes: number;
    readonly steps: number;
  };
}

/**
 * Any recurrence at all, right for every shape: one workgroup a lead (batch × mapped axes), states and per-step values in
 * memory, a barrier between statements. Slow, on purpose: the answer for classes without a fast kernel.
 */
export interface SequentialKernel extends KernelBase {
  readonly skeleton: "sequential";
  /** Var `lead`. */
  readonly leads: Dim;
  /** Var `t`. */
  readonly steps: Dim;
  /** Where only some of the steps are the lead's: begin ≤ t < end, u32 Exprs of var lead. */
  readonly range?: { readonly begin: Expr; readonly end: Expr };
  /** Run once before the first step: initial states. */
  readonly before: readonly SequentialStatement[];
  /** Run each step, in order; a barrier after each. */
  readonly each: readonly SequentialStatement[];
  readonly schedule: { readonly workgroup: number };
}
export interface SequentialStatement {
  readonly domain: readonly Extent[];
  readonly stores: readonly Store[];
}

export type Kernel = MapKernel | ReduceKernel | ContractKernel | ScanKernel | SequentialKernel;
