/**
 * A diagonal recurrence, fused with what feeds it and what reads it. A workgroup takes some channels of one lead; `lanes`
 * invocations share a channel and divide its inner axis among them, each with its states in named registers. A tile of
 * steps at a time, the whole workgroup stages what the steps need into workgroup memory, every invocation runs the tile's
 * steps, and the whole workgroup sums the lanes' parts and stores.
 *
 * Without a tile's loads in flight together the recurrence would wait for memory at every step.
 */
import { code, element, join, name, paragraphs, wgsl, type Code, type Name, type Wgsl } from "../wgsl.js";
import { foldTwo, type Fold } from "./reduce.js";

export interface ScanShape {
  /** Channels a workgroup, lanes a channel, steps a tile. */
  readonly channels: number;
  readonly lanes: number;
  readonly steps: number;
  /** Size of the inner axis. */
  readonly inner: number;
}

/** A value that the workgroup evaluates once for all that use it. */
export interface Staged {
  readonly tile: Name;
  /** For a tile by channel: what the steps and the stores call it. */
  readonly name: Wgsl<"f32">;
}

/** What the invocations of one pass evaluate and write into tiles. */
export interface StagePass {
  readonly inside: Code;
  readonly values: readonly { readonly tile: Name; readonly value: Wgsl<"f32"> | Wgsl<"vec4f"> }[];
}

export interface ScanHoles {
  readonly shape: ScanShape;
  readonly lead: Wgsl<"u32">;
  readonly leads: Wgsl<"u32"> | undefined;
  readonly foldedLeads: boolean;
  readonly channel: Wgsl<"u32">;
  /** Where the channels do not fill the last workgroup: how many there are. */
  readonly channels: number | undefined;
  readonly t: Wgsl<"u32">;
  readonly begin: Wgsl<"u32">;
  readonly end: Wgsl<"u32">;
  /** Once: coordinates, invariants, states at their initial values. */
  readonly prologue: Code;
  readonly byChannel: StagePass;
  readonly byInner: StagePass & { readonly n: Wgsl<"u32"> | Wgsl<"vec4u"> };
  /** One step of one invocation. */
  readonly step: Code;
  readonly reductions: readonly {
    readonly name: Wgsl<"f32">;
    readonly fn: Fold;
    readonly partial: Wgsl<"f32">;
  }[];
  /** Staged values and reductions that the stores read. */
  readonly storedTiles: readonly Staged[];
  readonly stores: Code;
  /** Last values of the states. */
  readonly epilogue: Code;
}

/** Inner coordinates lie in their tile four in a vector where every lane's share is whole vectors. */
export const innerInFours = ({ inner, lanes }: ScanShape): boolean => inner % (4 * lanes) === 0;

/** Bytes of workgroup memory for so many staged values by channel, by inner coordinate, and reductions. */
export function scanBytes(shape: ScanShape, byChannel: number, byInner: number, reductions: number): number {
  const { channels, lanes, steps, inner } = shape;
  return 4 * steps * (byChannel * channels + byInner * inner + reductions * channels * lanes);
}

export const partialsOf = (reduction: Wgsl<"f32">): Name => name(`${reduction.text}_partials`);

export function scan(holes: ScanHoles): Code {
  const { shape, lead, channel, t } = holes;
  const { channels, lanes, steps } = shape;
  const exists =
    holes.channels === undefined
      ? undefined
      : wgsl<"bool">`channel_start + channel_slot < ${holes.channels}u`;
  const channelOf = wgsl<"u32">`channel_start + channel_slot`;
  return paragraphs([
    declareTiles(holes),
    code`
      @compute @workgroup_size(${channels * lanes})
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
        let ${lead} = ${holes.foldedLeads ? wgsl<"u32">`group.z * 65535u + group.y` : wgsl<"u32">`group.y`};
        ${holes.leads === undefined ? join([]) : code`if (${lead} >= ${holes.leads}) { return; }`}
        let channel_slot = invocation % ${channels}u;
        let lane = invocation / ${channels}u;
        let channel_start = group.x * ${channels}u;
        let ${channel} = ${holes.channels === undefined ? channelOf : wgsl<"u32">`min(${channelOf}, ${holes.channels - 1}u)`};
        ${holes.prologue}
        let tile_begin = ${holes.begin};
        let tile_end = ${holes.end};
        for (var tile_start = tile_begin; tile_start < tile_end; tile_start += ${steps}u) {
          let step_count = min(${steps}u, tile_end - tile_start);
          ${stageByChannel(holes)}
          ${stageByInner(holes)}
          workgroupBarrier();
          for (var step = 0u; step < step_count; step++) {
            let ${t} = tile_start + step;
            ${holes.step}
            ${join(holes.reductions.map((each) => code`${partialsOf(each.name)}[(step * ${lanes}u + lane) * ${channels}u + channel_slot] = ${each.partial};`))}
          }
          workgroupBarrier();
          ${storeTile(holes, exists)}
          workgroupBarrier();
        }
        ${
          exists === undefined || holes.epilogue.lines.length === 0
            ? holes.epilogue
            : code`
          if (${exists}) {
            ${holes.epilogue}
          }
        `
        }
      }
    `,
  ]);
}

