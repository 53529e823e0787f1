/**
 * Kernels that need more storage buffers than WebGPU's default limit of 8: every kind of kernel, for what it reads, for what it
 * writes and for constants. All must be built for the target `baseline` with 8 and compute what the oracle does.
 */
import assert from "node:assert/strict";
import type { CompileOptions } from "../../compiler/compile.js";
import { looksAhead } from "../../compiler/4-passes/programs.js";
import { built } from "../properties/built.js";
import { holdsOnDevice } from "../properties/device-laws.js";
import type { Case } from "../properties/cases.js";
import { Report } from "../properties/report.js";
import { graphOf } from "../support/elaborated.js";

const TEN = Array.from({ length: 10 }, (_, k) => k);
const each = (line: (k: number) => string, separator = "\n  "): string => TEN.map(line).join(separator);

const AXES = "axis b: batch, t: time\naxis m = 3, e = 2, v = 5, w = 96, j = 96\n";
const model = (body: string): string => `${AXES}model many {\n  ${body}\n}\n`;

interface Many {
  readonly name: string;
  readonly text: string;
  readonly options?: CompileOptions;
}

const INPUTS = each((k) => `input x${k}: f32[b, t, m]`);
const SUM = each((k) => `x${k}`, " + ");

const MODELS: readonly Many[] = [
  { name: "elementwise, of ten inputs", text: model(`${INPUTS}\n  output y[b, t, m] = tanh(${SUM})`) },
  {
    name: "a gather, ten outputs",
    text: model(
      `input i: index(v)[b, t]\n  param c[v, m]\n  x = c[v: i]\n  ${each((k) => `output y${k}[b, t, m] = sin(x + ${k})`)}`,
    ),
  },
  {
    name: "whole numbers and numbers",
    text: model(
      `${each((k) => `input i${k}: index(v)[b, t]\n  input x${k}: f32[b, t, m]`)}
  output y[b, t, m] = ${each((k) => `select(i${k} > 2, x${k}, -1)`, " + ")}`,
    ),
  },
  {
    name: "complex and real inputs",
    text: model(
      `input s: f32[b, t]\n  ${INPUTS}\n  param p[m, e]: complex\n  z = p*complex(s, 1)\n  q = sum(z, over e)
  output y[b, t, m] = re(q)*(${SUM})\n  output i[b, t, m] = im(q) + x1`,
    ),
  },
  {
    name: "ten delays",
    text: model(`${INPUTS}\n  output y[b, t, m] = ${each((k) => `${k}*prev(x${k}, init ${k})`, " + ")}`),
  },
  {
    name: "a reduction",
    text: model(`${INPUTS}\n  output y[b, t] = max(${SUM}, over m)`),
  },
  {
    name: "a product and its epilogue",
    text: model(
      `${INPUTS}\n  param a[m, e]\n  ${each((k) => `input g${k}: f32[b, t, e]`)}
  output z[b, t, e] = dot(x0, a, over m)*${each((k) => `g${k}`, "*")} + sum(${SUM}, over m)`,
    ),
  },
  {
    name: "a scan of ten inputs",
    text: model(`${INPUTS}\n  state h[m]\n  h = sigmoid(x0)*prev(h) + ${SUM}\n  output y[b, t, m] = h`),
  },
  {
    name: "a scan of ten inputs, cut into chunks",
    text: model(`${INPUTS}\n  state h[m]\n  h = sigmoid(x0)*prev(h) + ${SUM}\n  output y[b, t, m] = h`),
    options: { schedule: { chunkBelow: 1e9, chunkFrom: 1 } },
  },
  {
    name: "a scan of ten states",
    text: model(
      `input x: f32[b, t, m]\n  state ${each((k) => `h${k}[m] init ${k}/8`, ", ")}
  ${each((k) => `h${k} = 0.1*prev(h${(k + 1) % 10}) + 0.5*prev(h${k}) + x`)}
  ${each((k) => `output y${k}[b, t, m] = h${k}`)}`,
    ),
  },
  {
    name: "a sequential kernel of ten states that read each other",
    text: model(
      `input x: f32[b, t, m]\n  param a[m, m']\n  state ${each((k) => `h${k}[m] init ${k}/8`, ", ")}
  ${each((k) => `h${k} = tanh(0.3*dot(a, prev(h${(k + 1) % 10}), over m)[m' -> m] + x)`)}
  ${each((k) => `output y${k}[b, t, m] = h${k}`)}`,
    ),
  },
  {
    name: "what only depends on parameters",
    text: model(
      `input x: f32[b, t, m]\n  ${each((k) => `param a${k}[m]`)}\n  output y[b, t, m] = x*sigmoid(${each((k) => `a${k}`, " + ")})`,
    ),
  },
  {
    name: "large parameters",
    text: model(
      `input x: f32[b, t, w]\n  ${each((k) => `param a${k}[j, w]`)}\n  output y[b, t, j] = 0.01*sum(${each((k) => `x*a${k}`, " + ")}, over w)`,
    ),
  },
  ...(["bf16", "f16"] as const).map((weights): Many => ({
    name: `large parameters of ${weights} and small ones`,
    text: model(
      `input x: f32[b, t, w]\n  ${each((k) => `param a${k}[j, w], c${k}[w]`)}
  output y[b, t, j] = 0.01*sum(${each((k) => `x*a${k}*c${k}`, " + ")}, over w)`,
    ),
    options: { weights },
  })),
  {
    name: "a program for documents of different lengths",
    text: model(
      `${INPUTS}\n  state h[m]\n  h = sigmoid(x0)*prev(h) + ${SUM}\n  output y[b, t, m] = h + prev(x1)`,
    ),
    options: { packed: true },
  },
];

function caseOf({ text, options = {} }: Many): Case {
  const kinds = new Map<string, "signed">();
  const ahead = looksAhead(graphOf(text)) !== undefined;
  return {
    text,
    kinds,
    batch: 2,
    steps: 5,
    seed: 17,
    options: { targets: ["baseline"], ...options },
    looksAhead: ahead,
  };
}

describe("kernels of more than eight buffers", () => {
  for (const many of MODELS)
    it(many.name, async () => {
      const drawn = caseOf(many);
      const { bundle } = built(drawn);
      const kernels = bundle.manifest.targets.flatMap(({ shaders }) => shaders);
      assert.ok(
        kernels.some(({ bindings }) => bindings.some(({ name }) => /^(constants|inputs|results)/.test(name))),
        "nothing lies side by side",
      );
      const report = new Report();
      await holdsOnDevice(drawn, report);
      assert.equal(report.models, 1);
    });
});
