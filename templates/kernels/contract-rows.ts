/** A product for few rows: `lanes` invocations share the sums of a column, or of several, and read along k next to one another. */
import {
  code,
  element,
  join,
  name,
  nothing,
  paragraphs,
  variable,
  wgsl,
  type Code,
  type Wgsl,
} from "../wgsl.js";
import { entryPoint, flatGroup } from "./entry.js";
import { partialsOf, treeFold } from "./reduce.js";

/** One sum along k for one row: of a·b, or of a value of the row. */
export interface Along {
  readonly name: Wgsl<"f32">;
  /** What a loop over k by fours adds. */
  readonly four: Wgsl<"vec4f"> | undefined;
  /** What a loop over k one by one adds. */
  readonly one: Wgsl<"f32"> | undefined;
}

/** A loop over k by so many in a row of a lane, from `k_first` on; its body adds to `ownOf` the sums. */
export interface Pieces {
  readonly elements: number;
  readonly end: Wgsl<"u32">;
  readonly body: Code;
}

/** One of the rows that a workgroup computes together. */
export interface Row {
  /** What this row's part of a loop over k shares, four k at a time and one at a time. */
  readonly insideFours: Code;
  readonly insideOnes: Code;
  readonly sums: readonly Along[];
  /** By column of a lane: stores, by its first lane, where column and row exist. */
  readonly stores: readonly Code[];
  /** Stores of values of the row at k. */
  readonly storesAlong: Code;
  readonly exists: Wgsl<"bool"> | undefined;
}

export interface RowsHoles {
  readonly lanes: number;
  /** How many times so many lanes a workgroup has. */
  readonly columns: number;
  readonly folded: boolean;
  readonly count: Wgsl<"u32"> | undefined;
  /** Binds batch, rows and col, and whatever does not depend on k. */
  readonly outside: Code;
  /** k, four at a time, and how far; what all rows share. */
  readonly fours: { readonly inside: Code; readonly end: Wgsl<"u32"> } | undefined;
  /** In the place of fours. */
  readonly pieces: Pieces | undefined;
  /** Four k of a lane in a row, or `lanes` apart. */
  readonly inRow: boolean;
  /** The rest, one at a time. */
  readonly ones: { readonly inside: Code; readonly end: Wgsl<"u32"> } | undefined;
  readonly rows: readonly Row[];
  /** By column of a lane. */
  readonly columnsExist: readonly (Wgsl<"bool"> | undefined)[];
  /** Whether the first of four neighbouring columns of one lane each stores for all of them. */
  readonly byFours: boolean;
  /** The workgroup among those of the same rows, if stores along k are dealt out to them. */
  readonly share: Share | undefined;
}

export interface Share {
  readonly at: Wgsl<"u32">;
  readonly of: Wgsl<"u32">;
  readonly depth: Wgsl<"u32">;
}

/** A sum's number of the invocation so many further on. */
export const partialOf = (sum: Along, further: number): Wgsl<"f32"> =>
  element(
    partialsOf(sum.name),
    further === 0 ? variable("invocation") : wgsl<"u32">`invocation + ${further}u`,
  );

const four = (sum: Along): Wgsl<"vec4f"> => variable(`${sum.name.text}_four`);
/** A lane's part of a sum. */
export const ownOf = (sum: Along): Wgsl<"f32"> => variable(`${sum.name.text}_own`);

export function contractRows(holes: RowsHoles): Code {
  const { lanes, columns } = holes;
  const sums = holes.rows.flatMap((row) => row.sums);
  return paragraphs([
    join(sums.map((sum) => code`var<workgroup> ${partialsOf(sum.name)}: array<f32, ${lanes * columns}>;`)),
    entryPoint(
      lanes * columns,
      code`
        let element = ${flatGroup(holes.folded)};
        ${holes.count === undefined ? nothing : code`if (element >= ${holes.count}) { return; }`}
        let lane = invocation % ${lanes}u;
        let column = invocation / ${lanes}u;
        ${holes.outside}
        ${alongLoop(holes)}
        ${join(sums.map((sum) => code`var ${ownOf(sum)} = 0.0;`))}
        ${foursLoop(holes, sums)}
        ${piecesLoop(holes)}
        ${onesLoop(holes)}
        ${join(sums.map((sum) => code`${partialsOf(sum.name)}[invocation] = ${ownOf(sum)};`))}
        ${treeFold(
          sums.map((sum) => ({ name: sum.name, fn: "sum" as const })),
          lanes,
          variable("lane"),
          variable("invocation"),
        )}
        ${holes.byFours && lanes === 1 ? code`workgroupBarrier();` : nothing}
        if (${holes.byFours ? wgsl<"bool">`lane == 0u && column % 4u == 0u` : wgsl<"bool">`lane == 0u`}) {
          ${storesOf(holes)}
        }
      `,
    ),
  ]);
}

