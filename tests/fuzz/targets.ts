/** What is fuzzed: everything that reads what others wrote. A target throws for an input only if Krait has a mistake. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { InvalidArgumentError } from "commander";
import { analyze } from "../../compiler/2-analyze/index.js";
import { parse } from "../../compiler/1-parse/index.js";
import { check } from "../../compiler/check.js";
import { compile } from "../../compiler/compile.js";
import { renderAll } from "../../compiler/diagnostics/render.js";
import { createSink } from "../../compiler/diagnostics/sink.js";
import { format } from "../../compiler/format/index.js";
import { verifyBundle } from "../../runtime/bundle.js";
import { openShardedCheckpoint } from "../../runtime/checkpoint.js";
import { type ErrorCode, KraitError } from "../../runtime/errors.js";
import { bytesFile } from "../../runtime/random-access.js";
import { readSafetensors } from "../../runtime/safetensors.js";
import { parseManifest } from "../../runtime/schema.js";
import { parseSnapshot } from "../../runtime/snapshot-format.js";
import { collectSetting, collectTensor, parseTokens } from "../../src/cli/arguments.js";
import { parseConfig } from "../../src/cli/checkpoint.js";
import { InputError } from "../../src/cli/errors.js";
import { tinyBundle } from "../runtime/tiny-bundle.js";

export interface Target {
  /** Sound inputs and nearly sound ones, of which others are made. */
  readonly seeds: () => readonly string[] | Promise<readonly string[]>;
  /** Throws for a find; what an input is refused with by right, it swallows. */
  readonly run: (input: string) => void | Promise<void>;
}

const folder = (path: string, ending: string): string[] =>
  readdirSync(path, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(ending))
    .sort()
    .map((name) => readFileSync(`${path}/${name}`, "utf8"));

/** Models of two layers in place of dozens: more layers take time and reach nothing more. */
const krait = (): string[] =>
  ["tests/families/sources", "templates", "examples"]
    .flatMap((path) => folder(path, ".krait"))
    .map((text) => text.replace(/(const layers = )\d+/, "$1 2"));

/** Statements and small models, of which more are tried in the time of one large one. */
const SMALL = [
  "axis b: batch, t: time, m = 6\nmodel a {\n  input x: f32[b, t, m]\n  state h[m]\n  h = 0.5*prev(h) + x\n  output y[b, t, m] = h\n}\n",
  'axis b: batch, t: time, v = 5, m = 2, n = a | m, a = 3\nmodel a {\n  input k: index(v)[b, t]\n  param e[v, m] from "e"\n  x = e[v: k]\n  repeat i in 0..2 at "l.{i}" {\n    param (w[m\'] | u[m\'])[_, m]\n    x += dot(w, x, over m)[m\' -> m]\n  }\n  output y[b, t, n] = concat(sum(x, over m) * [1, 2, 3][0], x, as n)\n}\n',
  "const a = [1, 2], c = find(a, 2) + len(a)\naxis t: time, m = c\nblock f(u[t, m], const k = 1) -> ([t, m], [t]) { return u^k, sum(u, over m) }\nmodel a {\n  input x: f32[t, m]\n  y, s = f(x, k: 2)\n  if c in a { z = y } else if not (1 < 2) { z = -s * y } else { z = prev(y, init 1) }\n  output q[t, m] = z\n}\n",
  "axis b: batch, t: time, d = 4, n = 2\nrule mine(s): der(h) = a*h + b  =>  h = exp(s*a)*prev(h) + s*b\nfn g(x, over A, where W) = softmax(x, over A, where W)\nmodel a {\n  input x: f32[b, t, d]\n  param A[d, n]: complex\n  state h[d, n]: complex\n  der(h) = A*h + x  by mine(0.1)\n  output y[b, t, d] = re(sum(h, over n)) + sum(g(x, over d, where pos(d) < 2), over d)\n}\n",
]; // prettier-ignore

/** All that finds mistakes, `check`, or the compiler to its end, which has seven times the work; with the diagnostics as people see them. */
function diagnose(run: typeof check | typeof compile, text: string): string {
  const source = { path: "main.krait", text };
  const { diagnostics } = run(source, {
    verify: true,
    loadSource: (path) => ({ path, text: SMALL[2] ?? "" }),
  });
  return renderAll(diagnostics, new Map([[source.path, source]]));
}

/** Runs what may refuse its input with these codes, or errors of these classes. */
async function refusing(
  run: () => unknown,
  codes: readonly ErrorCode[],
  ...classes: readonly (abstract new (...args: never[]) => Error)[]
): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (error instanceof KraitError && codes.includes(error.code)) return;
    if (!classes.some((known) => error instanceof known)) throw error;
  }
}

/** `12#{…}` is a header with its true length and 12 bytes after it; anything else the bytes themselves. */
function safetensorsFile(input: string): Uint8Array<ArrayBuffer> {
  const [, count, header] = /^(\d{1,4})#([^]*)$/.exec(input) ?? [];
  if (header === undefined) return Uint8Array.from(input, (unit) => unit.charCodeAt(0) & 255);
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + Number(count));
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 8);
  return bytes;
}

