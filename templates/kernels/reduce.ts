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
  readonly value: Wgsl<"f32" | "u32">;
}

/** Reductions that run over the axis together. Later phases may use the results of earlier ones. */
export interface Phase {
  /** Before the loop. */
  readonly outside: Code;
  /** What the values of this phase share, at `over`. */
  readonly inside: Code;
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
  readonly phases: readonly Phase[];
  /** What the stores share. */
  readonly between: Code;
  /** Stores, once by one invocation. */
  readonly storeOnce: Code;
  /** Stores at every `over`. */
  readonly storeEach: Code;
}

export const foldTwo = <T extends "f32" | "u32" | "vec4f">(fn: Fold, a: Wgsl<T>, b: Wgsl<T>): Wgsl<T> =>
  fn === "sum" ? binary<T>(a, "+", b) : call<T>(fn, [a, b]);

export const partialsOf = (result: Wgsl<"f32" | "u32">): Name => name(`${result.text}_partials`);

export function reduce(holes: ReduceHoles): Code {
  const { workgroup, over, extent } = holes;
  const all = holes.phases.flatMap((phase) => phase.reductions);
  const strided = (body: Code): Code => code`
    for (var ${over} = invocation; ${over} < ${extent}; ${over} += ${workgroup}u) {
      ${body}
    }
  `;
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
        ${join(holes.phases.map((phase) => phaseCode(phase, workgroup, strided)))}
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
        ${holes.storeEach.lines.length === 0 ? join([]) : strided(holes.storeEach)}
      `,
    ),
  ]);
}

function phaseCode(phase: Phase, workgroup: number, strided: (body: Code) => Code): Code {
  const own = (each: Reduction): Name => name(`${each.name.text}_own`);
  return code`
    ${phase.outside}
    ${join(phase.reductions.map((each) => code`var ${own(each)} = ${each.start};`))}
    ${strided(code`
      ${phase.inside}
      ${join(phase.reductions.map((each) => code`${own(each)} = ${foldTwo(each.fn, variable(own(each).text), each.value)};`))}
    `)}
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
