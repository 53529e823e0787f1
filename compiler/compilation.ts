/** What the compiler takes and gives. */
import type { SourceTree } from "./1-parse/ast.js";
import type { Module } from "./2-analyze/index.js";
import type { Graph } from "./3-graph/types.js";
import type { PassResult, Verify } from "./4-passes/index.js";
import type { ScheduleOptions, Target } from "./4-passes/schedule.js";
import type { EmittedTarget } from "./6-emit/target.js";
import type { Diagnostic, SourceFile } from "./diagnostics/types.js";
import type { Activations, AdapterTuning, Bundle, ConstantValue, Storage } from "../runtime/bundle-format.js";

/** What `compile` may be told. Everything has a default. */
export interface CompileOptions {
  /** Values for constants of the main file. */
  readonly set?: Readonly<Record<string, ConstantValue>>;
  /** A checkpoint's parsed config.json, for constants with `from`. */
  readonly config?: unknown;
  /** Names of target profiles, best first: the runtime takes the first that the device can run. Default: baseline. */
  readonly targets?: readonly string[];
  /** How parameters are stored unless `storage` says otherwise. Default: f32. */
  readonly weights?: Storage;
  /** Storage of single parameters, by checkpoint name. */
  readonly storage?: Readonly<Record<string, Storage>>;
  /**
   * In what the model's inputs and outputs, and values between kernels, lie on the GPU; all is computed in f32, and states, whole numbers
   * and complex ones stay what they are. Default: f32.
   */
  readonly activations?: Activations;
  /** Also builds `packed`, the program for documents of different lengths. Default: false. */
  readonly packed?: boolean;
  /** Finds the file that `use … from "path"` names. */
  readonly loadSource?: (path: string) => SourceFile | undefined;
  /** Checks the compiler's own work: every graph, or (`"ends"`) the first and the last. Default: false. */
  readonly verify?: Verify;
  /** Schedules that were measured: for each adapter that they speak of, targets of its own, before the one for all others. */
  readonly tuning?: readonly AdapterTuning[];
  /** For tests. */
  readonly schedule?: ScheduleOptions;
}

/** A model without mistakes, up to the graphs of its programs. */
export interface Checked {
  readonly tree: SourceTree;
  readonly module: Module;
  readonly graph: Graph;
  readonly passes: PassResult;
  /** What kernels are to be made for. */
  readonly targets: readonly Target[];
}

/**
 * What each stage of the compiler made; SPEC.md says what that is. For tools that look inside: not stable before 1.0.
 */
export interface Compilation extends Omit<Checked, "targets"> {
  /** Of each target asked for the one for all adapters, then those that were tuned. */
  readonly targets: readonly EmittedTarget[];
}

/** A model without mistakes, or what is wrong with the source. */
export interface CheckResult {
  /** Absent if there are errors. */
  readonly checked?: Checked;
  readonly diagnostics: readonly Diagnostic[];
  /** What every stage made, as far as it got. */
  readonly stages: Partial<Compilation>;
}

/** A bundle, or what is wrong with the source. */
export interface CompileResult {
  /** Absent if there are errors. */
  readonly bundle?: Bundle;
  readonly diagnostics: readonly Diagnostic[];
  /** What every stage made, as far as it got. */
  readonly stages: Partial<Compilation>;
}
