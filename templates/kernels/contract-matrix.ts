/**
 * A product on matrix units: a workgroup keeps tiles of a and b in workgroup memory, rounded to f16; a subgroup multiplies its
 * part of them and keeps partRows × partCols sums in registers, in f32. The next tiles are on their way from memory while
 * the present ones are multiplied. What the sums become goes through workgroup memory, row by row.
 */
import {
  SUBGROUP,
  UNIT,
  WORD,
  declareSum,
  loadOperand,
  multiplyAccumulate,
  storeSum,
  type Operand,
} from "../subgroup-matrix.js";
import {
  call,
  code,
  join,
  name,
  not,
  nothing,
  paragraphs,
  variable,
  wgsl,
  type Code,
  type Name,
  type Wgsl,
  type WgslType,
} from "../wgsl.js";

export interface MatrixShape {
  /** Of a workgroup. */
  readonly tileRows: number;
  readonly tileCols: number;
  readonly tileDepth: number;
  /** Of a subgroup. */
  readonly partRows: number;
  readonly partCols: number;
  /** Tiles kept at once: with two there is one barrier a tile, else two. */
  readonly stages: 1 | 2;
}

/** How an operand is read: eight neighbours at a time, as a word of f16. */
export interface FetchEight {
  /** Along which its neighbours in memory lie; the tile is kept in the same order. */
  readonly along: "depth" | "side";
  /** The i-th piece: at row (column) `side`, or the eight from it; and at `k`, or the eight from it. Asked for in their order. */
  readonly piece: (i: number, side: Wgsl<"u32">, k: Wgsl<"u32">) => Piece;
}

/** What is on its way stays in registers as it was loaded: to compute with it at once would be to wait for it. */
export interface Piece {
  /** Once, before the loop over k: what depends on `side` alone, and vars for what is loaded. */
  readonly outside: Code;
  /** Binds coordinates. */
  readonly place: Code;
  readonly load: Code;
  /** From what was loaded to the word. */
  readonly convert: Code;
  readonly word: Wgsl<"vec4u">;
}

/** A stretch of k along which both operands keep their form. */
export interface Stretch {
  readonly depth: Wgsl<"u32">;
  readonly a: FetchEight;
  readonly b: FetchEight;
}

export interface MatrixHoles {
  readonly shape: MatrixShape;
  /** Binds batch and row_tile, which tile of rows a workgroup has; leaves workgroups that have none. */
  readonly place: Code;
  /** One after the other into the same sums. */
  readonly stretches: readonly Stretch[];
  /** Evaluates and stores one element: vars batch, row, col, acc; or four columns from col on, with four sums. */
  readonly finish: { readonly element: Code } | { readonly four: Code };
  /** The same of four columns in several rows, where four columns are one word of all that is written. */
  readonly finishFours: FinishFours | undefined;
}

/** What a lane has of a stripe of sums: columns `cols`, the first of which is `col`, in each of the rows. */
export interface Fours {
  readonly rows: readonly Wgsl<"u32">[];
  readonly col: Wgsl<"u32">;
  readonly cols: Wgsl<"vec4u">;
  readonly sums: readonly Wgsl<"vec4f">[];
}

export type FinishFours = (fours: Fours) => {
  /** What the condition needs. */
  readonly before: Code;
  /** Whether all are to be stored; if not they are finished row by row. */
  readonly exists: Wgsl<"bool"> | undefined;
  readonly body: Code;
};

const subgroupsOf = (shape: MatrixShape): number =>
  (shape.tileRows / shape.partRows) * (shape.tileCols / shape.partCols);

export const invocationsOfMatrix = (shape: MatrixShape): number => SUBGROUP * subgroupsOf(shape);

type Along = Readonly<Record<"a" | "b", FetchEight["along"]>>;

/**
 * Workgroup memory of an operand's tiles: parts of so many words, whatever its stretches are like. Each operand has what it needs and no more:
 * how many workgroups run side by side on a multiprocessor is a matter of what they keep there.
 */
interface Tiles {
  readonly array: Name;
  readonly parts: number;
  readonly size: number;
}

const arrayOf = (of: "a" | "b"): Name => name(`${of}_tiles`);

function tilesOf(of: "a" | "b", alongs: readonly Along[], shape: MatrixShape): Tiles {
  const parts = shape.stages * partsOf(of, shape);
  const sizes = alongs.map((along) => layoutOf(of, along[of], shape).size);
  // Those of a are enough for sums to leave through.
  const narrowest = of === "a" ? stripeSize(UNIT) * Math.ceil(subgroupsOf(shape) / parts) : 0;
  return { array: arrayOf(of), parts, size: Math.max(...sizes, narrowest) };
}

