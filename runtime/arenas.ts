/** The two arenas of a session's states: a run reads one and writes the other, then they swap. */
import { restOf, storedAngle, storedAngles } from "./angles.js";
import { BufferUsage } from "./gpu-constants.js";
import type { BufferRequest } from "./memory.js";
import type { Region } from "./readback.js";
import type { Parity } from "./runner.js";
import type { StateLayout, StatePlace } from "./states.js";
import type { HostTensor } from "./tensor.js";

const USAGE = BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST;

export class Arenas {
  readonly layout: StateLayout;
  readonly #device: GPUDevice;
  readonly #buffers: readonly [GPUBuffer, GPUBuffer];
  #parity: Parity = 0;

  /** What the two take. */
  static requests(layout: StateLayout, batch: number): readonly [BufferRequest, BufferRequest] {
    const request = (which: string): BufferRequest => ({
      label: `the states of a batch of ${String(batch)} (${which})`,
      bytes: layout.bytes,
      usage: USAGE,
    });
    return [request("read"), request("written")];
  }

  constructor(device: GPUDevice, layout: StateLayout, buffers: readonly [GPUBuffer, GPUBuffer]) {
    this.#device = device;
    this.layout = layout;
    this.#buffers = buffers;
  }

  /** Which arena the next run reads. */
  get parity(): Parity {
    return this.#parity;
  }

  /** The arena that a run of this parity reads. */
  at(parity: Parity): GPUBuffer {
    return this.#buffers[parity];
  }

  /** To be called when a run was submitted: what it writes is what the next one reads. */
  swap(): void {
    this.#parity = this.#parity === 0 ? 1 : 0;
  }

  /** Initial values. */
  reset(): void {
    const arena = this.at(this.#parity);
    const encoder = this.#device.createCommandEncoder({ label: "initial states" });
    encoder.clearBuffer(arena);
    this.#device.queue.submit([encoder.finish()]);
    for (const { init, elements, offset, count } of this.layout.places) {
      if (init === 0) continue;
      // An initial value is real.
      const each = { real: [init], complex: [init, 0], angle: storedAngle(init) }[elements];
      const values = Float32Array.from({ length: count }, (_, i) => each[i % each.length] ?? 0);
      this.#device.queue.writeBuffer(arena, offset, values);
    }
  }

  write(states: Readonly<Record<string, HostTensor>>): void {
    for (const { name, offset, elements } of this.layout.places) {
      const tensor = states[name];
      if (tensor === undefined) continue;
      const data =
        elements === "angle"
          ? storedAngles(tensor, states[restOf(name)])
          : (tensor.data as Float32Array<ArrayBuffer>);
      this.#device.queue.writeBuffer(this.at(this.#parity), offset, data);
    }
  }

  /** All of them, as they lie now. */
  get whole(): Region {
    return { buffer: this.at(this.#parity), offset: 0, count: this.layout.bytes / 4 };
  }

  /** Where states lie now. */
  regions(places: readonly StatePlace[]): readonly Region[] {
    const buffer = this.at(this.#parity);
    return places.map(({ offset, count }) => ({ buffer, offset, count }));
  }

  /** Takes over the states of some sequences of another session of the model. */
  copyFrom(source: Arenas, members: readonly number[]): void {
    this.#copy(source.at(source.#parity), source.layout, members, this.at(this.#parity));
  }

  /** Sequence i becomes what sequence members[i] is. */
  reorder(members: readonly number[]): void {
    const [from, to] = [this.at(this.#parity), this.at(this.#parity === 0 ? 1 : 0)];
    this.#copy(from, this.layout, members, to);
    this.swap();
  }

  #copy(from: GPUBuffer, layout: StateLayout, members: readonly number[], to: GPUBuffer): void {
    const encoder = this.#device.createCommandEncoder({ label: "copying states" });
    for (const [i, place] of this.layout.places.entries()) {
      const source = layout.places[i] as StatePlace; // the same states of the same target
      for (const { first, at, count } of runs(place.perMember ? members : [0])) {
        const bytes = (place.perMember ? place.count / members.length : place.count) * 4;
        encoder.copyBufferToBuffer(
          from,
          source.offset + first * bytes,
          to,
          place.offset + at * bytes,
          count * bytes,
        );
      }
    }
    this.#device.queue.submit([encoder.finish()]);
  }

  destroy(): void {
    for (const buffer of this.#buffers) buffer.destroy();
  }
}

interface MemberRun {
  /** The first of `count` members that follow each other, and the place of the first among those taken. */
  readonly first: number;
  readonly at: number;
  readonly count: number;
}

/** Members that follow each other are one copy. */
function runs(members: readonly number[]): MemberRun[] {
  const found: MemberRun[] = [];
  for (const [at, member] of members.entries()) {
    const last = found.at(-1);
    if (last !== undefined && last.first + last.count === member) {
      found[found.length - 1] = { ...last, count: last.count + 1 };
    } else found.push({ first: member, at, count: 1 });
  }
  return found;
}
