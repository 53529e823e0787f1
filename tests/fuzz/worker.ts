/** One thread of scripts/fuzz.ts, bundled with its counters. */
import { parentPort, workerData } from "node:worker_threads";
import { fuzz } from "./fuzzer.js";
import { COUNTERS } from "./counters.js";
import { targets } from "./targets.js";

const { target, seed, runs, shared } = workerData as {
  readonly target: string;
  readonly seed: number;
  readonly runs: number;
  readonly shared: SharedArrayBuffer;
};
const head = new Int32Array(shared, 0, 2);
const units = new Uint16Array(shared, 8);
const found = targets[target];
if (found === undefined) throw new Error(`no target "${target}": ${Object.keys(targets).join(", ")}`);
const result = await fuzz(found, {
  runs,
  seed,
  hits: Reflect.get(globalThis, COUNTERS) as Uint8Array,
  before: (input, run) => {
    const length = Math.min(input.length, units.length);
    for (let i = 0; i < length; i++) units[i] = input.charCodeAt(i);
    Atomics.store(head, 1, length);
    Atomics.store(head, 0, run);
  },
});
parentPort?.postMessage({ result });