const when = (condition: Wgsl<"bool"> | undefined, body: Code): Code =>
  condition === undefined
    ? body
    : code`
        if (${condition}) {
          ${body}
        }
      `;

function storesOf({ rows, columnsExist }: RowsHoles): Code {
  const results = ({ sums }: Row): Code =>
    join(sums.map((sum) => code`let ${sum.name} = ${partialsOf(sum.name)}[invocation];`));
  const [only, ...more] = columnsExist;
  if (more.length === 0)
    return when(only, join(rows.map((row) => when(row.exists, join([results(row), ...row.stores])))));
  const each = (row: Row): readonly Code[] => row.stores.map((store, c) => when(columnsExist[c], store));
  return join(rows.map((row) => when(row.exists, join([results(row), ...each(row)]))));
}

/** What is stored along k, once: by all workgroups of the rows together. */
function alongLoop({ lanes, columns, rows, share }: RowsHoles): Code {
  if (share === undefined) return nothing;
  const k = name("k");
  const invocations = lanes * columns;
  return code`
    for (var ${k} = ${share.at} * ${invocations}u + invocation; ${k} < ${share.depth}; ${k} += ${share.of} * ${invocations}u) {
      ${join(rows.map((row) => when(row.exists, row.storesAlong)))}
    }
  `;
}

const addFour = (sum: Along): Code => (sum.four === undefined ? nothing : code`${four(sum)} += ${sum.four};`);

const addOne = (sum: Along): Code => (sum.one === undefined ? nothing : code`${ownOf(sum)} += ${sum.one};`);

function foursLoop({ lanes, inRow, fours, rows }: RowsHoles, sums: readonly Along[]): Code {
  if (fours === undefined) return nothing;
  const first = inRow ? wgsl<"u32">`depth_start + 4u * lane` : wgsl<"u32">`depth_start + lane`;
  const apart = inRow
    ? wgsl<"vec4u">`vec4u(0u, 1u, 2u, 3u)`
    : wgsl<"vec4u">`vec4u(0u, ${lanes}u, ${2 * lanes}u, ${3 * lanes}u)`;
  return code`
    ${join(sums.map((sum) => code`var ${four(sum)} = vec4f(0.0);`))}
    for (var depth_start = 0u; depth_start < ${fours.end}; depth_start += ${4 * lanes}u) {
      let k_first = ${first};
      let k_four = k_first + ${apart};
      ${fours.inside}
      ${join(rows.map((row) => join([row.insideFours, ...row.sums.map(addFour)])))}
    }
    ${join(sums.map((sum) => code`${ownOf(sum)} = dot(${four(sum)}, vec4f(1.0));`))}
  `;
}

function piecesLoop({ lanes, pieces }: RowsHoles): Code {
  if (pieces === undefined) return nothing;
  const { elements, end, body } = pieces;
  const first = name("k_first");
  return code`
    for (var ${first} = ${elements}u * lane; ${first} < ${end}; ${first} += ${elements * lanes}u) {
      ${body}
    }
  `;
}

function onesLoop({ lanes, fours, pieces, ones, rows }: RowsHoles): Code {
  if (ones === undefined) return nothing;
  const k = name("k");
  const begin = (fours ?? pieces)?.end;
  return code`
    for (var ${k} = ${begin === undefined ? wgsl<"u32">`lane` : wgsl<"u32">`${begin} + lane`}; ${k} < ${ones.end}; ${k} += ${lanes}u) {
      ${ones.inside}
      ${join(rows.map((row) => join([row.insideOnes, ...row.sums.map(addOne)])))}
    }
  `;
}