/** Bytes of workgroup memory. Sums leave through what held the tiles. */
export const matrixBytes = (shape: MatrixShape, alongs: readonly Along[]): number =>
  (["a", "b"] as const)
    .map((of) => tilesOf(of, alongs, shape))
    .reduce((bytes, { parts, size }) => bytes + 16 * parts * size, 0);

/** How a tile lies in memory: by parts, one for each row (column) of subgroups, of lines of words. */
interface Layout {
  readonly part: number;
  /** Words of a line, and from one to the next: an odd number, which keeps lines apart in the banks of memory. */
  readonly line: number;
  readonly stride: number;
  /** Words of a part. */
  readonly size: number;
}

const partsOf = (of: "a" | "b", shape: MatrixShape): number =>
  tileOf(of, shape) / (of === "a" ? shape.partRows : shape.partCols);

/** Which part of all that are kept. */
const placeOf = (of: "a" | "b", part: Wgsl<"u32">, stage: Wgsl<"u32">, shape: MatrixShape): Wgsl<"u32"> =>
  shape.stages === 2 ? wgsl<"u32">`${stage} * ${partsOf(of, shape)}u + ${part}` : part;

const tileOf = (of: "a" | "b", shape: MatrixShape): number => (of === "a" ? shape.tileRows : shape.tileCols);

function layoutOf(of: "a" | "b", along: FetchEight["along"], shape: MatrixShape): Layout {
  const part = of === "a" ? shape.partRows : shape.partCols;
  const [line, lines] = along === "depth" ? [shape.tileDepth / WORD, part] : [part / WORD, shape.tileDepth];
  const stride = line + 1;
  return { part, line, stride, size: lines * stride };
}

export function contractMatrix(holes: MatrixHoles): Code {
  const { shape, stretches } = holes;
  const alongs = stretches.map(({ a, b }) => ({ a: a.along, b: b.along }));
  const across = partsOf("b", shape);
  const tiles = { a: tilesOf("a", alongs, shape), b: tilesOf("b", alongs, shape) };
  const stripe = stripeOf(shape, tiles);
  const finishing = finishingOf(holes, stripe);
  const [only, ...others] = stretches.map((stretch) => multiplyAlong(stretch, shape));
  return paragraphs([
    code`
      var<workgroup> ${tiles.a.array}: array<array<vec4u, ${tiles.a.size}>, ${tiles.a.parts}>;
      var<workgroup> ${tiles.b.array}: array<array<vec4u, ${tiles.b.size}>, ${tiles.b.parts}>;
    `,
    ...finishing.functions,
    code`
      @compute @workgroup_size(${invocationsOfMatrix(shape)}) @subgroup_size(${SUBGROUP})
      fn main(
        @builtin(workgroup_id) group: vec3u,
        @builtin(local_invocation_index) invocation: u32,
        @builtin(subgroup_id) subgroup: u32,
        @builtin(subgroup_invocation_id) lane: u32,
      ) {
        ${holes.place}
        let subgroup_row = subgroup / ${across}u;
        let subgroup_col = subgroup % ${across}u;
        ${declareSums(shape)}
        ${only === undefined || others.length === 0 ? (only ?? nothing) : inBlocks([only, ...others])}
        ${finishAll(shape, finishing, stripe)}
      }
    `,
  ]);
}

/** Each with names of its own, the next after all have read the tiles of the one before. */
const inBlocks = (stretches: readonly Code[]): Code =>
  join(
    stretches.map(
      (stretch, i) => code`
        ${i > 0 ? code`workgroupBarrier();` : nothing}
        {
          ${stretch}
        }
      `,
    ),
  );

function multiplyAlong(stretch: Stretch, shape: MatrixShape): Code {
  const { depth } = stretch;
  const [a, b] = [sideOf(stretch.a, "a", shape), sideOf(stretch.b, "b", shape)];
  const two = shape.stages === 2;
  return code`
    ${a.declare}
    ${b.declare}
    for (var depth_start = 0u; ; depth_start += ${shape.tileDepth}u) {
      ${two ? code`let stage = (depth_start / ${shape.tileDepth}u) & 1u;` : nothing}
      ${a.place}
      ${b.place}
      if (depth_start < ${depth}) {
        ${a.load}
        ${b.load}
      }
      if (depth_start > 0u) {
        ${multiply(stretch, shape)}
      }
      if (depth_start >= ${depth}) { break; }
      ${a.convert}
      ${b.convert}
      ${two ? nothing : code`workgroupBarrier();`}
      ${a.write}
      ${b.write}
      workgroupBarrier();
    }
  `;
}

