/** What every kernel's entry point starts with. */
import { code, wgsl, type Code, type Wgsl } from "../wgsl.js";

/** More workgroups than this along one axis are not allowed by WebGPU's default limits. */
export const MOST_GROUPS = 65535;

/** The workgroup's number, of a dispatch along x that goes on along y where it is too long. */
export const flatGroup = (folded: boolean): Wgsl<"u32"> =>
  folded ? wgsl<"u32">`group.y * ${MOST_GROUPS}u + group.x` : wgsl<"u32">`group.x`;

/** The number along y, of a dispatch that goes on along z. */
export const groupAlongY = (folded: boolean): Wgsl<"u32"> =>
  folded ? wgsl<"u32">`group.z * ${MOST_GROUPS}u + group.y` : wgsl<"u32">`group.y`;

export function entryPoint(workgroup: number, body: Code): Code {
  return code`
    @compute @workgroup_size(${workgroup})
    fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
      ${body}
    }
  `;
}
