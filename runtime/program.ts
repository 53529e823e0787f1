/** A program made ready: references resolved, sizes and dispatch counts as functions of the run-time numbers. */
import type { BufferRange, Dispatch, Program } from "./bundle-format.js";
import type { Evaluate } from "./dim.js";
import { KraitError } from "./errors.js";
import { Numbers, supplied, type AxisNames, type RunNumbers } from "./numbers.js";
import type { Pipeline } from "./pipelines.js";

export type Part = "body" | "tail";

export interface PreparedRange {
  readonly range: BufferRange;
  readonly offset: Evaluate;
  readonly bytes: Evaluate;
}

export interface PreparedDispatch {
  readonly pipeline: Pipeline;
  readonly bindings: readonly PreparedRange[];
  readonly workgroups: readonly [Evaluate, Evaluate, Evaluate];
  readonly when: Evaluate | undefined;
}

export interface PreparedPart {
  readonly dispatches: readonly PreparedDispatch[];
  /** The supplied numbers that ranges, `when`s and counts depend on: as long as these stay, so do the launches. */
  readonly keyNumbers: readonly number[];
}

/** How many bytes of which buffer a run touches. */
export interface BufferNeed {
  readonly in: BufferRange["in"];
  /** Empty for the state arenas. */
  readonly id: string;
  readonly bytes: number;
}

export interface Needs {
  readonly buffers: readonly BufferNeed[];
  /** What one binding has to span at most, and which. */
  readonly largestBinding: { readonly bytes: number; readonly label: string };
}

export class PreparedProgram {
  readonly name: string;
  readonly numbers: Numbers;
  /** Whether results depend on how many steps came before. */
  readonly isPositional: boolean;
  /** Steps a chunk of documents, where it cuts them. */
  readonly chunk: number | undefined;
  readonly body: PreparedPart;
  readonly tail: PreparedPart;
  readonly #scratch: readonly { readonly id: string; readonly bytes: Evaluate }[];
  /** The supplied numbers that any size depends on. */
  readonly #sizeNumbers: readonly number[];

  /** @throws KraitError R0105 where the program names a shader or number that is not there. */
  constructor(name: string, program: Program, names: AxisNames, pipelines: ReadonlyMap<string, Pipeline>) {
    this.name = name;
    this.isPositional = program.positional === true;
    this.chunk = program.chunk;
    this.numbers = new Numbers(names, program.numbers);
    this.#scratch = program.scratch.map(({ id, bytes }) => ({ id, bytes: this.numbers.compile(bytes) }));
    const scratch = new Set(program.scratch.map(({ id }) => id));
    const part = (dispatches: readonly Dispatch[]): PreparedPart => {
      const ranges = dispatches.flatMap(({ bindings }) => bindings);
      for (const range of ranges) {
        if (range.in === "scratch" && !scratch.has(range.id)) {
          throw new KraitError("R0105", `The program ${name} has no scratch "${range.id}".`);
        }
      }
      return {
        dispatches: dispatches.map((dispatch) => this.#prepare(dispatch, pipelines)),
        keyNumbers: [
          ...this.numbers.sources([
            ...ranges.flatMap(({ offset, bytes }) => [offset, bytes]),
            ...dispatches.flatMap(({ when = 1, workgroups }) => [when, ...workgroups]),
          ]),
        ],
      };
    };
    this.body = part(program.body);
    this.tail = part(program.tail);
    const scratchNumbers = this.numbers.sources(program.scratch.map(({ bytes }) => bytes));
    this.#sizeNumbers = [...new Set([...this.body.keyNumbers, ...this.tail.keyNumbers, ...scratchNumbers])];
  }

  #prepare(dispatch: Dispatch, pipelines: ReadonlyMap<string, Pipeline>): PreparedDispatch {
    const pipeline = pipelines.get(dispatch.shader);
    if (pipeline === undefined) {
      throw new KraitError(
        "R0105",
        `The program ${this.name} uses a shader "${dispatch.shader}" that is not there.`,
      );
    }
    const { bindings, label } = pipeline.shader;
    if (bindings.length !== dispatch.bindings.length) {
      const counts = `${String(dispatch.bindings.length)} of ${String(bindings.length)}`;
      throw new KraitError(
        "R0105",
        `The program ${this.name} binds ${counts} buffers of the shader "${label}".`,
      );
    }
    const compile = (dim: Dispatch["workgroups"][0]): Evaluate => this.numbers.compile(dim);
    const [x, y, z] = dispatch.workgroups;
    return {
      pipeline,
      bindings: dispatch.bindings.map((range) => ({
        range,
        offset: compile(range.offset),
        bytes: compile(range.bytes),
      })),
      workgroups: [compile(x), compile(y), compile(z)],
      when: dispatch.when === undefined ? undefined : compile(dispatch.when),
    };
  }

  /** Runs of one key need the same memory. */
  sizeKey(run: RunNumbers): string {
    return this.keyOf(this.#sizeNumbers, run);
  }

  /** The values of some supplied numbers, as a key. */
  keyOf(slots: readonly number[], run: RunNumbers): string {
    const values = supplied(run);
    return slots.map((slot) => values[slot]).join();
  }

  /** What a run with these numbers touches, and the largest single binding among it. */
  needs(run: RunNumbers): Needs {
    const values = this.numbers.values(run);
    const needs = new Map<string, BufferNeed>();
    const need = (place: BufferRange["in"], id: string, bytes: number): void => {
      const key = `${place} ${id}`;
      const before = needs.get(key)?.bytes ?? 0;
      needs.set(key, { in: place, id, bytes: Math.max(before, bytes) });
    };
    for (const { id, bytes } of this.#scratch) need("scratch", id, bytes(values));
    let largestBinding = { bytes: 0, label: "" };
    for (const { pipeline, bindings, when } of [...this.body.dispatches, ...this.tail.dispatches]) {
      if (when?.(values) === 0) continue;
      for (const [i, { range, offset, bytes }] of bindings.entries()) {
        const size = bytes(values);
        if (size > largestBinding.bytes) {
          const { label, bindings: names } = pipeline.shader;
          largestBinding = { bytes: size, label: `"${names[i]?.name ?? ""}" of the kernel "${label}"` };
        }
        need(range.in, "id" in range ? range.id : "", offset(values) + size);
      }
    }
    return { buffers: [...needs.values()], largestBinding };
  }
}