interface Side {
  readonly declare: Code;
  readonly place: Code;
  readonly load: Code;
  readonly convert: Code;
  readonly write: Code;
}

function sideOf(fetch: FetchEight, of: "a" | "b", shape: MatrixShape): Side {
  const pieces = (tileOf(of, shape) * shape.tileDepth) / WORD;
  const count = Math.ceil(pieces / invocationsOfMatrix(shape));
  const each = Array.from({ length: count }, (_, i) => pieceOf(fetch, of, i, shape));
  return {
    declare: join(each.map((piece) => piece.declare)),
    place: join(each.map((piece) => piece.place)),
    load: join(each.map((piece) => piece.load)),
    convert: join(each.map((piece) => piece.convert)),
    write: join(each.map((piece) => piece.write)),
  };
}

/** The i-th word that an invocation brings from memory to a tile. */
function pieceOf(fetch: FetchEight, of: "a" | "b", i: number, shape: MatrixShape): Side {
  const { part, line, stride } = layoutOf(of, fetch.along, shape);
  const [tile, invocations] = [tileOf(of, shape), invocationsOfMatrix(shape)];
  const pieces = (tile * shape.tileDepth) / WORD;
  const named = <T extends WgslType>(what: string): Wgsl<T> => variable<T>(`${what}_${of}_${i}`);
  const [piece, side, k, at] = [
    named<"u32">("piece"),
    named<"u32">("side"),
    named<"u32">("k"),
    named<"u32">("at"),
  ];
  const byDepth = fetch.along === "depth";
  const width = (byDepth ? shape.tileDepth : tile) / WORD;
  const [slow, fast] = [wgsl<"u32">`${piece} / ${width}u`, wgsl<"u32">`${WORD}u * (${piece} % ${width}u)`];
  // Where an invocation's pieces all have the same k, it has one name.
  const sharesK = byDepth && invocations % width === 0;
  const depth = sharesK ? variable<"u32">(`k_${of}_0`) : k;
  const word = byDepth
    ? wgsl<"u32">`(${side} % ${part}u) * ${stride}u + ${depth} / ${WORD}u`
    : wgsl<"u32">`${depth} * ${stride}u + (${side} / ${WORD}u) % ${line}u`;
  const place = placeOf(of, wgsl<"u32">`${side} / ${part}u`, wgsl<"u32">`stage`, shape);
  const start = of === "a" ? wgsl<"u32">`row_tile * ${tile}u` : wgsl<"u32">`group.x * ${tile}u`;
  const fetched = fetch.piece(i, wgsl<"u32">`${start} + ${side}`, wgsl<"u32">`depth_start + ${depth}`);
  const kept = named<"vec4u">("word");
  const isWhole = (i + 1) * invocations <= pieces;
  const guard = (body: Code): Code =>
    isWhole
      ? body
      : code`
        if (${piece} < ${pieces}u) {
          ${body}
        }
      `;
  return {
    declare: code`
      let ${piece} = invocation + ${i * invocations}u;
      let ${side} = ${byDepth ? slow : fast};
      ${sharesK && i > 0 ? nothing : code`let ${k} = ${byDepth ? fast : slow};`}
      let ${at} = ${word};
      ${fetched.outside}
    `,
    place: fetched.place,
    load: guard(fetched.load),
    ...(isWhole
      ? {
          convert: join([fetched.convert, code`let ${kept} = ${fetched.word};`]),
          write: code`${arrayOf(of)}[${place}][${at}] = ${kept};`,
        }
      : {
          convert: nothing,
          write: guard(join([fetched.convert, code`${arrayOf(of)}[${place}][${at}] = ${fetched.word};`])),
        }),
  };
}

const range = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);

/** A subgroup's sums of units of rows and columns. */
const sum = (row: number, col: number): Name => name(`sum_${row}_${col}`);

function declareSums({ partRows, partCols }: MatrixShape): Code {
  return join(
    range(partRows / UNIT).flatMap((row) => range(partCols / UNIT).map((col) => declareSum(sum(row, col)))),
  );
}

