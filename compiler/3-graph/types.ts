/**
 * The graph: tensors with named axes, one node an operation, in A-normal form.
 *
 * Nodes stand in an order in which every operand precedes its user. The one way around is `prev`, which names a
 * state and not a node: a recurrence is a cycle through the state table (docs/decisions/0002). All data is readonly;
 * analyses return side tables keyed by NodeId.
 */
import type { Span } from "../diagnostics/types.js";

declare const brand: unique symbol;
export type NodeId = number & { readonly [brand]: "node" };
export type StateId = number & { readonly [brand]: "state" };
export type ParamId = number & { readonly [brand]: "param" };
/** Unique within a graph. The source's name where it is free, else the name with a suffix: `m`, `t'`, `in_proj`. */
export type AxisId = string & { readonly [brand]: "axis" };

/** A size: known when compiled, or the name of a run-time axis (`b`, `t`), known when a program runs. */
export type Size = number | { readonly runtime: string };

/** A prime axis. Products are expanded into their primes before they reach the graph. */
export interface Axis {
  readonly id: AxisId;
  readonly size: Size;
  /** `time` axes order the steps of a recurrence; `batch` axes separate sequences. */
  readonly role: "time" | "batch" | "plain";
  /**
   * One of the two axes of role time that another, `of`, is cut into (4-passes/chunks.ts): its chunks, of run-time number,
   * the last of which may end early, or the steps within one, of fixed number. Their coordinates count from 0.
   */
  readonly cut?:
    | { readonly of: AxisId; readonly part: "chunks"; readonly steps: AxisId }
    | { readonly of: AxisId; readonly part: "steps" };
  /** Parts of a sum axis or of a stacked parameter, in order; their sizes add up to `size`. */
  readonly parts?: readonly {
    readonly axes: readonly AxisId[];
    readonly start: number;
    readonly size: number;
  }[];
  readonly spans: readonly Span[];
}

/**
 * `f32` computes in 32 bits; `c64` is a complex of two f32; `index` is a whole number; `bool` a truth. `angle` is an angle of
 * which whole turns are of no account, exact to 2⁻⁴⁶ turns however many are added up (4-passes/angles.ts).
 */
export type ScalarType = "f32" | "c64" | "index" | "bool" | "angle";

/** `axes` is a set in canonical order: run-time axes first (batch, then time), the others as declared. */
export interface TensorType {
  readonly scalar: ScalarType;
  readonly axes: readonly AxisId[];
}

/** Elementwise functions. Each promises accuracy near 1e-6 relative over the range where its result is finite in f32. */
export type MapFn =
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "mod"
  | "pow"
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
  | "exp"
  | "exp2"
  | "expm1"
  | "log"
  | "log1p"
  | "sin"
  | "cos"
  | "tanh"
  | "erf"
  | "phi"
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
  | "complex"
  | "re"
  | "im"
  | "conj"
  | "polar" // 2^re z at the angle π·im z
  | "float" // index or bool to f32
  | "angle" // radians to an angle
  | "turn" // the sum of two angles
  | "radians"; // an angle as f32, between −π and π

export type ReduceFn = "sum" | "max" | "min";

/**
 * What one node computes. Operands are values at the same step unless an axis of role time says otherwise. In a packed
 * program, `steps` says for each step which document it belongs to, and where that lies (`Documents`).
 */
