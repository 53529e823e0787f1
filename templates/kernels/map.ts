/** One invocation an element. */
import { code, nothing, type Code, type Wgsl } from "../wgsl.js";
import { entryPoint, flatGroup } from "./entry.js";

export interface MapHoles {
  readonly workgroup: number;
  /** Whether the dispatch goes on along y. */
  readonly folded: boolean;
  /** How many elements, where the last workgroup may reach past them. */
  readonly count: Wgsl<"u32"> | undefined;
  /** Evaluates and stores `element`. */
  readonly body: Code;
}

export function map(holes: MapHoles): Code {
  const past = holes.count === undefined ? nothing : code`if (element >= ${holes.count}) { return; }`;
  return entryPoint(
    holes.workgroup,
    code`
      let element = ${flatGroup(holes.folded)} * ${holes.workgroup}u + invocation;
      ${past}
      ${holes.body}
    `,
  );
}