function multiply({ a, b }: Stretch, shape: MatrixShape): Code {
  const [rows, cols] = [range(shape.partRows / UNIT), range(shape.partCols / UNIT)];
  const operand = (of: "a" | "b", along: FetchEight["along"], unit: number, k: number): Operand => {
    const { stride } = layoutOf(of, along, shape);
    const own = of === "a" ? wgsl<"u32">`subgroup_row` : wgsl<"u32">`subgroup_col`;
    const wordsInUnit = UNIT / WORD;
    return {
      side: of === "a" ? "left" : "right",
      // A line of a tile is a row of a or a column of b, or else all rows or columns at one k.
      order: (of === "a") === (along === "depth") ? "row_major" : "col_major",
      memory: {
        array: arrayOf(of),
        part: placeOf(of, own, wgsl<"u32">`1u - stage`, shape),
      },
      offset:
        along === "depth" ? unit * UNIT * stride + k * wordsInUnit : k * UNIT * stride + unit * wordsInUnit,
      stride,
    };
  };
  const [left, right] = [(i: number): Name => name(`left_${i}`), (i: number): Name => name(`right_${i}`)];
  const steps = range(shape.tileDepth / UNIT).map(
    (k) => code`
      {
        ${join(rows.map((row) => loadOperand(left(row), operand("a", a.along, row, k))))}
        ${join(
          cols.flatMap((col) => [
            loadOperand(right(col), operand("b", b.along, col, k)),
            ...rows.map((row) => multiplyAccumulate(sum(row, col), left(row), right(col))),
          ]),
        )}
      }
    `,
  );
  return join(steps);
}

/** Sums leave by stripes of one unit's rows, each subgroup's in memory of its own: as many columns as there is memory for. */
interface Stripe {
  /** The tiles whose memory it takes. */
  readonly array: Name;
  readonly cols: number;
  /** Words from row to row, and of all rows. */
  readonly stride: number;
  readonly size: number;
  /** How many share a part of the tiles' memory. */
  readonly inPart: number;
}

/** Words from row to row: an odd number, as for tiles. */
const stripeStride = (cols: number): number => cols / 4 + 1;
const stripeSize = (cols: number): number => UNIT * stripeStride(cols);

function stripeOf(shape: MatrixShape, tiles: Readonly<Record<"a" | "b", Tiles>>): Stripe {
  const fitting = [4, 2, 1]
    .map((units) => units * UNIT)
    .filter((cols) => shape.partCols % cols === 0)
    .flatMap((cols) => [tiles.a, tiles.b].map((those) => ({ cols, ...those })))
    .map(({ cols, array, size, parts }) => ({
      cols,
      array,
      parts,
      inPart: Math.floor(size / stripeSize(cols)),
    }))
    .find(({ inPart, parts }) => inPart * parts >= subgroupsOf(shape));
  if (fitting === undefined) throw new Error("tiles too small for what subgroups of their own write");
  const { array, cols, inPart } = fitting;
  return { array, cols, stride: stripeStride(cols), size: stripeSize(cols), inPart };
}

/** A stripe's rows that a lane has four columns of, and how far apart they are. */
const rowsOfLane = ({ cols }: Stripe): { readonly count: number; readonly apart: number } => {
  const apart = (4 * SUBGROUP) / cols;
  return { count: UNIT / apart, apart };
};

/** The functions that finish sums, and how they are called. */
interface Finishing {
  readonly by: "one" | "fours" | "fours, or one" | "fours, or four";
  readonly functions: readonly Code[];
}

function finishingOf({ finish, finishFours }: MatrixHoles, stripe: Stripe): Finishing {
  const one =
    "four" in finish
      ? code`
          fn finish_four(batch: u32, row: u32, col: u32, acc: vec4f) {
            ${finish.four}
          }
        `
      : code`
          fn finish(batch: u32, row: u32, col: u32, acc: f32) {
            ${finish.element}
          }
        `;
  if (finishFours === undefined) {
    if ("four" in finish) throw new Error("four columns of a row, and not of several");
    return { by: "one", functions: [one] };
  }
  const { count, apart } = rowsOfLane(stripe);
  const rows = range(count).map((i) => variable<"u32">(`row_${i}`));
  const sums = range(count).map((i) => variable<"vec4f">(`sums_${i}`));
  const lanes = { rows, col: variable<"u32">("col"), cols: variable<"vec4u">("four_cols"), sums };
  const { before, exists, body } = finishFours(lanes);
  const parameters = join([
    code`batch: u32,`,
    code`row: u32,`,
    code`col: u32,`,
    ...sums.map((each) => code`${each}: vec4f,`),
  ]);
  const statements = code`
    let four_cols = col + vec4u(0u, 1u, 2u, 3u);
    ${join(rows.map((each, i) => code`let ${each} = row + ${i * apart}u;`))}
    ${before}
    ${exists === undefined ? nothing : code`if (${not(exists)}) { return false; }`}
    ${body}
  `;
  if (exists === undefined) {
    const fours = code`
      fn finish_fours(
        ${parameters}
      ) {
        ${statements}
      }
    `;
    return { by: "fours", functions: [fours] };
  }
  const fours = code`
    fn finish_fours(
      ${parameters}
    ) -> bool {
      ${statements}
      return true;
    }
  `;
  return { by: "four" in finish ? "fours, or four" : "fours, or one", functions: [one, fours] };
}