export type Operation =
  | { readonly kind: "scalar"; readonly value: number }
  | { readonly kind: "input"; readonly name: string }
  | { readonly kind: "param"; readonly param: ParamId }
  /** pos(axis): the coordinate; along time, counted from the start of the document (carried over calls). */
  | { readonly kind: "coordinate"; readonly axis: AxisId }
  | { readonly kind: "map"; readonly fn: MapFn; readonly args: readonly NodeId[] }
  | {
      readonly kind: "reduce";
      readonly fn: ReduceFn;
      readonly arg: NodeId;
      readonly over: readonly AxisId[];
      readonly where?: NodeId;
    }
  /** Σ over `over` of lhs · rhs. */
  | { readonly kind: "dot"; readonly lhs: NodeId; readonly rhs: NodeId; readonly over: readonly AxisId[] }
  /** table with `axis` replaced by the value of `index`, of scalar type index. Out-of-range reads are clamped. */
  | { readonly kind: "gather"; readonly table: NodeId; readonly axis: AxisId; readonly index: NodeId }
  /** y[t] = Σ_k w[k] · x[t − (K − 1) + k], zero (or the carried history) before the document's start. */
  | {
      readonly kind: "conv";
      readonly x: NodeId;
      readonly w: NodeId;
      readonly along: AxisId;
      readonly over: AxisId;
      readonly history: StateId;
      readonly steps?: NodeId;
    }
  | {
      readonly kind: "rename";
      readonly arg: NodeId;
      readonly axes: readonly { readonly from: AxisId; readonly to: AxisId }[];
    }
  /** Coordinates start ≤ i < start + size of `axis`, which becomes the row-major product of the axes `to` (none: one coordinate is picked). */
  | {
      readonly kind: "slice";
      readonly arg: NodeId;
      readonly axis: AxisId;
      readonly start: number;
      readonly to: readonly AxisId[];
    }
  /** Joins along a sum axis; `parts[i]` carries the axes of part i of `axis`. */
  | { readonly kind: "concat"; readonly parts: readonly NodeId[]; readonly axis: AxisId }
  | { readonly kind: "flip"; readonly arg: NodeId; readonly axis: AxisId; readonly steps?: NodeId }
  /** A window of run-time axis `from`: coordinate i of `to` reads coordinate i + offset, `offset` a run-time number. Inserted by the window pass. */
  | {
      readonly kind: "window";
      readonly arg: NodeId;
      readonly from: AxisId;
      readonly to: AxisId;
      readonly offset: string;
    }
  /**
   * A time axis cut in two: coordinates (i, j) of `chunks` and `steps` read coordinate i·size(steps) + j of `of`. Past the
   * end there is `past`, or, without it, the last coordinate again. A value without the axis is `past` there all the same.
   * In a packed program each document has chunks of its own, as `chunkTable` says: index[chunks, field] with the fields of
   * `ChunkField` (runtime/bundle-format.ts).
   */
  | {
      readonly kind: "chunk";
      readonly arg: NodeId;
      readonly of: AxisId;
      readonly chunks: AxisId;
      readonly steps: AxisId;
      readonly past?: number;
      readonly chunkTable?: NodeId;
    }
  /**
   * The way back: coordinate t of `of` reads chunk t / size(steps), step t mod size(steps). In a packed program it reads its
   * document's chunks, which `stepTable`, index[of, field], says of each step (`StepField`), and `chunkTable` the other way.
   */
  | {
      readonly kind: "unchunk";
      readonly arg: NodeId;
      readonly of: AxisId;
      readonly chunks: AxisId;
      readonly steps: AxisId;
      readonly stepTable?: NodeId;
      readonly chunkTable?: NodeId;
    }
  /** The value that a state had one step earlier: its carried value or `init` at a document's start. */
  | { readonly kind: "prev"; readonly state: StateId; readonly steps?: NodeId }
  /** The continuous variable on the right of `der(state) = …`; gone after discretize. */
  | { readonly kind: "continuous"; readonly state: StateId }
  /** `a` or `b` of der(state) = a·state + b, inside the rule's discrete form, behind its right-hand side; typed with all of the state's axes and time until discretize puts the true terms in. */
  | { readonly kind: "coefficient"; readonly state: StateId; readonly of: "a" | "b" };

export type Node = Operation & {
  readonly id: NodeId;
  readonly type: TensorType;
  /** Where it comes from, innermost first: the expression, then the calls that inlined it. */
  readonly spans: readonly Span[];
  /** The source's name for this value, with its call path: `backbone/mixer.delta`. Absent for subexpressions. */
  readonly name?: string;
};

/**
 * Time that holds several documents one after the other (4-passes/packed.ts). Values at a step have no document axis; what
 * a state carries in and out has one, before all others. `steps` of `prev`, `conv` and `flip` is index[time, field] with
 * the fields of `StepField` (runtime/bundle-format.ts).
 */
export interface Documents {
  /** One coordinate a document. */
  readonly axis: AxisId;
  /** index[axis, field]: where each document's steps lie in this run (`SpanField`). */
  readonly spans: NodeId;
}

