/**
 * A product by tiles: a workgroup keeps tiles of a and b in workgroup memory, an invocation threadRows × threadCols sums in
 * registers. The next tiles are on their way from memory while the present ones are multiplied.
 */
import { code, component, join, name, paragraphs, variable, wgsl, type Code, type Wgsl } from "../wgsl.js";

export interface TiledShape {
  readonly tileRows: number;
  readonly tileCols: number;
  readonly tileDepth: number;
  readonly threadRows: number;
  readonly threadCols: number;
}

/** Four rows of a (columns of b) at one k, of a tile that is read along k or along the rows. */
export interface Fetch {
  readonly along: "depth" | "side";
  /** Once, before the loop over k: the i-th piece's rows (columns), from `first`, the first of the four. */
  readonly outside: (i: number, first: Wgsl<"u32">) => Code;
  /** In the loop: the value of the i-th piece at `k`. */
  readonly value: (i: number, k: Wgsl<"u32">) => { readonly statements: Code; readonly value: Wgsl<"vec4f"> };
}

export interface TiledHoles {
  readonly shape: TiledShape;
  /** Binds batch and row_tile, which tile of rows a workgroup has; leaves workgroups that have none. */
  readonly place: Code;
  readonly depth: Wgsl<"u32">;
  readonly a: Fetch;
  readonly b: Fetch;
  /** Evaluates and stores one element: vars batch, row, col, acc; or four columns from col on, with four sums. */
  readonly finish: { readonly element: Code } | { readonly four: Code };
}

export const invocationsOf = (shape: TiledShape): number =>
  (shape.tileRows / shape.threadRows) * (shape.tileCols / shape.threadCols);

/** One more than a row's length of vec4f between rows of a tile, so that invocations that write one column meet different banks. */
const padded = (side: number): number => side / 4 + 1;

/** Bytes of workgroup memory. */
export const tiledBytes = (shape: TiledShape): number =>
  16 * shape.tileDepth * (padded(shape.tileRows) + padded(shape.tileCols));

export function contractTiled(holes: TiledHoles): Code {
  const { shape, depth } = holes;
  const [fetchA, fetchB] = [
    side(holes.a, shape.tileRows, "a", "row", shape),
    side(holes.b, shape.tileCols, "b", "col", shape),
  ];
  return paragraphs([
    code`
      var<workgroup> tile_a: array<vec4f, ${shape.tileDepth * padded(shape.tileRows)}>;
      var<workgroup> tile_b: array<vec4f, ${shape.tileDepth * padded(shape.tileCols)}>;
    `,
    finishFunctions(holes.finish),
    code`
      @compute @workgroup_size(${invocationsOf(shape)})
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
        ${holes.place}
        let thread_row = invocation / ${shape.tileCols / shape.threadCols}u;
        let thread_col = invocation % ${shape.tileCols / shape.threadCols}u;
        ${fetchA.declare}
        ${fetchB.declare}
        ${declareSums(shape)}
        for (var depth_start = 0u; ; depth_start += ${shape.tileDepth}u) {
          if (depth_start < ${depth}) {
            ${fetchA.load}
            ${fetchB.load}
          }
          if (depth_start > 0u) {
            ${multiply(shape)}
          }
          if (depth_start >= ${depth}) { break; }
          workgroupBarrier();
          ${fetchA.write}
          ${fetchB.write}
          workgroupBarrier();
        }
        ${finishAll(shape)}
      }
    `,
  ]);
}

interface Side {
  readonly declare: Code;
  readonly load: Code;
  readonly write: Code;
}

