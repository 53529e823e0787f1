/**
 * Schedules: how each skeleton is cut for a target. Data, chosen by shape; nothing here changes what is computed.
 * Figures behind the choices: bench/RESULTS.md.
 */
import type { MatrixSchedule, RowsSchedule, ScanKernel, TiledSchedule } from "../5-kernel/types.js";
import type { Dim } from "../../runtime/bundle-format.js";

/** What a device must offer to run kernels built for a target. */
export interface Target {
  readonly name: string;
  readonly features: readonly GPUFeatureName[];
  /** WebGPU's names; also the bounds that schedules keep to. */
  readonly limits: {
    readonly maxStorageBuffersPerShaderStage: number;
    readonly maxComputeWorkgroupStorageSize: number;
    readonly maxComputeInvocationsPerWorkgroup: number;
    /** Constant tensors of more bytes are cut into several buffers; a bundle without such tensors requires less. */
    readonly maxStorageBufferBindingSize: number;
  };
  /** Products of many rows are made of operands rounded to f16, on matrix units; sums and all else stay f32. */
  readonly matrixUnits?: boolean;
}

const EXPERIMENTAL: readonly string[] = ["subgroup-size-control", "chromium-experimental-subgroup-matrix"];

/**
 * `baseline` keeps to WebGPU's default limits and runs everywhere. `large` is for what desktop and server GPUs offer: more
 * bindings, so that operations with many inputs need no copies, larger ones, and more workgroup memory for longer tiles.
 * `matrix` multiplies with 16-bit operands on matrix units: who asks for it accepts f16's rounding and range in products.
 */
export const TARGETS: readonly Target[] = [
  {
    name: "baseline",
    features: [],
    limits: {
      maxStorageBuffersPerShaderStage: 8,
      maxComputeWorkgroupStorageSize: 16384,
      maxComputeInvocationsPerWorkgroup: 256,
      maxStorageBufferBindingSize: 128 * 2 ** 20,
    },
  },
  {
    name: "large",
    features: [],
    limits: {
      maxStorageBuffersPerShaderStage: 12,
      maxComputeWorkgroupStorageSize: 32768,
      maxComputeInvocationsPerWorkgroup: 256,
      maxStorageBufferBindingSize: 2 ** 30,
    },
  },
  {
    name: "matrix",
    // The last is none of WebGPU's own yet, and no type knows it.
    features: ["shader-f16", "subgroups", ...(EXPERIMENTAL as readonly GPUFeatureName[])],
    limits: {
      maxStorageBuffersPerShaderStage: 12,
      maxComputeWorkgroupStorageSize: 49152,
      maxComputeInvocationsPerWorkgroup: 256,
      maxStorageBufferBindingSize: 2 ** 30,
    },
    matrixUnits: true,
  },
];

/** What a bundle is built for unless asked otherwise. */
export const DEFAULT_TARGETS: readonly string[] = ["baseline"];

export interface ScanShape {
  readonly channels: number;
  readonly inner: number;
  /** Values staged per step and channel, and per step and inner coordinate. */
  readonly stagedChannel: number;
  readonly stagedInner: number;
  readonly reductions: number;
  /** Sums over the inner axis that a step reads: each is a barrier a step where a channel has lanes. */
  readonly sums?: number;
  /** Sums before the first step that lanes share, if there are any. */
  readonly shared?: number;
  /** Numbers of a channel that states hold. */
  readonly held?: number;
  /** Whether time is cut, into as many chunks as fill the device. */
  readonly isCut?: boolean;
}

export type ProductShape = Readonly<Record<"rows" | "cols" | "depth", Dim>>;

export interface Chunking {
  /** Whether channels hold little, so that there are more chunks: one program may cut scans that are alike both ways. */
  readonly isLight: boolean;
  readonly when: Dim;
  /** Steps a chunk, and chunks, over the run-time numbers. */
  readonly steps: Dim;
  readonly chunks: Dim;
}

export interface Crowded {
  readonly from: number;
  readonly schedule: ScanKernel["schedule"];
}

