/** Names in a shader: what the source calls a thing, made fit for WGSL and unlike every other name of the module. */

/** Words of WGSL, its predeclared types, and the built-in functions that shaders here call. */
const WGSL_WORDS = `
  alias break case const const_assert continue continuing default diagnostic discard else enable false fn for if let loop
  override requires return struct switch true var while array atomic bool f16 f32 i32 u32 vec2 vec3 vec4 vec2f vec3f vec4f
  vec2u vec3u vec4u vec2i vec3i vec4i mat2x2 mat3x3 mat4x4 ptr sampler texture_2d bitcast function private storage uniform
  workgroup read write read_write
  abs acos all any asin atan atan2 ceil clamp cos cosh cross degrees distance dot exp exp2 floor fma fract length log log2
  max min mix modf normalize pow radians reflect round saturate select sign sin sinh smoothstep sqrt step tan tanh trunc
  inverseSqrt ldexp frexp unpack2x16float pack2x16float workgroupBarrier storageBarrier subgroupAdd subgroupShuffleXor
  subgroup_matrix_left subgroup_matrix_right subgroup_matrix_result subgroupMatrixLoad subgroupMatrixMultiplyAccumulate
  subgroupMatrixStore row_major col_major
  NULL Self abstract active alignas alignof as asm asm_fragment async attribute auto await become cast catch class co_await
  co_return co_yield coherent column_major common compile compile_fragment concept const_cast consteval constexpr constinit
  crate debugger decltype delete demote demote_to_helper do dynamic_cast enum explicit export extends extern external
  fallthrough filter final finally friend from fxgroup get goto groupshared highp impl implements import inline instanceof
  interface layout lowp macro macro_rules match mediump meta mod module move mut mutable namespace new nil noexcept noinline
  nointerpolation non_coherent noncoherent noperspective null nullptr of operator package packoffset partial pass patch
  pixelfragment precise precision premerge priv protected pub public readonly ref regardless register reinterpret_cast
  require resource restrict self set shared sizeof smooth snorm static static_assert static_cast std subroutine super
  target template this thread_local throw trait try type typedef typeid typename typeof union unless unorm unsafe unsized
  use using varying virtual volatile wgsl where with writeonly yield`;

/** Names that each skeleton uses in `main` and beside it. */
const SKELETON_WORDS = {
  map: "",
  reduce: "stride",
  contract: `tile row_tile batch row row_0 row_1 row_2 row_3 row_4 row_5 row_6 row_7 col k acc finish finish_four tile_a tile_b depth_start thread_row thread_col first_row first_col
    lane column stride k_four k_first acc_own acc_four acc_partials
    stage a_tiles b_tiles stripe stripe_part stripe_at stripe_row stripe_col stripe_sum finish_fours four_cols lane_row lane_col lane_at lane_piece lane_sums part subgroup subgroup_row subgroup_col`,
  scan: `lead channel n t lane slot quad step step_count channel_slot channel_start channel_pair pair_slot pair_lane tile_begin tile_end tile_start tile_next`,
  sequential: "lead t",
} as const;

export type SkeletonName = keyof typeof SKELETON_WORDS;

const wordsOf = (text: string): readonly string[] => text.trim().split(/\s+/);

/** What a member of a struct may not be called. */
export const KEYWORDS: ReadonlySet<string> = new Set(wordsOf(WGSL_WORDS));

/** Names that a skeleton numbers in `main`, as many of them as its schedule asks for. */
const NUMBERED_WORDS: Partial<Record<SkeletonName, RegExp>> = {
  contract: /^(?:sum_\d+|sums|(?:piece|side|k|at|four|word)_[ab])_\d+$/,
};

export const numberedIn = (skeleton: SkeletonName): RegExp | undefined => NUMBERED_WORDS[skeleton];

/** What the source's things may not be called in a module of this skeleton. */
export function reservedIn(skeleton: SkeletonName): ReadonlySet<string> {
  const everywhere = ["main", "numbers", "Numbers", "group", "invocation", "element"];
  return new Set([...KEYWORDS, ...everywhere, ...wordsOf(SKELETON_WORDS[skeleton])]);
}

/** `text` as WGSL takes it: letters, digits and underscores, not starting with a digit or two underscores. */
export function identifier(text: string): string {
  const plain = text
    .replaceAll("'", "_prime")
    .replace(/\W+/g, "_")
    .replace(/^_+(?=.)/, "")
    .replace(/_{2,}/g, "_")
    .replace(/_+$/, "");
  return /^[A-Za-z]/.test(plain) ? plain : `v${plain}`;
}

/** Gives out names, each once. */
export class Names {
  private readonly taken: Set<string>;
  /** The last number given to a name, so that the thousandth is found as fast as the first. */
  private readonly numbers = new Map<string, number>();

  /** Gives out neither those of `reserved` nor those that `pattern` describes. */
  constructor(
    reserved: Iterable<string>,
    private readonly pattern?: RegExp,
  ) {
    this.taken = new Set(reserved);
  }

  private isTaken(name: string): boolean {
    return this.taken.has(name) || this.pattern?.test(name) === true;
  }

  take(wanted: string): string {
    const base = identifier(wanted);
    let name = this.isTaken(base) ? `${base}_` : base;
    let number = this.numbers.get(base) ?? 0;
    while (this.isTaken(name)) name = `${base}_${++number}`;
    this.numbers.set(base, number);
    this.taken.add(name);
    return name;
  }

  /** How many there are. */
  get size(): number {
    return this.taken.size;
  }
}
