/**
 * A diagonal recurrence, fused with what feeds it and what reads it. A workgroup takes some channels of one lead; `lanes`
 * invocations share a channel and divide its inner axis among them, each with its states in named registers. A tile of
 * steps at a time, the whole workgroup stages what the steps need into workgroup memory, every invocation runs the tile's
 * steps, and the whole workgroup sums the lanes' parts and stores.
 *
 * What makes it fast, as measured: a tile's loads are in flight together, and while the tile before is computed; four steps
 * at a time are read from workgroup memory and written back, so that between them nothing waits but the state itself.
 */
import {
  binary,
  code,
  element,
  join,
  name,
  nothing,
  paragraphs,
  variable,
  wgsl,
  type Code,
  type Name,
  type Wgsl,
} from "../wgsl.js";
import { groupAlongY } from "./entry.js";
import { foldTwo, type Fold } from "./reduce.js";

export interface ScanShape {
  /** Channels a workgroup, lanes a channel, steps a tile (a multiple of 4). */
  readonly channels: number;
  readonly lanes: number;
  readonly steps: number;
  /** Size of the inner axis. */
  readonly inner: number;
}

/** A value of the present tile by channel, for the steps or the stores. */
export interface Staged {
  readonly tile: Name;
  readonly name: Wgsl<"f32">;
  /** Four steps of it. */
  readonly four: Wgsl<"vec4f">;
  /** The same of the next channel, for stores of two channels. */
  readonly second?: Wgsl<"vec4f">;
}

/** Values that go into tiles, piece by piece. A piece is four steps of a channel (of two, in pairs), or up to four inner coordinates of a step. */
export interface StagePass {
  readonly pairs?: true;
  readonly tiles: readonly Name[];
  /** Whether loads are kept in registers from before the steps until after them; if not, pieces come in a loop. */
  readonly prefetch: boolean;
  /** The registers of the i-th piece of an invocation. */
  readonly declare: (i: number) => Code;
  /** Fills them. */
  readonly load: (i: number) => Code;
  /** The values, one for each tile (of both channels in turn, in pairs), and what they share. */
  readonly values: (i: number) => {
    readonly inside: Code;
    readonly values: readonly (Wgsl<"f32"> | Wgsl<"vec4f">)[];
  };
}

/** Stores of a tile, piece by piece: four steps `t` of a channel; in pairs, of two. */
export interface TileStores {
  readonly pairs?: true;
  /** Whether loads are kept in registers from before the steps until after them; if not, pieces come in a loop. */
  readonly prefetch: boolean;
  /** The registers of the i-th piece of an invocation, filled. */
  readonly load: (i: number) => { readonly declare: Code; readonly load: Code };
  /** `exists(k)` says whether the k-th of the four is a step. */
  readonly store: (i: number, exists: (k: number) => Wgsl<"bool">) => Code;
}

export interface ScanHoles {
  readonly shape: ScanShape;
  readonly leads: Wgsl<"u32"> | undefined;
  readonly foldedLeads: boolean;
  /** Where the channels do not fill the last workgroup: how many there are. */
  readonly channels: number | undefined;
  readonly begin: Wgsl<"u32">;
  readonly end: Wgsl<"u32">;
  readonly byChannel: StagePass;
  readonly byInner: StagePass;
  /** Staged values that the steps read. */
  readonly stepTiles: readonly Staged[];
  /** One step of one invocation, at `step` of the tile and `t`. */
  readonly step: Code;
  /** Where several lanes add up what a step reads of all their states: two of each, taken in turn. */
  readonly sums: readonly Name[];
  /** Of sums that the lanes make together before the first step: a number for each invocation. */
  readonly sharedSums: readonly Name[];
  readonly reductions: readonly {
    readonly name: Wgsl<"vec4f">;
    /** That of the next channel, for stores of two channels. */
    readonly second?: Wgsl<"vec4f">;
    readonly fn: Fold;
    /** This invocation's part of the step. */
    readonly part: Wgsl<"f32">;
  }[];
  /** Staged values that the stores read. */
  readonly storedTiles: readonly Staged[];
  readonly stores: TileStores | undefined;
  /** Last values of the states. */
  readonly epilogue: Code;
}