export interface Schedules {
  readonly maxBindings: number;
  /** What one binding may hold. */
  readonly bindingBytes: number;
  map(): { readonly workgroup: number };
  reduce(depth: Dim): { readonly workgroup: number };
  /** A product of many rows. */
  tiles(shape: ProductShape): TiledSchedule | MatrixSchedule;
  /**
   * A product of few rows.
   * @param shape `isDear`: an element of a row is computed, and should be so once for all columns of a workgroup. `piece`: how
   * many elements of a column a lane reads at once, where they are quantized.
   */
  rows(shape: {
    readonly cols: Dim;
    readonly depth: Dim;
    readonly isDear?: boolean;
    readonly piece?: number;
  }): RowsSchedule;
  /** Up to how many rows the `rows` schedule is taken. */
  readonly fewRows: number;
  /** So many bytes that other workgroups read too cost as much as a launch. */
  readonly launchBytes: number;
  scan(shape: ScanShape): ScanKernel["schedule"];
  /** Another schedule of a scan that is not cut, from so many channels in flight on; undefined: there is none. */
  crowded(shape: ScanShape): Crowded | undefined;
  /** Whether and how a scan is cut in time; undefined: never. */
  chunking(shape: ScanShape, leads: Dim, steps: Dim): Chunking | undefined;
  sequential(): { readonly workgroup: number };
}

/** Options that tests and tuning may set. */
export interface ScheduleOptions {
  /** Scans with fewer channels in flight than this are cut in time. */
  readonly chunkBelow?: number;
  /** Shorter sequences are never cut, nor into shorter chunks. */
  readonly chunkFrom?: number;
  /** Scans of more channels in flight are laid out for that. */
  readonly crowdedFrom?: number;
  /** Steps a chunk of every recurrence that has a chunked matrix form; 0: none is written so. Default: as costs say. */
  readonly matrixChunk?: number;
  /** With `matrixChunk`: when they are, over the run-time numbers. Default: always. */
  readonly matrixWhen?: Dim;
  /** Tiles of products on matrix units. Default: by their size. */
  readonly matrixTiles?: MatrixSchedule;
  /** What workgroups may read again to save a launch; 0: kernels of a step stay as they are. */
  readonly launchBytes?: number;
  /** Bindings of less than the target's. */
  readonly bindingBytes?: number;
  /** Fewer storage bindings a kernel than the target's, at least 6. */
  readonly bindings?: number;
}

/** What caches hand out while a launch passes, which takes 2 µs of the GPU and 5 of the CPU: at 3 to 5 TB/s. */
const LAUNCH_BYTES = 20e6;
const CHANNELS_IN_FLIGHT = 12_000;
const LONGEST_UNCUT = 256;
/** Channels times chunks: twice as many where channels hold little. */
const CHUNKED_CHANNELS = 49_152;
const MOST_CHUNKS = 64;
/** What a chunk ends with is stored and carried, at the cost of some steps. */
const FEWEST_STEPS_A_CHUNK = 64;
const STEPS_PER_TILE = 16;
/** The scan takes four steps at a time. */
const FEWEST_STEPS = 4;
const MOST_INVOCATIONS = 128;
/** Of a channel, by one invocation of a scan that goes through its chunks again. */
const MOST_HELD = 16;
/** Inner axes longer than this are not staged: their tiles would leave no room for channels. */
export const LONGEST_STAGED = 256;
/** Where steps sum over states: how many an invocation holds best, and can hold in registers, and lanes of a channel. */
export const BEST_ALONE = 32;
export const MOST_ALONE = 128;
const MOST_SUMMING = 8;
/** An inner axis that steps can sum over on chip. */
export const LONGEST_SUMMED = MOST_ALONE * MOST_SUMMING;

/** Reductions deeper than this, as of a vocabulary, are mostly of few elements: all of the lanes that there may be go to each. */
const DEEP = 8192;