function finishAll(shape: MatrixShape, finishing: Finishing, stripe: Stripe): Code {
  const { array, cols, stride, size, inPart } = stripe;
  const stripes = range(shape.partRows / UNIT).flatMap((row) =>
    range(shape.partCols / cols).map((each) => ({ row, first: each * (cols / UNIT) })),
  );
  const each = stripes.map(
    ({ row, first }) => code`
      workgroupBarrier();
      ${join(
        range(cols / UNIT).map((unit) =>
          storeSum(
            sum(row, first + unit),
            { array, part: wgsl<"u32">`stripe_part` },
            wgsl<"u32">`stripe + ${unit * (UNIT / 4)}u`,
            stride,
          ),
        ),
      )}
      workgroupBarrier();
      ${finishStripe(finishing, stripe, row * UNIT, first * UNIT)}
    `,
  );
  return code`
    let first_row = row_tile * ${shape.tileRows}u + subgroup_row * ${shape.partRows}u;
    let first_col = group.x * ${shape.tileCols}u + subgroup_col * ${shape.partCols}u;
    let stripe_part = subgroup / ${inPart}u;
    let stripe = (subgroup % ${inPart}u) * ${size}u;
    ${finishing.by === "one" ? nothing : placeLane(stripe)}
    ${join(each)}
  `;
}

const placeLane = ({ cols, stride }: Stripe): Code => code`
  let lane_row = lane / ${cols / 4}u;
  let lane_col = lane % ${cols / 4}u;
  let lane_at = stripe + lane_row * ${stride}u + lane_col;
`;

/** A lane's part of a stripe that begins at a row and column of its subgroup's. */
function finishStripe(finishing: Finishing, stripe: Stripe, row: number, col: number): Code {
  const { array, cols, stride } = stripe;
  if (finishing.by === "one")
    return code`
      for (var stripe_at = lane; stripe_at < ${UNIT * cols}u; stripe_at += ${SUBGROUP}u) {
        let stripe_row = stripe_at / ${cols}u;
        let stripe_col = stripe_at % ${cols}u;
        let stripe_sum = ${array}[stripe_part][stripe + stripe_row * ${stride}u + stripe_col / 4u][stripe_col % 4u];
        finish(batch, first_row + ${row}u + stripe_row, first_col + ${col}u + stripe_col, bitcast<f32>(stripe_sum));
      }
    `;
  const { count, apart } = rowsOfLane(stripe);
  const sumAt = (place: Wgsl<"u32">): Wgsl<"vec4f"> =>
    wgsl<"vec4f">`bitcast<vec4f>(${array}[stripe_part][lane_at + ${place}])`;
  const finished = call<"bool">("finish_fours", [
    variable("batch"),
    wgsl<"u32">`first_row + ${row}u + lane_row`,
    wgsl<"u32">`first_col + ${col}u + 4u * lane_col`,
    ...range(count).map((i) => sumAt(wgsl<"u32">`${i * apart * stride}u`)),
  ]);
  if (finishing.by === "fours") return code`${finished};`;
  const [laneRow, laneCol] = [
    wgsl<"u32">`first_row + ${row}u + lane_row + ${apart}u * lane_piece`,
    wgsl<"u32">`first_col + ${col}u + 4u * lane_col`,
  ];
  const rowByRow =
    finishing.by === "fours, or four"
      ? code`finish_four(batch, ${laneRow}, ${laneCol}, lane_sums);`
      : code`
          for (var part = 0u; part < 4u; part++) {
            finish(batch, ${laneRow}, ${laneCol} + part, lane_sums[part]);
          }
        `;
  return code`
    if (${not(finished)}) {
      for (var lane_piece = 0u; lane_piece < ${count}u; lane_piece++) {
        let lane_sums = ${sumAt(wgsl<"u32">`lane_piece * ${apart * stride}u`)};
        ${rowByRow}
      }
    }
  `;
}