function side(fetch: Fetch, size: number, of: "a" | "b", coordinate: "row" | "col", shape: TiledShape): Side {
  const invocations = invocationsOf(shape);
  const pieces = (size / 4) * shape.tileDepth;
  const count = Math.ceil(pieces / invocations);
  const tile = name(`tile_${of}`);
  const group = coordinate === "row" ? wgsl<"u32">`row_tile` : wgsl<"u32">`group.x`;
  const parts = Array.from({ length: count }, (_, i) => {
    const piece = variable<"u32">(`piece_${of}_${i}`);
    const [four, k] = [variable<"u32">(`four_${of}_${i}`), variable<"u32">(`k_${of}_${i}`)];
    const next = variable<"vec4f">(`next_${of}_${i}`);
    const width = fetch.along === "depth" ? shape.tileDepth : size / 4;
    const [slow, fast] = [wgsl<"u32">`${piece} / ${width}u`, wgsl<"u32">`${piece} % ${width}u`];
    const last = (i + 1) * invocations > pieces;
    const outside = fetch.outside(i, wgsl<"u32">`${group} * ${size}u + 4u * ${four}`);
    const { statements, value } = fetch.value(i, wgsl<"u32">`depth_start + ${k}`);
    const guard = (body: Code): Code =>
      last
        ? code`
      if (${piece} < ${pieces}u) {
        ${body}
      }
    `
        : body;
    return {
      declare: code`
        let ${piece} = invocation + ${i * invocations}u;
        let ${four} = ${fetch.along === "depth" ? slow : fast};
        let ${k} = ${fetch.along === "depth" ? fast : slow};
        ${outside}
        var ${next} = vec4f(0.0);
      `,
      load: guard(code`
        ${statements}
        ${next} = ${value};
      `),
      write: guard(code`${tile}[${k} * ${padded(size)}u + ${four}] = ${next};`),
    };
  });
  return {
    declare: join(parts.map((part) => part.declare)),
    load: join(parts.map((part) => part.load)),
    write: join(parts.map((part) => part.write)),
  };
}

const range = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);

/** The sums of row r of an invocation's rows, columns 4c … 4c + 3. */
const sum = (row: number, four: number): Wgsl<"vec4f"> => variable(`sum_${row}_${four}`);

const declareSums = ({ threadRows, threadCols }: TiledShape): Code =>
  join(
    range(threadRows).flatMap((row) =>
      range(threadCols / 4).map((four) => code`var ${sum(row, four)} = vec4f(0.0);`),
    ),
  );

function multiply(shape: TiledShape): Code {
  const { threadRows, threadCols } = shape;
  const [rowsApart, colsApart] = [shape.tileRows / threadRows, shape.tileCols / threadCols];
  const [a, b] = [
    (i: number): Wgsl<"vec4f"> => variable(`a_${i}`),
    (i: number): Wgsl<"vec4f"> => variable(`b_${i}`),
  ];
  return code`
    for (var k = 0u; k < ${shape.tileDepth}u; k++) {
      ${join(range(threadRows / 4).map((i) => code`let ${a(i)} = tile_a[k * ${padded(shape.tileRows)}u + ${i * rowsApart}u + thread_row];`))}
      ${join(range(threadCols / 4).map((i) => code`let ${b(i)} = tile_b[k * ${padded(shape.tileCols)}u + ${i * colsApart}u + thread_col];`))}
      ${join(
        range(threadRows).flatMap((row) =>
          range(threadCols / 4).map((four) => {
            const factor = component<"f32">(a(Math.floor(row / 4)), (row % 4) as 0 | 1 | 2 | 3);
            return code`${sum(row, four)} += ${factor} * ${b(four)};`;
          }),
        ),
      )}
    }
  `;
}

function finishFunctions(finish: TiledHoles["finish"]): Code {
  if ("four" in finish)
    return code`
      fn finish_four(batch: u32, row: u32, col: u32, acc: vec4f) {
        ${finish.four}
      }
    `;
  const each = (["x", "y", "z", "w"] as const).map(
    (part, i) => code`finish(batch, row, col + ${i}u, acc.${name(part)});`,
  );
  return code`
    fn finish(batch: u32, row: u32, col: u32, acc: f32) {
      ${finish.element}
    }

    fn finish_four(batch: u32, row: u32, col: u32, acc: vec4f) {
      ${join(each)}
    }
  `;
}

function finishAll({ tileRows, tileCols, threadRows, threadCols }: TiledShape): Code {
  const [rowsApart, colsApart] = [tileRows / threadRows, tileCols / threadCols];
  const call = (row: number, four: number): Code => {
    const rowOf = wgsl<"u32">`first_row + ${4 * Math.floor(row / 4) * rowsApart + (row % 4)}u`;
    return code`finish_four(batch, ${rowOf}, first_col + ${4 * four * colsApart}u, ${sum(row, four)});`;
  };
  return code`
    let first_row = row_tile * ${tileRows}u + 4u * thread_row;
    let first_col = group.x * ${tileCols}u + 4u * thread_col;
    ${join(range(threadRows).flatMap((row) => range(threadCols / 4).map((four) => call(row, four))))}
  `;
}
