/** A product for few rows: `lanes` invocations share the sum of one column, and read along k next to one another. */
import { code, join, paragraphs, variable, wgsl, type Code, type Wgsl } from "../wgsl.js";
import { entryPoint, flatGroup } from "./entry.js";
import { partialsOf, treeFold } from "./reduce.js";

/** One sum along k: of a·b, or of a value of the row. */
export interface Along {
  readonly name: Wgsl<"f32">;
  readonly four: Wgsl<"vec4f">;
  readonly one: Wgsl<"f32">;
}

export interface RowsHoles {
  readonly lanes: number;
  readonly columns: number;
  readonly folded: boolean;
  readonly count: Wgsl<"u32"> | undefined;
  /** Binds batch, row and col, and whatever does not depend on k. */
  readonly outside: Code;
  /** k, four at a time, and how far. */
  readonly fours:
    | {
        readonly k: Wgsl<"vec4u">;
        readonly first: Wgsl<"u32">;
        readonly inside: Code;
        readonly end: Wgsl<"u32">;
      }
    | undefined;
  /** Four k of a lane in a row, or `lanes` apart. */
  readonly inRow: boolean;
  /** The rest, one at a time. */
  readonly ones: { readonly k: Wgsl<"u32">; readonly inside: Code; readonly end: Wgsl<"u32"> } | undefined;
  readonly sums: readonly Along[];
  /** Stores, by the first lane of a column that exists. */
  readonly stores: Code;
  readonly columnExists: Wgsl<"bool"> | undefined;
}

export function contractRows(holes: RowsHoles): Code {
  const { lanes, columns, sums } = holes;
  const four = (sum: Along): Wgsl<"vec4f"> => variable(`${sum.name.text}_four`);
  const own = (sum: Along): Wgsl<"f32"> => variable(`${sum.name.text}_own`);
  const exists =
    holes.columnExists === undefined
      ? wgsl<"bool">`lane == 0u`
      : wgsl<"bool">`lane == 0u && ${holes.columnExists}`;
  return paragraphs([
    join(sums.map((sum) => code`var<workgroup> ${partialsOf(sum.name)}: array<f32, ${lanes * columns}>;`)),
    entryPoint(
      lanes * columns,
      code`
        let element = ${flatGroup(holes.folded)};
        ${holes.count === undefined ? join([]) : code`if (element >= ${holes.count}) { return; }`}
        let lane = invocation % ${lanes}u;
        let column = invocation / ${lanes}u;
        ${holes.outside}
        ${join(sums.map((sum) => code`var ${own(sum)} = 0.0;`))}
        ${holes.fours === undefined ? join([]) : foursLoop(holes, holes.fours, sums, four, own)}
        ${holes.ones === undefined ? join([]) : onesLoop(holes, holes.ones, sums, own)}
        ${join(sums.map((sum) => code`${partialsOf(sum.name)}[invocation] = ${own(sum)};`))}
        ${treeFold(
          sums.map(({ name }) => ({ name, fn: "sum" as const })),
          lanes,
          wgsl<"u32">`lane`,
          wgsl<"u32">`invocation`,
        )}
        if (${exists}) {
          ${join(sums.map((sum) => code`let ${sum.name} = ${partialsOf(sum.name)}[invocation];`))}
          ${holes.stores}
        }
      `,
    ),
  ]);
}

function foursLoop(
  { lanes, inRow }: RowsHoles,
  { k, first, inside, end }: NonNullable<RowsHoles["fours"]>,
  sums: readonly Along[],
  four: (sum: Along) => Wgsl<"vec4f">,
  own: (sum: Along) => Wgsl<"f32">,
): Code {
  const start = inRow ? wgsl<"u32">`depth_start + 4u * lane` : wgsl<"u32">`depth_start + lane`;
  const apart = inRow
    ? wgsl<"vec4u">`vec4u(0u, 1u, 2u, 3u)`
    : wgsl<"vec4u">`vec4u(0u, ${lanes}u, ${2 * lanes}u, ${3 * lanes}u)`;
  return code`
    ${join(sums.map((sum) => code`var ${four(sum)} = vec4f(0.0);`))}
    for (var depth_start = 0u; depth_start < ${end}; depth_start += ${4 * lanes}u) {
      let ${first} = ${start};
      let ${k} = ${first} + ${apart};
      ${inside}
      ${join(sums.map((sum) => code`${four(sum)} += ${sum.four};`))}
    }
    ${join(sums.map((sum) => code`${own(sum)} = dot(${four(sum)}, vec4f(1.0));`))}
  `;
}

function onesLoop(
  { lanes, fours }: RowsHoles,
  { k, inside, end }: NonNullable<RowsHoles["ones"]>,
  sums: readonly Along[],
  own: (sum: Along) => Wgsl<"f32">,
): Code {
  const start = fours === undefined ? wgsl<"u32">`lane` : wgsl<"u32">`${fours.end} + lane`;
  return code`
    for (var ${k} = ${start}; ${k} < ${end}; ${k} += ${lanes}u) {
      ${inside}
      ${join(sums.map((sum) => code`${own(sum)} += ${sum.one};`))}
    }
  `;
}
