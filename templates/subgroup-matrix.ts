/**
 * Matrices that a subgroup holds together, its lanes a part each, and multiplies on the device's matrix units. Operands are f16,
 * sums f32, in units of 16 × 16 × 16. WebGPU has them as an experiment (Dawn's `chromium_experimental_subgroup_matrix`).
 */
import { code, name, type Code, type Name, type Wgsl } from "./wgsl.js";

/** Rows, columns and depth of one multiplication. */
export const UNIT = 16;
/** Invocations that hold a matrix together. */
export const SUBGROUP = 32;
/** What a shader must enable. */
export const MATRIX_EXTENSIONS: readonly string[] = [
  "f16",
  "subgroups",
  "subgroup_size_control",
  "chromium_experimental_subgroup_matrix",
];

/** f16 operands lie in memory as words of eight (`vec4u`), in lines of so many words. */
export const WORD = 8;

export type Order = "row_major" | "col_major";

export interface Operand {
  readonly side: "left" | "right";
  readonly order: Order;
  /** An array of words in workgroup memory. Where it, `offset` and `stride` are known to fit, no check is made when it runs. */
  readonly memory: { readonly array: Name; readonly part: Wgsl<"u32"> };
  /** Words to the first one, and between lines. */
  readonly offset: number;
  readonly stride: number;
}

export const declareSum = (sum: Name): Code =>
  code`var ${sum}: subgroup_matrix_result<f32, ${UNIT}, ${UNIT}>;`;

export function loadOperand(into: Name, { side, order, memory, offset, stride }: Operand): Code {
  const type = name(`subgroup_matrix_${side}`);
  return code`let ${into} = subgroupMatrixLoad<${type}<f16, ${UNIT}, ${UNIT}>, ${name(order)}>(&${memory.array}[${memory.part}], ${offset}, ${stride});`;
}

export const multiplyAccumulate = (sum: Name, left: Name, right: Name): Code =>
  code`${sum} = subgroupMatrixMultiplyAccumulate(${left}, ${right}, ${sum});`;

/** Writes a sum's f32 values into words of four, from the word `offset` on and `stride` words apart from row to row. */
export const storeSum = (
  sum: Name,
  { array, part }: Operand["memory"],
  offset: Wgsl<"u32">,
  stride: number,
): Code => code`subgroupMatrixStore<row_major>(&${array}[${part}], ${offset}, ${sum}, ${stride});`;