/** Inner coordinates lie in their tile four in a vector where every lane's share is whole vectors. */
export const innerInFours = ({ inner, lanes }: ScanShape): boolean => inner % (4 * lanes) === 0;

/** Bytes of workgroup memory for so many staged values by channel, by inner coordinate, reductions, and sums within a step. */
export function scanBytes(
  shape: ScanShape,
  { byChannel, byInner, reductions, sums, shared }: Readonly<Record<ScanMemory, number>>,
): number {
  const { channels, lanes, steps, inner } = shape;
  const tiles = steps * (byChannel * channels + byInner * inner + reductions * channels * lanes);
  return 4 * (tiles + (lanes > 1 ? (2 * sums + shared) * channels * lanes : 0));
}

type ScanMemory = "byChannel" | "byInner" | "reductions" | "sums" | "shared";

/** The lanes' parts of sums within a step, added up by each of them. One barrier a step: the next step has the other half. */
export function sumAcrossLanes(
  { channels, lanes }: ScanShape,
  sums: readonly { readonly memory: Name; readonly part: Wgsl<"f32">; readonly to: Wgsl<"f32"> }[],
): Code {
  const at = (lane: Wgsl<"u32">): Wgsl<"u32"> =>
    wgsl<"u32">`(step % 2u * ${lanes}u + ${lane}) * ${channels}u + channel_slot`;
  return join([
    ...sums.map(({ memory, part }) => code`${memory}[${at(variable("lane"))}] = ${part};`),
    code`workgroupBarrier();`,
    ...sums.map(({ memory, to }) => {
      const parts = Array.from({ length: lanes }, (_, lane) =>
        element<"f32">(memory, at(wgsl<"u32">`${lane}u`)),
      );
      return code`let ${to} = ${parts.reduce((x, y) => binary<"f32">(x, "+", y))};`;
    }),
  ]);
}

export const partialsOf = (reduction: { readonly text: string }): Name => name(`${reduction.text}_partials`);

/** @param prologue once, asked for last: coordinates, invariants, states at their initial values, what all else shares. */
export function scan(holes: ScanHoles, prologue: () => Code): Code {
  const { shape } = holes;
  const { channels, lanes, steps } = shape;
  const exists =
    holes.channels === undefined
      ? undefined
      : wgsl<"bool">`channel_start + channel_slot < ${holes.channels}u`;
  const channelOf = wgsl<"u32">`channel_start + channel_slot`;
  const [byChannel, byInner] = [stageByChannel(holes), stageByInner(holes)];
  const stores = storeTile(holes, exists);
  const tile = code`
    ${stores.before}
    ${runSteps(holes)}
    ${stores.after}
  `;
  return paragraphs([
    declareTiles(holes),
    code`
      @compute @workgroup_size(${channels * lanes})
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
        let lead = ${groupAlongY(holes.foldedLeads)};
        ${holes.leads === undefined ? nothing : code`if (lead >= ${holes.leads}) { return; }`}
        let channel_slot = invocation % ${channels}u;
        let lane = invocation / ${channels}u;
        let channel_start = group.x * ${channels}u;
        let channel = ${holes.channels === undefined ? channelOf : wgsl<"u32">`min(${channelOf}, ${holes.channels - 1}u)`};
        ${pairsOf(holes)}
        ${prologue()}
        let tile_begin = ${holes.begin};
        let tile_end = ${holes.end};
        ${byChannel.declare}
        ${byInner.declare}
        for (var tile_next = tile_begin; ; tile_next += ${steps}u) {
          if (tile_next < tile_end) {
            ${byChannel.load}
            ${byInner.load}
          }
          if (tile_next > tile_begin) {
            let tile_start = tile_next - ${steps}u;
            let step_count = min(${steps}u, tile_end - tile_start);
            ${tile}
          }
          if (tile_next >= tile_end) { break; }
          workgroupBarrier();
          ${byChannel.write}
          ${byInner.write}
          workgroupBarrier();
        }
        ${when(holes.epilogue.lines.length === 0 ? undefined : exists, holes.epilogue)}
      }
    `,
  ]);
}