const HEADERS = [
  '12#{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"BF16","shape":[1,2],"data_offsets":[8,12]}}',
  '4#{"__metadata__":{"format":"pt"},"x.y":{"dtype":"F16","shape":[2,1],"data_offsets":[0,4]}}   ',
  '0#{"e":{"dtype":"I64","shape":[0,5],"data_offsets":[0,0]}}',
  '8#{"krait":{"dtype":"U32","shape":[1],"data_offsets":[0,4]},"h":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
  "\u0002\0\0\0\0\0\0\0{}",
];

async function readTensors(input: string): Promise<void> {
  const bytes = safetensorsFile(input);
  const tensors = await readSafetensors(bytesFile("fuzz", bytes));
  let covered = 0;
  for (const { offset, bytes: length } of tensors.values()) {
    assert.ok(offset >= 8 && offset + length <= bytes.length);
    covered += length;
  }
  assert.ok(covered <= bytes.length - 8);
}

/** A constant of each type, with keys of every kind. */
const SETTINGS =
  'const a = 1 from "a" | "b.c", s = "x" from "s", l = [1] from "l", f = true from "f", q = inf from "q"\naxis n = a, b: batch\nmodel m {\n  input x: f32[b, n]\n  output y[b, n] = x\n}\n';

function readConfig(text: string): void {
  const config = parseConfig(text, "config.json");
  const sink = createSink();
  const { constants } = analyze(parse({ path: "main.krait", text: SETTINGS }, sink), { config }, sink);
  const types = ["number", "string", "object", "boolean", "number"];
  for (const [i, name] of ["a", "s", "l", "f", "q"].entries()) {
    const value = constants.get(name)?.value;
    assert.ok(value === undefined || typeof value === types[i], name);
  }
}

/** Characters; the parser takes longer for longer ones, and meets nothing else in them. */
const SHORT = 1000;

/** The first stage alone, a tenth of the work of all. */
function readSource(text: string): void {
  const source = { path: "main.krait", text };
  const sink = createSink();
  parse(source, sink);
  for (const { span } of sink.diagnostics)
    assert.ok(0 <= span.start && span.start <= span.end && span.end <= text.length, "a span beyond the text");
  renderAll(sink.diagnostics, new Map([[source.path, source]]));
}

export const targets: Readonly<Record<string, Target>> = {
  parser: { seeds: () => [...SMALL, ...krait().filter(({ length }) => length < SHORT)], run: readSource },
  source: { seeds: () => [...SMALL, ...krait()], run: (text) => void diagnose(check, text) },
  kernels: { seeds: () => [...SMALL, ...krait()], run: (text) => void diagnose(compile, text) },
  format: {
    seeds: () => [...SMALL, ...krait()],
    run: (text) => {
      const once = format({ path: "main.krait", text });
      if (once.diagnostics.some(({ severity }) => severity === "error")) return;
      const twice = format({ path: "main.krait", text: once.text });
      assert.equal(twice.text, once.text);
    },
  },
  manifest: {
    seeds: async () => [
      JSON.stringify((await tinyBundle()).manifest),
      JSON.stringify(compile({ path: "main.krait", text: SMALL[0] ?? "" }).bundle?.manifest),
      '{"format":"krait-bundle","formatVersion":4}',
    ],
    run: (text) =>
      refusing(async () => {
        const manifest = parseManifest(text);
        await verifyBundle({ manifest, files: new Map() });
      }, ["R0101", "R0102", "R0103", "R0104"]),
  },
  config: {
    seeds: () => [
      ...["mamba", "falcon-mamba", "mamba2"].map((name) =>
        readFileSync(`tests/fixtures/${name}/config.json`, "utf8"),
      ),
      '{"a": 3, "b": {"c": 4}, "s": "text", "l": [1, [2, "x"]], "f": false, "q": Infinity}',
      '{"q": {"__float__": "-Infinity"}, "a": null, "l": "auto", a: .5, /* c */ \'s\': NaN, }',
    ],
    run: (text) => refusing(() => readConfig(text), [], InputError),
  },
  safetensors: {
    seeds: () => HEADERS,
    run: (input) => refusing(() => readTensors(input), ["R0301", "R0305"]),
  },
  index: {
    seeds: () => [
      '{"metadata":{"total_size":4},"weight_map":{"a":"a.safetensors","b":"b.safetensors"}}',
      readFileSync("tests/fixtures/mamba-bf16-sharded/model.safetensors.index.json", "utf8"),
    ],
    run: (text) =>
      refusing(
        () =>
          openShardedCheckpoint(text, (name) => {
            assert.doesNotMatch(name, /[/\\:\0]|^\.\.?$/);
            return Promise.resolve(bytesFile(name, safetensorsFile(HEADERS[0] ?? "")));
          }),
        ["R0302"],
      ),
  },
  snapshot: {
    seeds: () => HEADERS,
    run: (input) => refusing(() => parseSnapshot(safetensorsFile(input)), ["R0408"]),
  },
  arguments: {
    seeds: () => [
      "layers=2",
      'types=["a", [1, true], .5]',
      "x=file.safetensors:name",
      "C:\\f.safetensors:t",
      "1,2,3",
    ],
    run: async (text) => {
      for (const read of [collectSetting, collectTensor, parseTokens])
        await refusing(() => read(text), [], InvalidArgumentError);
    },
  },
};