export function schedulesFor(target: Target, options: ScheduleOptions = {}): Schedules {
  const { maxComputeWorkgroupStorageSize: onChip, maxStorageBuffersPerShaderStage } = target.limits;
  const chunkBelow = options.chunkBelow ?? CHANNELS_IN_FLIGHT;
  const chunkFrom = options.chunkFrom ?? LONGEST_UNCUT;
  return {
    maxBindings: options.bindings ?? maxStorageBuffersPerShaderStage,
    bindingBytes: options.bindingBytes ?? target.limits.maxStorageBufferBindingSize,
    map: () => ({ workgroup: 256 }),
    reduce: (depth) => ({
      workgroup: typeof depth !== "number" ? 128 : depth <= 64 ? 32 : depth <= DEEP ? 128 : 256,
    }),
    tiles: (shape) =>
      target.matrixUnits === true ? (options.matrixTiles ?? matrixSchedule(shape)) : tiledSchedule(shape),
    rows: ({ cols, depth, isDear = false, piece }) => {
      if (piece !== undefined) return piecesSchedule({ cols, depth, isDear }, piece);
      const isShort = typeof depth === "number" && depth <= 64;
      if (isDear) return dearSchedule(isShort ? SUBGROUP : MOST_LANES);
      return { kind: "rows", lanes: isShort ? 8 : 32, cols: 4 };
    },
    fewRows: 8,
    launchBytes: options.launchBytes ?? LAUNCH_BYTES,
    scan: (shape) => scanSchedule(shape, onChip),
    crowded: (shape) => crowdedSchedule(shape, onChip, options.crowdedFrom ?? CROWDED),
    chunking(shape, leads, steps) {
      if (shape.channels >= chunkBelow) return undefined;
      const channels: Dim = ["*", leads, shape.channels];
      const light = isLight(shape);
      const all = light ? 2 * CHUNKED_CHANNELS : CHUNKED_CHANNELS;
      const wanted: Dim = ["min", ["^/", all, channels], MOST_CHUNKS];
      const enough: Dim = ["max", ["^/", steps, wanted], Math.min(FEWEST_STEPS_A_CHUNK, chunkFrom)];
      const length: Dim = ["*", ["^/", enough, STEPS_PER_TILE], STEPS_PER_TILE];
      const few: Dim = ["<", channels, chunkBelow];
      const when: Dim = ["&", few, ["<=", chunkFrom, steps]];
      return { isLight: light, when, steps: length, chunks: ["^/", steps, length] };
    },
    sequential: () => ({ workgroup: 64 }),
  };
}

/** So many columns fill a GPU when a subgroup has four of them: each lane reads the more of them, one after the other. */
const MANY_COLUMNS = 3072;
/** So few columns leave it idle unless many lanes share each. */
const FEW_COLUMNS = 1024;
const MOST_LANES = 256;
const SUBGROUP = 32;

/**
 * Lanes with columns each, for what they read of a is more than of b, where that makes workgroups enough or each of them computes
 * a; the fewer columns there are, the more lanes to each. Within 10 % of the best of each of Mamba's sizes on an H100 (bench/RESULTS.md).
 */
function piecesSchedule(
  { cols, depth, isDear }: { readonly cols: Dim; readonly depth: Dim; readonly isDear: boolean },
  piece: number,
): RowsSchedule {
  const pieces = typeof depth === "number" ? 2 ** Math.ceil(Math.log2(depth / piece)) : SUBGROUP;
  const lanesOf = (most: number): number => Math.max(8, Math.min(pieces, most));
  if (typeof cols !== "number" || cols >= MANY_COLUMNS) {
    const lanes = lanesOf(SUBGROUP);
    return { kind: "rows", lanes, cols: 4 * Math.max(1, SUBGROUP / lanes), each: 4 };
  }
  const isFew = cols < FEW_COLUMNS;
  if (isDear && isFew) return dearSchedule(lanesOf(MOST_LANES));
  const lanes = lanesOf(MOST_LANES / 2);
  if (isFew) return { kind: "rows", lanes, cols: Math.max(1, SUBGROUP / lanes) };
  // Of 16 bits, a column has more pieces than of codes.
  const each = piece > 8 ? 4 : 2;
  return { kind: "rows", lanes, cols: each * Math.max(1, SUBGROUP / lanes), each };
}

/** Each workgroup computes all of a row, so each has two columns. */
const dearSchedule = (lanes: number): RowsSchedule => ({
  kind: "rows",
  lanes,
  cols: 2 * Math.max(1, SUBGROUP / lanes),
  each: 2,
});

/** 64×64 by 8×4 is within 7 % of the best measured everywhere it fits (bench/RESULTS.md); small products waste most of it. */
function tiledSchedule({ rows, cols, depth }: ProductShape): TiledSchedule {
  const fills = (extent: Dim): boolean => typeof extent === "number" && extent >= 64 && extent % 64 === 0;
  const isLarge = (typeof cols === "number" && cols >= 192) || (fills(rows) && fills(cols));
  const wide = isLarge && typeof depth === "number" && depth >= 64;
  return wide
    ? { kind: "tiled", tileRows: 64, tileCols: 64, tileDepth: 16, threadRows: 8, threadCols: 4 }
    : { kind: "tiled", tileRows: 32, tileCols: 32, tileDepth: 16, threadRows: 4, threadCols: 4 };
}

const NARROW = 192;
const isDeep = (depth: Dim): boolean => typeof depth === "number" && depth >= 1024;

