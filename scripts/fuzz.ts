/**
 * `npm run fuzz -- TARGET… [--runs N] [--workers W] [--seed S] [--out DIR]`: fuzzes what reads input, guided by coverage. Workers
 * take seeds S, S + 1, … and share the runs. What is found, and each input that takes longer than `SLOW_MS`, is written to DIR;
 * the exit code is 1 then. Put finds into tests/fuzz/finds, where a test runs them.
 */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { build } from "esbuild";
import { COUNTERS, MOST_PLACES } from "../tests/fuzz/counters.js";
import type { Find, FuzzResult } from "../tests/fuzz/fuzzer.js";
import { instrument } from "../tests/fuzz/instrument.js";

const HANG_MS = 30_000;
const SLOW_MS = 4_000;
const root = fileURLToPath(new URL("../", import.meta.url));
const worker = `${root}dist/fuzz/worker.mjs`;

await build({
  absWorkingDir: root,
  entryPoints: ["tests/fuzz/worker.ts"],
  outfile: worker,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  packages: "external",
  alias: {
    valibot: `${root}node_modules/valibot/dist/index.mjs`,
    json5: `${root}node_modules/json5/dist/index.mjs`,
  },
  banner: { js: `const ${COUNTERS} = (globalThis.${COUNTERS} = new Uint8Array(${String(MOST_PLACES)}));` },
  plugins: [instrument(root)],
  sourcemap: "inline",
  logLevel: "warning",
});

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: "string", default: "10000" },
    workers: { type: "string", default: "1" },
    seed: { type: "string", default: "1" },
    out: { type: "string", default: "dist/fuzz/finds" },
  },
});
const workers = Number(values.workers);
mkdirSync(values.out, { recursive: true });
for (const target of positionals) {
  const begin = performance.now();
  const shards = await Promise.all(
    Array.from({ length: workers }, (_, i) => shard(target, Number(values.seed) + i)),
  );
  report(target, shards.flat(), (performance.now() - begin) / 1000);
}

interface Told {
  readonly result?: FuzzResult;
  readonly input?: string;
  readonly runs?: number;
}

/** One worker's part of the runs; it is begun again with another seed behind an input that never ends or takes all memory. */
async function shard(target: string, seed: number): Promise<FuzzResult[]> {
  const results: FuzzResult[] = [];
  let left = Math.ceil(Number(values.runs) / workers);
  for (let again = 0; left > 0; again += workers) {
    const result = await runWorker(target, seed + again, left);
    results.push(result);
    left -= Math.max(1, result.runs);
  }
  return results;
}

function runWorker(target: string, seed: number, runs: number): Promise<FuzzResult> {
  return new Promise((resolve) => {
    // The worker's current input and its number: memory that can be read while it hangs.
    const shared = new SharedArrayBuffer(4 + 4 + 2 * 65_536);
    const head = new Int32Array(shared, 0, 2);
    const thread = new Worker(pathToFileURL(worker), {
      workerData: { target, seed, runs, shared },
      resourceLimits: { maxOldGenerationSizeMb: 1500 },
      execArgv: ["--enable-source-maps"],
    });
    const current = (): string => {
      const units = new Uint16Array(shared, 8, Atomics.load(head, 1));
      return Array.from(units, (unit) => String.fromCharCode(unit)).join("");
    };
    const broken = (error: string): void => {
      clearInterval(watch);
      void thread.terminate();
      const input = current();
      const slowest = { ms: HANG_MS, input };
      resolve({ runs: Atomics.load(head, 0), corpus: 0, reached: 0, slowest, finds: [{ input, error }] });
    };
    let last = -1;
    const watch = setInterval(() => {
      const now = Atomics.load(head, 0);
      if (now === last) broken(`hangs: more than ${String(HANG_MS)} ms`);
      last = now;
    }, HANG_MS);
    thread.on("message", (told: Told) => {
      clearInterval(watch);
      if (told.result !== undefined) resolve(told.result);
    });
    thread.on("error", (error) => broken(`ends the process: ${String(error)}`));
  });
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function report(target: string, results: readonly FuzzResult[], seconds: number): void {
  const runs = results.reduce((sum, result) => sum + result.runs, 0);
  const reached = Math.max(...results.map((result) => result.reached));
  const slowest = results.reduce((a, b) => (a.slowest.ms > b.slowest.ms ? a : b)).slowest;
  const finds = new Map<string, Find>();
  for (const find of results.flatMap((result) => result.finds)) finds.set(find.error, find);
  if (slowest.ms > SLOW_MS)
    finds.set("slow", { input: slowest.input, error: `slow: ${String(Math.round(slowest.ms))} ms` });
  const kept = results.reduce((sum, result) => sum + result.corpus, 0);
  say(
    `${target}: ${String(runs)} runs in ${seconds.toFixed(0)} s, ${String(reached)} places reached, ${String(kept)} inputs kept, ` +
      `slowest ${slowest.ms.toFixed(0)} ms, ${String(finds.size)} finds`,
  );
  for (const { input, error } of finds.values()) {
    const name = `${values.out}/${target}-${createHash("sha256").update(input).digest("hex").slice(0, 8)}`;
    writeFileSync(`${name}.txt`, input);
    writeFileSync(`${name}.error`, `${error}\n`);
    say(`  ${name}.txt: ${error}`);
    process.exitCode = 1;
  }
}