/** The two neighbouring channels that invocations of both deal with together, each a part of the steps. */
function pairsOf({ byChannel, stores, shape, channels }: ScanHoles): Code {
  if (byChannel.pairs !== true && stores?.pairs !== true) return nothing;
  const first = wgsl<"u32">`channel_start + pair_slot`;
  return code`
    let pair_slot = channel_slot / 2u * 2u;
    let pair_lane = lane + channel_slot % 2u * ${shape.lanes}u;
    let channel_pair = ${channels === undefined ? first : wgsl<"u32">`min(${first}, ${channels - 2}u)`};
  `;
}

const when = (condition: Wgsl<"bool"> | undefined, body: Code): Code =>
  condition === undefined
    ? body
    : code`
        if (${condition}) {
          ${body}
        }
      `;

const block = (body: Code): Code => code`
  {
    ${body}
  }
`;

function declareTiles({ shape, byChannel, byInner, reductions, sums, sharedSums }: ScanHoles): Code {
  const { channels, lanes, steps, inner } = shape;
  const quads = steps / 4;
  return join([
    ...byChannel.tiles.map((tile) => code`var<workgroup> ${tile}: array<vec4f, ${quads * channels}>;`),
    ...byInner.tiles.map((tile) =>
      innerInFours(shape)
        ? code`var<workgroup> ${tile}: array<vec4f, ${(steps * inner) / 4}>;`
        : code`var<workgroup> ${tile}: array<f32, ${steps * inner}>;`,
    ),
    ...reductions.map(
      (each) => code`var<workgroup> ${partialsOf(each.name)}: array<vec4f, ${quads * lanes * channels}>;`,
    ),
    ...sums.map((each) => code`var<workgroup> ${each}: array<f32, ${2 * lanes * channels}>;`),
    ...sharedSums.map((each) => code`var<workgroup> ${each}: array<f32, ${lanes * channels}>;`),
  ]);
}

interface Stage {
  readonly declare: Code;
  readonly load: Code;
  readonly write: Code;
}

/** `pieces` pieces, dealt out to `invocations` in turn; `coordinates` binds those of the piece `slot`. */
function stage(
  pass: StagePass,
  pieces: number,
  invocations: number,
  own: Wgsl<"u32">,
  coordinates: Code,
  at: readonly Wgsl<"u32">[],
): Stage {
  if (pass.tiles.length === 0) return { declare: nothing, load: nothing, write: nothing };
  const write = (i: number): Code => {
    const { inside, values } = pass.values(i);
    return join([
      inside,
      ...values.map((value, k) => {
        const tile = pass.tiles[Math.floor(k / at.length)] ?? name("tile");
        return code`${tile}[${at[k % at.length] ?? own}] = ${value};`;
      }),
    ]);
  };
  if (!pass.prefetch) {
    const body = write(0);
    const loop = code`
      for (var slot = ${own}; slot < ${pieces}u; slot += ${invocations}u) {
        ${coordinates}
        ${body}
      }
    `;
    return { declare: nothing, load: nothing, write: loop };
  }
  const count = Math.ceil(pieces / invocations);
  const each = (of: (i: number) => Code): Code =>
    join(
      Array.from({ length: count }, (_, i) => {
        const inside = of(i);
        if (inside.lines.length === 0) return nothing;
        const body = join([coordinates, inside]);
        const slot = code`let slot = ${i === 0 ? own : wgsl<"u32">`${own} + ${i * invocations}u`};`;
        const partly = (i + 1) * invocations > pieces ? wgsl<"bool">`slot < ${pieces}u` : undefined;
        return block(join([slot, when(partly, body)]));
      }),
    );
  return {
    declare: join(Array.from({ length: count }, (_, i) => pass.declare(i))),
    load: each(pass.load),
    write: each(write),
  };
}

