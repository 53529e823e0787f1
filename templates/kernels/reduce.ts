/** One workgroup an element: its invocations share the reduction of an axis, then store. */
import {
  binary,
  call,
  code,
  element,
  join,
  nothing,
  name,
  paragraphs,
  variable,
  wgsl,
  type Code,
  type Name,
  type Wgsl,
} from "../wgsl.js";
import { entryPoint, flatGroup } from "./entry.js";

export type Fold = "sum" | "max" | "min";

export interface Reduction {
  /** The result, for what follows. */
  readonly name: Wgsl<"f32" | "u32">;
  readonly fn: Fold;
  readonly type: "f32" | "u32";
  readonly start: Wgsl<"f32" | "u32">;
}

/** What is taken in at one place of the axis: a value for each reduction of a phase, and what they share. */
export interface Taken {
  readonly inside: Code;
  readonly values: readonly Wgsl<"f32" | "u32">[];
}

/** Reductions that run over the axis together. Later phases may use the results of earlier ones. */
export interface Phase {
  /** Before the loop. */
  readonly outside: Code;
  /** At `over`. */
  readonly each: Taken;
  /** At `over`, a workgroup further on, and so on: their loads wait together. None for an axis that is not long. */
  readonly together: readonly Taken[];
  readonly reductions: readonly Reduction[];
}

export interface ReduceHoles {
  readonly workgroup: number;
  readonly folded: boolean;
  /** Number of workgroups that have something to do, where there may be more. */
  readonly count: Wgsl<"u32"> | undefined;
  /** The reduced axis. */
  readonly over: Wgsl<"u32">;
  readonly extent: Wgsl<"u32">;
  /** Where what is taken in together ends. */
  readonly whole: Wgsl<"u32">;
  readonly phases: readonly Phase[];
  /** What the stores share. */
  readonly between: Code;
  /** Stores, once by one invocation. */
  readonly storeOnce: Code;
  /** Stores at every `over`, or at four from there. */
  readonly storeEach: Code;
  readonly byFours: boolean;
}

export const foldTwo = <T extends "f32" | "u32" | "vec4f">(fn: Fold, a: Wgsl<T>, b: Wgsl<T>): Wgsl<T> =>
  fn === "sum" ? binary<T>(a, "+", b) : call<T>(fn, [a, b]);

export const partialsOf = (result: Wgsl<"f32" | "u32">): Name => name(`${result.text}_partials`);

export function reduce(holes: ReduceHoles): Code {
  const { workgroup, over, extent, whole } = holes;
  const all = holes.phases.flatMap((phase) => phase.reductions);
  const first = wgsl<"u32">`invocation`;
  const loop = (begin: Wgsl<"u32">, end: Wgsl<"u32">, stride: number, body: Code): Code => code`
    for (var ${over} = ${begin}; ${over} < ${end}; ${over} += ${stride}u) {
      ${body}
    }
  `;
  const storeLoop = (body: Code): Code =>
    holes.byFours
      ? loop(wgsl<"u32">`4u * invocation`, extent, 4 * workgroup, body)
      : loop(first, extent, workgroup, body);
  const takeIn = (phase: Phase): Code => {
    const { each, together } = phase;
    if (together.length === 0) return loop(first, extent, workgroup, folds(phase, [each]));
    const rest = binary<"u32">(first, "+", whole);
    return join([
      loop(first, whole, together.length * workgroup, folds(phase, together)),
      loop(rest, extent, workgroup, folds(phase, [each])),
    ]);
  };
  return paragraphs([
    join(
      all.map(
        (each) => code`var<workgroup> ${partialsOf(each.name)}: array<${name(each.type)}, ${workgroup}>;`,
      ),
    ),
    entryPoint(
      workgroup,
      code`
        let element = ${flatGroup(holes.folded)};
        ${holes.count === undefined ? join([]) : code`if (element >= ${holes.count}) { return; }`}
        ${join(holes.phases.map((phase) => phaseCode(phase, workgroup, takeIn(phase))))}
        ${holes.between}
        ${
          holes.storeOnce.lines.length === 0
            ? join([])
            : code`
          if (invocation == 0u) {
            ${holes.storeOnce}
          }
        `
        }
        ${holes.storeEach.lines.length === 0 ? join([]) : storeLoop(holes.storeEach)}
      `,
    ),
  ]);
}

const own = (each: Reduction): Name => name(`${each.name.text}_own`);

/** Takes in the values of some places: each as it comes, after all were loaded. */
function folds({ reductions }: Phase, places: readonly Taken[]): Code {
  const all = reductions.flatMap((each, k) =>
    places.map(({ values }) => {
      const value = values[k];
      return value === undefined
        ? nothing
        : code`${own(each)} = ${foldTwo(each.fn, variable(own(each).text), value)};`;
    }),
  );
  return join([...places.map(({ inside }) => inside), ...all]);
}

function phaseCode(phase: Phase, workgroup: number, takenIn: Code): Code {
  return code`
    ${phase.outside}
    ${join(phase.reductions.map((each) => code`var ${own(each)} = ${each.start};`))}
    ${takenIn}
    ${join(phase.reductions.map((each) => code`${partialsOf(each.name)}[invocation] = ${variable<"f32">(own(each).text)};`))}
    ${treeFold(phase.reductions, workgroup, wgsl<"u32">`invocation`, wgsl<"u32">`invocation`)}
    ${join(phase.reductions.map((each) => code`let ${each.name} = ${partialsOf(each.name)}[0];`))}
  `;
}

/** Halves until one is left: `lanes` neighbours in workgroup memory, the first of which is at `at` less `lane`. */
export function treeFold(
  reductions: readonly Pick<Reduction, "name" | "fn">[],
  lanes: number,
  lane: Wgsl<"u32">,
  at: Wgsl<"u32">,
): Code {
  const step = (each: Pick<Reduction, "name" | "fn">): Code => {
    const own = element<"f32">(partialsOf(each.name), at);
    const other = element<"f32">(partialsOf(each.name), wgsl<"u32">`${at} + stride`);
    return code`${own} = ${foldTwo(each.fn, own, other)};`;
  };
  if (lanes === 1) return nothing;
  return code`
    workgroupBarrier();
    for (var stride = ${lanes / 2}u; stride > 0u; stride = stride / 2u) {
      if (${lane} < stride) {
        ${join(reductions.map(step))}
      }
      workgroupBarrier();
    }
  `;
}
