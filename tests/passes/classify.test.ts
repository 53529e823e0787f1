/** What the compiler takes the families' recurrences for, by the form of their equations. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { classify, type RecurrenceClass } from "../../compiler/4-passes/classify.js";
import { runPasses } from "../../compiler/4-passes/index.js";
import { recurrences } from "../../compiler/4-passes/recurrences.js";
import { createSink } from "../../compiler/diagnostics/sink.js";
import { DECAYS } from "../support/decays.js";
import { graphOf } from "../support/elaborated.js";

/** Of each state of declared recurrences, by its name. */
function classesOf(text: string): Readonly<Record<string, RecurrenceClass>> {
  const { model } = runPasses(graphOf(text), { sink: createSink() }, true).programs;
  return Object.fromEntries(
    recurrences(model).flatMap((recurrence) =>
      recurrence.states.map((id) => [
        (model.states[id]?.name ?? "").replace(/^.*\./, ""),
        classify(model, recurrence).class,
      ]),
    ),
  );
}

const FAMILIES: Readonly<Record<string, Readonly<Record<string, RecurrenceClass>>>> = {
  s4d: { h: "time-invariant" },
  mamba2: { h: "scalar decay" },
  mamba3: { theta: "angle", S: "diagonal" },
  retnet: { S: "scalar decay" },
  gla: { S: "vector decay" },
  "linear-attention": { S: "scalar decay", s: "time-invariant" },
  rwkv4: { top: "tropical", num: "diagonal", den: "diagonal" },
  rwkv6: { S: "vector decay" },
  rwkv7: { S: "low rank" },
  deltanet: { S: "low rank" },
  "gated-deltanet": { S: "low rank" },
  hgrn: { h: "diagonal" },
  mingru: { h: "diagonal" },
  rglru: { h: "diagonal" },
  mlstm: { top: "tropical", S: "scalar decay", s: "diagonal" },
};

const state = (body: string): string => `
axis b: batch, t: time
axis m = 3, n = 4
model test {
  input x: f32[b, t, m]
  input k: f32[b, t, n]
  input W: f32[m', m]
  state ${body.startsWith("h") ? "h[m]" : "S[m, n]"}
  ${body}
}`;

const EQUATIONS: readonly (readonly [string, string, RecurrenceClass])[] = [
  ["a nonlinear step", "h = tanh(prev(h)) + x\n  output y[b, t, m] = h", "elementwise"],
  ["a full matrix", "h = tanh(dot(W, prev(h), over m)[m' -> m]) + x\n  output y[b, t, m] = h", "coupled"],
  ["a full matrix, linearly", "h = dot(W, prev(h), over m)[m' -> m] + x\n  output y[b, t, m] = h", "coupled"],
  ["the least of sums", "h = min(prev(h) + 1, x)\n  output y[b, t, m] = h", "tropical"],
  [
    "the greater of two shifts",
    "h = max(prev(h) - 1, max(x, prev(h) + x))\n  output y[b, t, m] = h",
    "tropical",
  ],
  ["a maximum of a multiple", "h = max(0.5*prev(h), x)\n  output y[b, t, m] = h", "elementwise"],
  ["a maximum shifted", "h = max(prev(h), x) + 1\n  output y[b, t, m] = h", "elementwise"],
  ["an outer product kept", "S = prev(S) + x*k\n  output y[b, t, m] = dot(k, S, over n)", "scalar decay"],
  [
    "an outer product under its own decay",
    "S = x*k*prev(S) + x*k\n  output y[b, t, m] = dot(k, S, over n)",
    "diagonal",
  ],
  [
    "the delta rule",
    "S = prev(S) + k*(x - dot(k, prev(S), over n))\n  output y[b, t, m] = dot(k, S, over n)",
    "low rank",
  ],
  [
    "a norm of the past",
    "S = prev(S) + k*dot(prev(S), prev(S), over n)\n  output y[b, t, m] = dot(k, S, over n)",
    "coupled",
  ],
];

