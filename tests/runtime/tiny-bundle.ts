/**
 * A bundle written by hand, and its model in plain JavaScript:
 *   h[b, c] = a[c] · prev(h) + x[b, t, c] + shift[c] + token[b, t], init 0.5;  y[b, t, c] = a[c]² · h;  where[t] = pos(t)
 * It has a load program (a²), a body and a tail, an input without time, an index input, and outputs with and without batch.
 */
import {
  FORMAT_VERSION,
  type Bundle,
  type Dim,
  type Dispatch,
  type Manifest,
  type Program,
} from "../../runtime/bundle-format.js";
import { sha256 } from "../../runtime/bundle.js";

export const CHANNELS = 3;
export const TOKENS = 10;
export const A = Float32Array.of(0.5, 0.25, -0.75);

const numbers = `struct Numbers { b: u32, t: u32, pos: u32, tail_begin: u32, tail_count: u32, rows: u32 }
@group(0) @binding(0) var<uniform> n: Numbers;
`;

const shaders = {
  square: `${numbers}
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read_write> g: array<f32>;
@compute @workgroup_size(4) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < ${String(CHANNELS)}u) { g[id.x] = a[id.x] * a[id.x]; }
}`,
  scan: `${numbers}
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> shift: array<f32>;
@group(0) @binding(3) var<storage, read> token: array<u32>;
@group(0) @binding(4) var<storage, read> a: array<f32>;
@group(0) @binding(5) var<storage, read> h_before: array<f32>;
@group(0) @binding(6) var<storage, read_write> h_after: array<f32>;
@group(0) @binding(7) var<storage, read_write> h: array<f32>;
@compute @workgroup_size(4) fn main(@builtin(global_invocation_id) id: vec3u) {
  let batch = id.y;
  let c = id.x;
  if (c >= ${String(CHANNELS)}u || batch >= n.b) { return; }
  var state = h_before[batch * ${String(CHANNELS)}u + c];
  for (var t = 0u; t < n.t; t++) {
    let row = batch * n.t + t;
    state = a[c] * state + x[row * ${String(CHANNELS)}u + c] + shift[c] + f32(token[row]);
    h[row * ${String(CHANNELS)}u + c] = state;
  }
  h_after[batch * ${String(CHANNELS)}u + c] = state;
}`,
  head: `${numbers}
@group(0) @binding(1) var<storage, read> h: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(4) fn main(@builtin(global_invocation_id) id: vec3u) {
  let c = id.x;
  let batch = id.y / n.tail_count;
  let row = batch * n.t + n.tail_begin + id.y % n.tail_count;
  if (c < ${String(CHANNELS)}u && batch < n.b) {
    y[id.y * ${String(CHANNELS)}u + c] = g[c] * h[row * ${String(CHANNELS)}u + c];
  }
}`,
  where: `${numbers}
@group(0) @binding(1) var<storage, read_write> position: array<f32>;
@compute @workgroup_size(4) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < n.tail_count) { position[id.x] = f32(n.pos + n.tail_begin + id.x); }
}`,
};

const channelBytes = CHANNELS * 4;
const all = { offset: 0 };
const buffers = {
  a: { in: "constant", id: "a", ...all, bytes: channelBytes },
  g: { in: "constant", id: "g", ...all, bytes: channelBytes },
  x: { in: "input", id: "x", ...all, bytes: ["*", "rows", channelBytes] },
  shift: { in: "input", id: "shift", ...all, bytes: channelBytes },
  token: { in: "input", id: "token", ...all, bytes: ["*", "rows", 4] },
  before: { in: "state", offset: 256, bytes: ["*", "b", channelBytes] },
  after: { in: "next_state", offset: 256, bytes: ["*", "b", channelBytes] },
  h: { in: "scratch", id: "h", ...all, bytes: ["*", "rows", channelBytes] },
  y: { in: "output", id: "y", ...all, bytes: ["*", ["*", "b", "tail_count"], channelBytes] },
  where: { in: "output", id: "where", ...all, bytes: ["*", "tail_count", 4] },
} as const;

const dispatches = {
  square: { shader: "square", bindings: [buffers.a, buffers.g], workgroups: [1, 1, 1] },
  scan: {
    shader: "scan",
    bindings: [buffers.x, buffers.shift, buffers.token, buffers.a, buffers.before, buffers.after, buffers.h],
    workgroups: [1, "b", 1],
  },
  head: {
    shader: "head",
    bindings: [buffers.h, buffers.g, buffers.y],
    workgroups: [1, ["*", "b", "tail_count"], 1],
  },
  where: { shader: "where", bindings: [buffers.where], workgroups: [["^/", "tail_count", 4], 1, 1] },
  never: { shader: "where", bindings: [buffers.where], workgroups: [1, 1, 1], when: ["<", "t", 1] },
} as const satisfies Record<string, Dispatch>;