/** Tiles as large as the product fills, by four subgroups: within 10 % of the best measured at each size (bench/RESULTS.md). */
function matrixSchedule({ rows, cols, depth }: ProductShape): MatrixSchedule {
  // Few columns of great depth are few tiles: small ones, for more of the device to have some.
  if (typeof rows !== "number" && typeof cols === "number" && cols <= NARROW && isDeep(depth))
    return {
      kind: "matrix",
      tileRows: 64,
      tileCols: 32,
      tileDepth: 64,
      partRows: 32,
      partCols: 16,
      stages: 1,
    };
  const tile = (extent: Dim): number => (typeof extent === "number" && extent <= 64 ? 64 : 128);
  const [tileRows, tileCols] = [tile(rows), tile(cols)];
  const isSmall = tileRows === 64 && tileCols === 64;
  const most = isSmall ? 64 : 32;
  const tileDepth = typeof depth === "number" ? Math.min(most, 16 * Math.ceil(depth / 16)) : most;
  return {
    kind: "matrix",
    tileRows,
    tileCols,
    tileDepth,
    partRows: tileRows / 2,
    partCols: tileCols / 2,
    stages: 1,
  };
}

/** Of operands that both lie in f16 twice as much fits into the registers that hold what is on its way. */
export function deepened(schedule: MatrixSchedule, depth: Dim): MatrixSchedule {
  const { tileRows, tileCols, tileDepth } = schedule;
  const isLarge = tileRows === 128 && tileCols === 128 && tileDepth === 32;
  return isLarge && typeof depth === "number" && depth % 64 === 0 ? { ...schedule, tileDepth: 64 } : schedule;
}

const lanesFor = (inner: number): number =>
  inner < 4 ? 1 : inner < 8 ? 2 : inner <= 128 ? 4 : Math.min(32, 2 ** Math.floor(Math.log2(inner / 32)));

/** Lanes that sum wait for each other at every step, but one that holds more than a few states is slower still. */
const lanesToSum = (inner: number): number =>
  Math.min(MOST_SUMMING, 2 ** Math.max(0, Math.ceil(Math.log2(inner / BEST_ALONE))));

/** Whether two invocations can hold all of a channel and still be of many. */
const isLight = ({ inner, held = inner }: ScanShape): boolean => inner > 1 && held <= 2 * MOST_HELD;

/** Where more channels or chunks than lanes could hide fill the device, less to add up counts for more than short turns. */
const FULL = { lanes: 2, steps: STEPS_PER_TILE / 2 } as const;
const isBetterFull = (shape: ScanShape, lanes: number): boolean =>
  lanes > FULL.lanes && shape.reductions > 0 && (shape.sums ?? 0) === 0 && isLight(shape);

const CROWDED = 16_000;

/**
 * Lanes hide what channels wait for while these are few. Where there are many, what counts is how many workgroups fit side by
 * side: two lanes and short tiles keep a third of the memory (a multiprocessor of an H100 has 51 KiB for all of them) and add up half as much.
 */
function crowdedSchedule(shape: ScanShape, onChip: number, from: number): Crowded | undefined {
  const usual = scanSchedule(shape, onChip);
  if (!isBetterFull(shape, usual.lanes)) return undefined;
  return { from, schedule: { ...FULL, channels: Math.min(16, usual.channels) } };
}

/** Channels enough hide what they wait for: a tile is four steps. Lanes a channel grow with what they share; then fewer steps or channels a workgroup until the tiles fit on chip. */
function scanSchedule(shape: ScanShape, onChip: number): ScanKernel["schedule"] {
  const { inner, sums = 0, shared = 0 } = shape;
  let lanes = sums > 0 ? lanesToSum(inner) : lanesFor(inner);
  if (lanes === 1 && inner <= 1 && shape.channels >= CHUNKED_CHANNELS)
    return { channels: 64, lanes, steps: FEWEST_STEPS };
  let steps = lanes === 1 && inner > 1 ? STEPS_PER_TILE / 2 : STEPS_PER_TILE;
  if (shape.isCut === true && isBetterFull(shape, lanes)) ({ lanes, steps } = FULL);
  let channels = Math.min(32, MOST_INVOCATIONS / lanes);
  const byChannel = (): number => (shape.stagedChannel + shape.reductions * lanes) * channels;
  const byInner = shape.stagedInner * inner;
  // A subgroup or two wait for nobody else. Each workgroup stages what all channels share, so that should be the smaller part.
  if (lanes > 1 && channels === 32 && 2 * byInner <= byChannel()) channels = 16;
  const between = (): number => (lanes > 1 ? (8 * sums + 4 * shared) * lanes * channels : 0);
  while (4 * steps * (byChannel() + byInner) + between() > onChip && channels > 1) {
    const shorter = steps > FEWEST_STEPS && (byInner > byChannel() || channels <= 8);
    if (shorter) steps /= 2;
    else channels /= 2;
  }
  return { channels, lanes, steps };
}