/** What reads θ = prev(θ) + x[t, m], and whether whole turns are of no account to it. */
const READERS: readonly (readonly [string, boolean])[] = [
  ["output y[b, t, m] = cos(theta)", true],
  ["output y[b, t, m] = sin(prev(theta))", true],
  ["output y[b, t, m] = cos(-3*theta + x) + sin(x - prev(theta))", true],
  ["output y[b, t, m] = re(exp(complex(x, theta)))", true],
  ["output y[b, t, m] = re(exp(complex(0, 2)*theta))", true],
  ["output y[b, t, m] = re(conj(cis(select(x > 0, theta, x))))", true],
  ["output y[b, t, m'] = sin(flip(theta[m -> m'], along m'))", true],
  ["output y[b, t] = cos(sum(theta, over m))", true],
  ["output y[b, t, m] = prev(cos(theta))", true],
  ["output y[b, t, m] = cos(0.5*theta)", false],
  ["output y[b, t, m] = cos(x*theta)", false],
  ["output y[b, t, m] = theta", false],
  ["output y[b, t, m] = cos(theta)\n  output z[b, t, m] = theta", false],
  ["output y[b, t, m] = cos(theta)\n  output z[b, t, m] = tanh(theta)", false],
  ["output y[b, t, m] = cos(theta) + prev(2*theta)", false],
  ["output y[b, t, m] = re(exp(complex(theta, theta)))", false],
  ["output y[b, t, m] = re(exp(theta + complex(x, theta)))", false],
  ["output y[b, t, m] = cos(max(theta, x))", false],
  ["state h[m]\n  h = 0.5*prev(h) + theta\n  output y[b, t, m] = cos(theta) + h", false],
  ["state h[m]\n  h = 0.5*prev(h) + sin(theta)\n  output y[b, t, m] = h", true],
];

describe("angles", () => {
  for (const [readers, isAngle] of READERS)
    it(`${isAngle ? "are" : "are not"} read by ${readers}`, () => {
      const text = state("theta = prev(theta) + x").replace("S[m, n]", "theta[m]");
      assert.equal(classesOf(text.replace(/}$/, `  ${readers}\n}`))["theta"] === "angle", isAngle);
    });
  const EQUATIONS_OF_ANGLES: readonly (readonly [string, boolean])[] = [
    ["x + prev(theta) - 0.1", true],
    ["-(x - prev(theta))", true],
    ["select(x > 0, prev(theta) + x, prev(theta))", false],
    ["select(pos(t) % 4 == 0, 0, prev(theta)) + x", false],
    ["0.99*prev(theta) + x", false],
    ["prev(theta) + sin(prev(theta)) + x", false],
  ];
  for (const [equation, isAngle] of EQUATIONS_OF_ANGLES)
    it(`${isAngle ? "are" : "are not"} ${equation}`, () => {
      const text = state(`theta = ${equation}\n  output y[b, t, m] = cos(theta)`);
      assert.equal(classesOf(text.replace("S[m, n]", "theta[m]"))["theta"] === "angle", isAngle);
    });
  it("are what is left of a sum of which one is none", () => {
    const both = "theta = prev(theta) + x\n  state phi[m]\n  phi = prev(phi) - x\n  ";
    const text = (outputs: string): string => state(`${both}${outputs}`).replace("S[m, n]", "theta[m]");
    const one = classesOf(text("output y[b, t, m] = cos(theta + phi)"));
    assert.deepEqual([one["theta"], one["phi"]], ["angle", "angle"]);
    const other = classesOf(text("output y[b, t, m] = cos(theta + phi)\n  output z[b, t, m] = phi"));
    assert.deepEqual([other["theta"], other["phi"]], ["angle", "time-invariant"]);
  });
});

describe("classes of recurrences", () => {
  for (const [family, expected] of Object.entries(FAMILIES))
    it(family, () => {
      const text = readFileSync(new URL(`../families/sources/${family}.krait`, import.meta.url), "utf8");
      const found = classesOf(text);
      for (const [name, kind] of Object.entries(expected)) assert.equal(found[name], kind, name);
    });
  for (const { name, text, decay, isLowRank } of DECAYS)
    it(name, () => {
      assert.equal(classesOf(text)["S"], isLowRank === true ? "low rank" : `${decay} decay`);
    });
  for (const [name, body, expected] of EQUATIONS)
    it(name, () => {
      const [found] = Object.values(classesOf(state(body)));
      assert.equal(found, expected);
    });
});