/** Every invocation keeps to its channel, so that neighbours read neighbouring channels of one step. */
function stageByChannel({ shape, byChannel }: ScanHoles): Stage {
  const coordinates = code`
    let t = min(tile_next + 4u * slot + vec4u(0u, 1u, 2u, 3u), vec4u(tile_end - 1u));
  `;
  const { channels, lanes, steps } = shape;
  if (byChannel.pairs === true) {
    const at = wgsl<"u32">`slot * ${channels}u + pair_slot`;
    const both = [at, wgsl<"u32">`${at} + 1u`];
    return stage(byChannel, steps / 4, 2 * lanes, variable("pair_lane"), coordinates, both);
  }
  const at = wgsl<"u32">`slot * ${channels}u + channel_slot`;
  return stage(byChannel, steps / 4, lanes, variable("lane"), coordinates, [at]);
}

function stageByInner({ shape, byInner }: ScanHoles): Stage {
  const fours = innerInFours(shape);
  const width = fours ? shape.inner / 4 : shape.inner;
  const coordinates = code`
    let t = min(tile_next + slot / ${width}u, tile_end - 1u);
    let n = ${fours ? wgsl<"vec4u">`4u * (slot % ${width}u) + vec4u(0u, 1u, 2u, 3u)` : wgsl<"u32">`slot % ${width}u`};
  `;
  const invocations = shape.channels * shape.lanes;
  return stage(byInner, shape.steps * width, invocations, variable("invocation"), coordinates, [
    variable("slot"),
  ]);
}

/** Lines of a step, beyond which a tile's steps are one loop: drivers compile long code for minutes, and gain nothing by more. */
const LONG_STEP = 80;

/** Four steps at a time where they are short, then what is left of the last tile. */
function runSteps(holes: ScanHoles): Code {
  const { shape, stepTiles, reductions } = holes;
  const at = wgsl<"u32">`quad * ${shape.channels}u + channel_slot`;
  const to = wgsl<"u32">`(quad * ${shape.lanes}u + lane) * ${shape.channels}u + channel_slot`;
  const four = (i: number): Code => {
    const part = name("xyzw".charAt(i));
    return block(code`
      let step = ${i === 0 ? wgsl<"u32">`4u * quad` : wgsl<"u32">`4u * quad + ${i}u`};
      let t = tile_start + step;
      ${join(stepTiles.map((each) => code`let ${each.name} = ${each.four}.${part};`))}
      ${holes.step}
      ${join(reductions.map((each) => code`${each.name}.${part} = ${each.part};`))}
    `);
  };
  const oneByOne = (first: Wgsl<"u32">): Code => code`
    for (var step = ${first}; step < step_count; step++) {
      let quad = step / 4u;
      let t = tile_start + step;
      ${join(stepTiles.map((each) => code`let ${each.name} = ${each.tile}[${at}][step % 4u];`))}
      ${holes.step}
      ${join(reductions.map((each) => code`${partialsOf(each.name)}[${to}][step % 4u] = ${each.part};`))}
    }
  `;
  if (holes.step.lines.length > LONG_STEP) return oneByOne(wgsl<"u32">`0u`);
  return code`
    for (var quad = 0u; quad < step_count / 4u; quad++) {
      ${join(stepTiles.map((each) => code`let ${each.four} = ${each.tile}[${at}];`))}
      ${join(reductions.map((each) => code`var ${each.name}: vec4f;`))}
      ${join([0, 1, 2, 3].map(four))}
      ${join(reductions.map((each) => code`${partialsOf(each.name)}[${to}] = ${each.name};`))}
    }
    ${oneByOne(wgsl<"u32">`step_count / 4u * 4u`)}
  `;
}

const T_OF_QUAD = code`
  let t = min(tile_start + 4u * quad + vec4u(0u, 1u, 2u, 3u), vec4u(tile_end - 1u));
`;