/** The bundle; `change` edits its manifest before it is returned. */
export async function tinyBundle(change: (manifest: Manifest) => Manifest = (m) => m): Promise<Bundle> {
  const files = new Map<string, string>([["sources/tiny.krait", "model tiny\n"]]);
  const shaderEntries = await Promise.all(
    Object.entries(shaders).map(async ([id, code]) => {
      const file = `kernels/${id}.wgsl`;
      files.set(file, code);
      const bindings = [...code.matchAll(/var<storage, (\w+)> (\w+)/g)].map(([, access, name]) => ({
        name: name ?? "",
        access: access as "read" | "read_write",
      }));
      const workgroup: [number, number, number] = [4, 1, 1];
      return {
        id,
        file,
        sha256: await sha256(code),
        label: `tiny.${id}`,
        bindings,
        workgroup,
        workgroupBytes: 0,
      };
    }),
  );
  const entries = ["b", "t", "pos", "tail_begin", "tail_count"].map((name) => ({ name }));
  const rows: Dim = ["*", "b", "t"];
  const program = (body: Dispatch[], tail: Dispatch[]): Program => ({
    numbers: [...entries, { name: "rows", value: rows }],
    scratch: [{ id: "h", bytes: buffers.h.bytes }],
    body,
    tail,
  });
  const batch = { name: "b", size: "b" };
  const time = { name: "t", size: "t" };
  const channel = { name: "c", size: CHANNELS };
  const manifest: Manifest = {
    format: "krait-bundle",
    formatVersion: FORMAT_VERSION,
    compiler: "by hand",
    model: "tiny",
    sources: [{ file: "sources/tiny.krait", sha256: await sha256("model tiny\n") }],
    options: { set: {}, targets: ["baseline"], weights: "f32" },
    constants: { channels: CHANNELS },
    inputs: [
      { name: "x", scalar: "f32", axes: [batch, time, channel], time: "t" },
      { name: "shift", scalar: "f32", axes: [channel] },
      { name: "token", scalar: "index", bound: TOKENS, axes: [batch, time], time: "t" },
    ],
    outputs: [
      { name: "y", axes: [batch, time, channel], time: "t" },
      { name: "where", axes: [time], time: "t" },
    ],
    states: [{ name: "scan.h", kind: "state", axes: [batch, channel], init: 0.5 }],
    params: [{ name: "a", sources: ["decay.a", "a"], shape: [CHANNELS], storage: "f32" }],
    targets: [
      {
        name: "baseline",
        requires: { features: [], limits: { maxStorageBuffersPerShaderStage: 8 } },
        shaders: shaderEntries,
        constants: [
          { id: "a", bytes: channelBytes, params: [{ param: "a", offset: 0 }] },
          { id: "g", bytes: channelBytes, params: [] },
        ],
        states: {
          bytes: ["+", 256, ["*", "b", channelBytes]],
          places: [{ state: "scan.h", offset: 256 }],
        },
        load: program([dispatches.square], []),
        prefill: program([dispatches.scan, dispatches.never], [dispatches.head, dispatches.where]),
        step: program([dispatches.scan], [dispatches.head, dispatches.where]),
      },
    ],
  };
  return { manifest: change(manifest), files };
}

export interface TinyInputs {
  readonly x: Float32Array<ArrayBuffer>;
  readonly shift: Float32Array<ArrayBuffer>;
  readonly token: Uint32Array<ArrayBuffer>;
}

/** Inputs whose values and sums are exact in f32, so that results can be compared for equality. */
export function tinyInputs(batch: number, steps: number): TinyInputs {
  return {
    x: Float32Array.from({ length: batch * steps * CHANNELS }, (_, i) => ((i * 7) % 13) - 6),
    shift: Float32Array.of(1, -2, 4),
    token: Uint32Array.from({ length: batch * steps }, (_, i) => (i * 3) % TOKENS),
  };
}

/** Steps begin ≤ t < end of inputs with `steps` steps. */
export function cut({ x, shift, token }: TinyInputs, batch: number, begin: number, end: number): TinyInputs {
  const steps = token.length / batch;
  const rows = <T extends Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>>(data: T, width: number): T =>
    data.filter((_, i) => {
      const t = Math.floor(i / width) % steps;
      return t >= begin && t < end;
    }) as T;
  return { x: rows(x, CHANNELS), shift, token: rows(token, 1) };
}

/** The model, computed in double precision. */
export function tinyModel({ x, shift, token }: TinyInputs, batch: number): { y: number[]; h: number[] } {
  const steps = token.length / batch;
  const y: number[] = [];
  const last: number[] = [];
  for (let b = 0; b < batch; b++) {
    const h = Array.from({ length: CHANNELS }, () => 0.5);
    for (let t = 0; t < steps; t++) {
      for (let c = 0; c < CHANNELS; c++) {
        const row = b * steps + t;
        const a = A[c] ?? 0;
        h[c] = a * (h[c] ?? 0) + (x[row * CHANNELS + c] ?? 0) + (shift[c] ?? 0) + (token[row] ?? 0);
        y.push(a * a * (h[c] ?? 0));
      }
    }
    last.push(...h);
  }
  return { y, h: last };
}
