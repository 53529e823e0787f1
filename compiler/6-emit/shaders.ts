/** Shader files: kernels printed as WGSL, equal ones shared. */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import type { Dim, ShaderEntry } from "../../runtime/bundle-format.js";
import { printWgsl } from "../5-kernel/print-wgsl.js";
import type { Kernel } from "../5-kernel/types.js";

export const hashOf = (text: string): string => bytesToHex(sha256(utf8ToBytes(text)));

export interface PlacedShader {
  readonly id: string;
  readonly dispatch: readonly [Dim, Dim, Dim];
}

/** The shaders of one target. */
export class ShaderTable {
  private readonly byCode = new Map<string, ShaderEntry>();
  private readonly ids = new Set<string>();
  private readonly shared = new Map<string, string>();
  readonly files = new Map<string, string>();
  /** The kernel of each shader, for inspection. */
  readonly kernels = new Map<string, Kernel>();

  /** By kernel, then by the program's numbers: layers that do the same share the very kernel. */
  private readonly placed = new WeakMap<Kernel, Map<string, PlacedShader>>();

  /** `beside`: files of another table in the same folder, of which equal shaders are taken. */
  constructor(
    private readonly folder: string,
    private readonly beside: ReadonlyMap<string, string> = new Map(),
  ) {
    for (const [file, code] of beside) this.shared.set(code, file);
  }

  add(kernel: Kernel, numbers: readonly string[]): PlacedShader {
    const known = this.placed.get(kernel) ?? new Map<string, PlacedShader>();
    this.placed.set(kernel, known);
    const key = numbers.join();
    const shader = known.get(key) ?? this.print(kernel, numbers);
    known.set(key, shader);
    return shader;
  }

  private print(kernel: Kernel, numbers: readonly string[]): PlacedShader {
    const printed = printWgsl(kernel, numbers);
    let entry = this.byCode.get(printed.code);
    if (entry === undefined) {
      let id = kernel.name;
      for (let k = 2; this.ids.has(id); k++) id = `${kernel.name}_${k}`;
      this.ids.add(id);
      const file = this.shared.get(printed.code) ?? this.fileOf(id);
      entry = {
        id,
        file,
        sha256: hashOf(printed.code),
        label: kernel.name,
        bindings: kernel.bindings.map(({ name, access }) => ({ name, access })),
        workgroup: printed.workgroup,
        workgroupBytes: printed.workgroupBytes,
      };
      this.byCode.set(printed.code, entry);
      this.files.set(file, printed.code);
      this.kernels.set(id, kernel);
    }
    return { id: entry.id, dispatch: printed.dispatch };
  }

  private fileOf(id: string): string {
    const free = (name: string): string => `${this.folder}/${name}.wgsl`;
    for (let k = 1; ; k++) {
      const file = free(k === 1 ? id : `${id}_tuned_${k}`);
      if (!this.beside.has(file) && !this.files.has(file)) return file;
    }
  }

  entries(): readonly ShaderEntry[] {
    return [...this.byCode.values()];
  }
}