/** The lanes' parts of each reduction, summed by whoever stores those four steps of the channel; before the steps, what is loaded for it. */
function storeTile(
  holes: ScanHoles,
  exists: Wgsl<"bool"> | undefined,
): { readonly before: Code; readonly after: Code } {
  const { shape, stores } = holes;
  if (stores === undefined) return { before: nothing, after: nothing };
  const { lanes, channels, steps } = shape;
  const pairs = stores.pairs === true;
  const quads = steps / 4;
  const slot = pairs ? wgsl<"u32">`pair_slot` : wgsl<"u32">`channel_slot`;
  const parts = ({ name: reduction, fn }: ScanHoles["reductions"][number], of = slot): Wgsl<"vec4f"> =>
    Array.from({ length: lanes }, (_, lane) =>
      element<"vec4f">(
        partialsOf(reduction),
        wgsl<"u32">`(quad * ${lanes}u + ${lane}u) * ${channels}u + ${of}`,
      ),
    ).reduce((total, part) => foldTwo(fn, total, part));
  const next = wgsl<"u32">`${slot} + 1u`;
  const seconds = join([
    ...holes.reductions.map((each) =>
      each.second === undefined ? nothing : code`let ${each.second} = ${parts(each, next)};`,
    ),
    ...holes.storedTiles.map(({ second, tile }) =>
      second === undefined ? nothing : code`let ${second} = ${tile}[quad * ${channels}u + ${next}];`,
    ),
  ]);
  const dealt = pairs ? 2 * lanes : lanes;
  const own = pairs ? wgsl<"u32">`pair_lane` : wgsl<"u32">`lane`;
  const isStep = (k: number): Wgsl<"bool"> =>
    binary<"bool">(
      k === 0 ? wgsl<"u32">`4u * quad` : wgsl<"u32">`4u * quad + ${k}u`,
      "<",
      variable<"u32">("step_count"),
    );
  const piece = (i: number): Code => code`
    ${T_OF_QUAD}
    ${join(holes.reductions.map((each) => code`let ${each.name} = ${parts(each)};`))}
    ${join(holes.storedTiles.map((each) => code`let ${each.four} = ${each.tile}[quad * ${channels}u + ${slot}];`))}
    ${seconds}
    ${stores.store(i, isStep)}
  `;
  const finished = (after: Code): Code => code`
    workgroupBarrier();
    ${when(exists, after)}
  `;
  if (!stores.prefetch) return { before: nothing, after: finished(inLoop(piece(0), own, dealt)) };
  const pieces = Array.from({ length: Math.ceil(quads / dealt) }, (_, i) => {
    const quad = code`let quad = ${i === 0 ? own : wgsl<"u32">`${own} + ${i * dealt}u`};`;
    const { declare, load } = stores.load(i);
    const partly = (i + 1) * dealt > quads ? wgsl<"bool">`quad < ${quads}u` : undefined;
    return {
      before: join([declare, block(join([quad, when(partly, join([T_OF_QUAD, load]))]))]),
      after: block(join([quad, when(isStep(0), piece(i))])),
    };
  });
  return {
    before: join(pieces.map(({ before }) => before)),
    after: finished(join(pieces.map(({ after }) => after))),
  };
}

const inLoop = (body: Code, own: Wgsl<"u32">, lanes: number): Code => code`
  for (var quad = ${own}; 4u * quad < step_count; quad += ${lanes}u) {
    ${body}
  }
`;

/** Where a lane finds its part of a staged inner value: the vector from inner coordinate `first`, or one coordinate. */
export function readInner(
  tile: Name,
  shape: ScanShape,
  n: Wgsl<"u32"> | { readonly vector: number } | { readonly four: Wgsl<"vec4u"> },
): Wgsl<"f32"> | Wgsl<"vec4f"> {
  const { inner, lanes } = shape;
  if ("vector" in n)
    return wgsl<"vec4f">`${tile}[step * ${inner / 4}u + lane * ${inner / lanes / 4}u + ${n.vector}u]`;
  if ("four" in n) {
    const at = (part: "x" | "y" | "z" | "w"): Wgsl<"f32"> =>
      wgsl<"f32">`${tile}[step * ${inner}u + ${n.four}.${name(part)}]`;
    return wgsl<"vec4f">`vec4f(${at("x")}, ${at("y")}, ${at("z")}, ${at("w")})`;
  }
  return wgsl<"f32">`${tile}[step * ${inner}u + ${n}]`;
}