function declareTiles({ shape, byChannel, byInner, reductions }: ScanHoles): Code {
  const { channels, lanes, steps, inner } = shape;
  return join([
    ...byChannel.values.map(({ tile }) => code`var<workgroup> ${tile}: array<f32, ${steps * channels}>;`),
    ...byInner.values.map(({ tile }) =>
      innerInFours(shape)
        ? code`var<workgroup> ${tile}: array<vec4f, ${(steps * inner) / 4}>;`
        : code`var<workgroup> ${tile}: array<f32, ${steps * inner}>;`,
    ),
    ...reductions.map(
      (each) => code`var<workgroup> ${partialsOf(each.name)}: array<f32, ${steps * lanes * channels}>;`,
    ),
  ]);
}

/** Every invocation keeps to its channel, so that neighbours read neighbouring channels of one step. */
function stageByChannel({ shape, byChannel, t }: ScanHoles): Code {
  if (byChannel.values.length === 0) return join([]);
  return code`
    for (var slot = lane; slot < ${shape.steps}u; slot += ${shape.lanes}u) {
      let ${t} = min(tile_start + slot, tile_end - 1u);
      ${byChannel.inside}
      ${join(byChannel.values.map(({ tile, value }) => code`${tile}[slot * ${shape.channels}u + channel_slot] = ${value};`))}
    }
  `;
}

function stageByInner({ shape, byInner, t }: ScanHoles): Code {
  if (byInner.values.length === 0) return join([]);
  const fours = innerInFours(shape);
  const width = fours ? shape.inner / 4 : shape.inner;
  const first = fours
    ? wgsl<"vec4u">`4u * (slot % ${width}u) + vec4u(0u, 1u, 2u, 3u)`
    : wgsl<"u32">`slot % ${width}u`;
  return code`
    for (var slot = invocation; slot < ${shape.steps * width}u; slot += ${shape.channels * shape.lanes}u) {
      let ${t} = min(tile_start + slot / ${width}u, tile_end - 1u);
      let ${byInner.n} = ${first};
      ${byInner.inside}
      ${join(byInner.values.map(({ tile, value }) => code`${tile}[slot] = ${value};`))}
    }
  `;
}

/** The lanes' parts of each reduction, summed by whoever stores that step of the channel. */
function storeTile(holes: ScanHoles, exists: Wgsl<"bool"> | undefined): Code {
  const { lanes, channels } = holes.shape;
  const parts = ({ name: reduction, fn }: ScanHoles["reductions"][number]): Wgsl<"f32"> =>
    Array.from({ length: lanes }, (_, lane) =>
      element<"f32">(
        partialsOf(reduction),
        wgsl<"u32">`(slot * ${lanes}u + ${lane}u) * ${channels}u + channel_slot`,
      ),
    ).reduce((total, part) => foldTwo(fn, total, part));
  const body = code`
    for (var slot = lane; slot < step_count; slot += ${lanes}u) {
      let ${holes.t} = tile_start + slot;
      ${join(holes.reductions.map((each) => code`let ${each.name} = ${parts(each)};`))}
      ${join(holes.storedTiles.map((each) => code`let ${each.name} = ${each.tile}[slot * ${channels}u + channel_slot];`))}
      ${holes.stores}
    }
  `;
  if (exists === undefined) return body;
  return code`
    if (${exists}) {
      ${body}
    }
  `;
}

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