export type Equation =
  /** value(t), which may read `prev` of this and other states. A convolution's history has its x. */
  | { readonly kind: "discrete"; readonly value: NodeId; readonly documents?: Documents }
  /**
   * der(state) = rhs, where rhs is linear in `continuous(state)`; `value` is the rule's discrete form, in terms of
   * `coefficient` nodes. Users of the state read `value` either way.
   */
  | { readonly kind: "continuous"; readonly rhs: NodeId; readonly rule: string; readonly value: NodeId };

/**
 * Everything that a program carries from one step to the next.
 * - `state`: declared by the author. `delay`: made for `prev(e)`; its value is e. `history`: the last K − 1 inputs of a
 *   causal convolution (axes: those of x without time, then `taps`).
 * - `local`: a pass's own, along an axis within a program. It starts from `init` in every run, and nothing carries it.
 */
export interface State {
  readonly id: StateId;
  readonly kind: "state" | "delay" | "history" | "local";
  /** Its call path, unique, as callers name it: `layers.0.mixer.h`. */
  readonly name: string;
  readonly scalar: "f32" | "c64" | "angle";
  /** All axes but time (and documents): the ambient ones first (batch), then as declared. This is the order callers see. */
  readonly axes: readonly AxisId[];
  /** How `axes` are grouped for callers, where it is not one axis a dimension. */
  readonly dimensions?: readonly Dimension[];
  /** The time axis it steps along; `prev` of it has this axis too. */
  readonly along: AxisId;
  readonly init: number;
  readonly equation: Equation;
  readonly spans: readonly Span[];
}

/**
 * One dimension of a tensor as the source declares it, `d` of `x[b, t, d]`, which covers the next `primes` axes of the
 * tensor's list: none for a literal 1, several for a product.
 */
export interface Dimension {
  readonly name: string;
  readonly primes: number;
}

export interface ParamAxis {
  /** Absent for a literal size such as the 1 in conv_w[d, 1, k]. */
  readonly axis?: AxisId;
  readonly size: number;
}

/** A parameter made of one tensor for each coordinate of its leading axes: `experts.0.up`, `experts.1.up`, … */
export interface Pieces {
  /** Of each tensor in the file. */
  readonly shape: readonly number[];
  readonly tensors: readonly { readonly name: string; readonly sources: readonly string[] }[];
}

/** One tensor of a checkpoint, or several of one shape. Stacked parameters are one Param whose parts are `slice` nodes. */
export interface Param {
  readonly id: ParamId;
  /** The first alternative's full name; names the buffer. */
  readonly name: string;
  /** Full checkpoint names, tried in order. */
  readonly sources: readonly string[];
  /** Where the checkpoint has a tensor for each coordinate; `name` and `sources` then have the axis in braces. */
  readonly pieces?: Pieces;
  /** Computed by the load program from other parameters, in f32; has no sources. */
  readonly derived?: boolean;
  /** As stored, major first. Complex parameters have a trailing (re, im) axis in the file only. */
  readonly layout: readonly ParamAxis[];
  /** The file's shape, where products or stacking inside a product make it differ from the sizes of `layout`. */
  readonly shape?: readonly number[];
  readonly scalar: "f32" | "c64";
  readonly spans: readonly Span[];
}

export interface Input {
  readonly name: string;
  /** `index` with `bound`: whole numbers 0 ≤ i < bound. */
  readonly scalar: "f32" | "index";
  readonly bound?: number;
  /** In the caller's order, major first. */
  readonly axes: readonly AxisId[];
  /** How `axes` are grouped for callers, where it is not one axis a dimension. */
  readonly dimensions?: readonly Dimension[];
  readonly spans: readonly Span[];
  readonly doc?: string;
}

export interface Output {
  readonly name: string;
  /** Given as whole numbers 0 ≤ i < bound, as an `index` input takes them: the value is an `index`. Without it, as f32. */
  readonly bound?: number;
  /** In the caller's order, major first. */
  readonly axes: readonly AxisId[];
  /** How `axes` are grouped for callers, where it is not one axis a dimension. */
  readonly dimensions?: readonly Dimension[];
  readonly value: NodeId;
  readonly spans: readonly Span[];
  readonly doc?: string;
}

export interface Graph {
  readonly name: string;
  readonly axes: ReadonlyMap<AxisId, Axis>;
  readonly nodes: readonly Node[];
  readonly states: readonly State[];
  readonly params: readonly Param[];
  readonly inputs: readonly Input[];
  readonly outputs: readonly Output[];
}
