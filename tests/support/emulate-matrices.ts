/**
 * Subgroup matrices in plain WGSL, so that a shader that multiplies on matrix units runs where there are none: the same tiles, the
 * same addresses, each lane of 32 with eight elements of a sum. f16 operands are unpacked from the words that the shader
 * itself has packed.
 */
import { wrapped } from "./wrapped-device.js";

const EMULATION = `
struct Operand { part: u32, offset: u32, stride: u32, by_columns: bool }

fn half_of(word: vec4u, i: u32) -> f32 {
  return unpack2x16float(word[i / 2u] >> (16u * (i % 2u))).x;
}

fn place(at: Operand, row: u32, col: u32) -> vec2u {
  let line = select(row, col, at.by_columns);
  let along = select(col, row, at.by_columns);
  return vec2u(at.offset + line * at.stride + along / 8u, along % 8u);
}

fn accumulate(sum: ptr<function, array<f32, 8>>, left: Operand, right: Operand, lane: u32) {
  for (var e = 0u; e < 8u; e++) {
    let row = (8u * lane + e) / 16u;
    let col = (8u * lane + e) % 16u;
    for (var k = 0u; k < 16u; k++) {
      let a = place(left, row, k);
      let b = place(right, k, col);
      (*sum)[e] += half_of(a_tiles[left.part][a.x], a.y) * half_of(b_tiles[right.part][b.x], b.y);
    }
  }
}

`;

/** Sums leave through either operand's tiles. */
const storeInto = (tiles: string): string => `
fn store_sum_${tiles}(sum: ptr<function, array<f32, 8>>, part: u32, offset: u32, stride: u32, lane: u32) {
  for (var e = 0u; e < 8u; e += 4u) {
    let col = (8u * lane + e) % 16u;
    let four = vec4f((*sum)[e], (*sum)[e + 1u], (*sum)[e + 2u], (*sum)[e + 3u]);
    ${tiles}[part][offset + (8u * lane + e) / 16u * stride + col / 4u] = bitcast<vec4u>(four);
  }
}
`;

/** What a device says of itself that has the matrix units which the compiler's shaders use. */
export const MATRIX_INFO = {
  subgroupMatrixConfigs: [{ componentType: "f16", resultComponentType: "f32", M: 16, N: 16, K: 16 }],
} as unknown as GPUAdapterInfo;

/** A device that has matrix units: the real one's, or emulated. */
export function withMatrices(device: GPUDevice): GPUDevice {
  if (device.features.has("chromium-experimental-subgroup-matrix")) return device;
  const features = { has: () => true } as unknown as GPUSupportedFeatures;
  const limits = new Proxy(device.limits, {
    get: (target, key) =>
      key === "maxComputeWorkgroupStorageSize" ? 49152 : (Reflect.get(target, key, target) as unknown),
  });
  return wrapped(device, {
    features,
    limits,
    adapterInfo: MATRIX_INFO,
    createShaderModule: (descriptor) =>
      device.createShaderModule({
        ...descriptor,
        code: emulateHalves(
          usesMatrices(descriptor.code) ? emulateMatrices(descriptor.code) : descriptor.code,
        ),
      }),
  });
}

const LOAD =
  /= subgroupMatrixLoad<subgroup_matrix_(?:left|right)<f16, 16, 16>, (row|col)_major>\(&[ab]_tiles\[(.*)\], (\d+), (\d+)\);/g;

export const usesMatrices = (code: string): boolean =>
  code.includes("enable chromium_experimental_subgroup_matrix;");

/** @throws where something of the extension is left that is not known here. */
export function emulateMatrices(code: string): string {
  const emulated = code
    .replace(/^enable .*;\n/gm, "")
    .replace(" @subgroup_size(32)", "")
    .replace(/^ *@builtin\(subgroup_(?:id|invocation_id)\).*\n/gm, "")
    .replace(
      "  let tile = ",
      "  let subgroup = invocation / 32u;\n  let lane = invocation % 32u;\n  let tile = ",
    )
    .replace(/: subgroup_matrix_result<f32, 16, 16>;/g, ": array<f32, 8>;")
    .replace(
      LOAD,
      (_, order, part, offset, stride) =>
        `= Operand(${String(part)}, ${String(offset)}u, ${String(stride)}u, ${String(order === "col")});`,
    )
    .replace(
      /(\w+) = subgroupMatrixMultiplyAccumulate\((\w+), (\w+), \1\);/g,
      "accumulate(&$1, $2, $3, lane);",
    )
    .replace(
      /subgroupMatrixStore<row_major>\(&([ab]_tiles)\[(.*)\], (.*), (\w+), (\d+)\);/g,
      "store_sum_$1(&$4, $2, $3, $5u, lane);",
    );
  if (/subgroup(?:_)?matrix/i.test(emulated)) throw new Error(`not emulated:\n${emulated}`);
  const stores = ["a_tiles", "b_tiles"]
    .filter((tiles) => emulated.includes(`store_sum_${tiles}(`))
    .map(storeInto);
  return emulated.replace("\n@compute", `\n${EMULATION}${stores.join("")}\n@compute`);
}

const WRITTEN = /var<storage, read_write> (\w+): array<(f16|vec4<f16>)>;/g;

/** Bindings of f16 that are written, on a device without the extension: as words, of which neighbours write their halves apart. */
export function emulateHalves(code: string): string {
  let emulated = code.replace(/^enable f16;\n/m, "");
  const functions: string[] = [];
  for (const [, binding = "", type] of code.matchAll(WRITTEN)) {
    const declared = `var<storage, read_write> ${binding}: array<`;
    if (type === "f16") {
      emulated = emulated
        .replace(`${declared}f16>;`, `${declared}atomic<u32>>;`)
        .replace(
          new RegExp(`\\b${binding}\\[(.*)\\] = f16\\((.*)\\);`, "g"),
          `store_half_${binding}($1, $2);`,
        );
      functions.push(`
fn store_half_${binding}(index: u32, value: f32) {
  let shift = 16u * (index & 1u);
  atomicAnd(&${binding}[index >> 1u], ~(0xffffu << shift));
  atomicOr(&${binding}[index >> 1u], pack2x16float(vec2f(value, 0.0)) << shift);
}
`);
      continue;
    }
    emulated = emulated
      .replace(`${declared}vec4<f16>>;`, `${declared}vec2u>;`)
      .replace(
        new RegExp(`\\b${binding}\\[(.*) >> 2u\\] = vec4<f16>\\((.*)\\);`, "g"),
        `${binding}[($1) >> 2u] = vec2u(pack2x16float(($2).xy), pack2x16float(($2).zw));`,
      )
      .replace(
        new RegExp(`\\b${binding}\\[(.*) >> 2u\\]\\[.* & 3u\\] = f16\\((.*)\\);`, "g"),
        `store_half_${binding}($1, $2);`,
      );
    functions.push(`
fn store_half_${binding}(index: u32, value: f32) {
  let part = (index >> 1u) & 1u;
  let shift = 16u * (index & 1u);
  let kept = ${binding}[index >> 2u][part] & ~(0xffffu << shift);
  ${binding}[index >> 2u][part] = kept | (pack2x16float(vec2f(value, 0.0)) << shift);
}
`);
  }
  if (/f16\b/.test(emulated.replaceAll("pack2x16float", ""))) throw new Error(`not emulated:\n${emulated}`);
  return emulated.replace("\n@compute", `\n${functions.join("\n")}\n@compute`);
}
