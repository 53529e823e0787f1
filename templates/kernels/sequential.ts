/** A recurrence step by step: one workgroup a lead, everything in memory, a barrier after each statement. */
import { code, join, type Code, type Wgsl } from "../wgsl.js";
import { entryPoint, flatGroup } from "./entry.js";

export interface Statement {
  readonly count: Wgsl<"u32">;
  /** Evaluates and stores `element`. */
  readonly body: Code;
}

export interface SequentialHoles {
  readonly workgroup: number;
  readonly folded: boolean;
  readonly lead: Wgsl<"u32">;
  readonly leads: Wgsl<"u32"> | undefined;
  readonly t: Wgsl<"u32">;
  /** Steps begin ≤ t < end. */
  readonly begin: Wgsl<"u32">;
  readonly end: Wgsl<"u32">;
  /** What binds the names in `begin` and `end`. */
  readonly range: Code;
  readonly before: readonly Statement[];
  readonly each: readonly Statement[];
}

export function sequential(holes: SequentialHoles): Code {
  const statement = ({ count, body }: Statement): Code => code`
    for (var element = invocation; element < ${count}; element += ${holes.workgroup}u) {
      ${body}
    }
    storageBarrier();
  `;
  return entryPoint(
    holes.workgroup,
    code`
      let ${holes.lead} = ${flatGroup(holes.folded)};
      ${holes.leads === undefined ? join([]) : code`if (${holes.lead} >= ${holes.leads}) { return; }`}
      ${join(holes.before.map(statement))}
      ${holes.range}
      for (var ${holes.t} = ${holes.begin}; ${holes.t} < ${holes.end}; ${holes.t}++) {
        ${join(holes.each.map(statement))}
      }
    `,
  );
}
