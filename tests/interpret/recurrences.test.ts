/** Recurrences against plain loops and closed forms, and what the interpreter refuses. */
import assert from "node:assert/strict";
import type { AxisId, NodeId } from "../../compiler/3-graph/types.js";
import { InternalError } from "../../compiler/diagnostics/internal-error.js";
import { interpret } from "../../compiler/interpret/index.js";
import { expectClose } from "../support/expect-close.js";
import { seeded } from "../support/random.js";
import { Sketch } from "./graphs.js";

const STEPS = 9;
const t = "t" as AxisId;

/** The output `y` of a graph whose only input is x[t]. */
function run(s: Sketch, y: NodeId, x: readonly number[]): readonly number[] {
  s.output("y", ["t"], y);
  const result = interpret(s.finish(), { inputs: { x: { shape: [x.length], data: x } } });
  return [...(result.outputs["y"]?.data ?? [])];
}

function draw(seed: number): readonly number[] {
  return [...seeded(seed).tensor([STEPS]).data];
}

function same(got: readonly number[], expected: readonly number[], what: string): void {
  const [data, wanted] = [got, expected].map((numbers) => ({ shape: [numbers.length], data: numbers }));
  assert.ok(data !== undefined && wanted !== undefined);
  expectClose(data, wanted, { tolerance: "f64", what });
}

describe("recurrences of the interpreter", () => {
  it("start from init and read one step back", () => {
    const s = new Sketch();
    const x = s.input("x", ["t"]);
    const h = s.state("h", [], { init: 3 });
    const value = s.map("add", s.map("mul", s.number(0.5), s.prev(h)), x);
    s.define(h, value);
    assert.deepEqual(run(s, value, [1, 2, 3]), [2.5, 3.25, 4.625]);
  });

  it("solve der by zero-order hold exactly where the input holds", () => {
    // h' = −0.8·h + u with u = 2 from h(0) = 0: h(t) = 2/0.8·(1 − e^(−0.8·t)), at uneven steps.
    const s = new Sketch();
    const step = s.input("x", ["t"]);
    const h = s.state("h", []);
    const value = s.der(
      h,
      (now) => s.map("add", s.map("mul", s.number(-0.8), now), s.number(2)),
      (a, b) => {
        const z = s.map("mul", step, a);
        const forced = s.map("mul", s.map("mul", step, s.map("phi", z)), b);
        return s.map("add", s.map("mul", s.map("exp", z), s.prev(h)), forced);
      },
    );
    const steps = [0.1, 1e-9, 0.5, 2, 0.01];
    let time = 0;
    const exact = steps.map((length) => {
      time += length;
      return (-2 / 0.8) * Math.expm1(-0.8 * time);
    });
    same(run(s, value, steps), exact, "zero-order hold");
  });

  it("let a state read another's value at this step and the step before", () => {
    const s = new Sketch();
    const x = s.input("x", ["t"]);
    const p = s.state("p", []);
    const q = s.state("q", []);
    const pNow = s.map("tanh", s.map("add", s.map("sub", s.prev(p), s.prev(q)), x));
    s.define(p, pNow);
    const qNow = s.map("add", s.map("mul", pNow, s.prev(q)), s.prev(p));
    s.define(q, qNow);
    const input = draw(3);
    let [pOld, qOld] = [0, 0];
    const expected = input.map((v) => {
      const pNew = Math.tanh(pOld - qOld + v);
      qOld = pNew * qOld + pOld;
      pOld = pNew;
      return qOld;
    });
    same(run(s, qNow, input), expected, "two states");
  });

  it("carry attention that feeds itself: a recurrence that no step order solves", () => {
    // y = x + Σ_{t' ≤ t} w(t, t')·prev(y)[t'], w = exp(−|pos t − pos t'|).
    const s = new Sketch();
    s.builder.axis("t'", { size: { runtime: "t" }, role: "time", spans: [] });
    const copy = "t'" as AxisId;
    const x = s.input("x", ["t"]);
    const last = s.state("last", [], { kind: "delay" });
    const keys = s.add({ kind: "rename", arg: s.prev(last), axes: [{ from: t, to: copy }] });
    const here = s.add({ kind: "coordinate", axis: t });
    const there = s.add({ kind: "coordinate", axis: copy });
    const distance = s.map("sub", s.map("float", there), s.map("float", here));
    const seen = s.add({
      kind: "reduce",
      fn: "sum",
      arg: s.map("mul", s.map("exp", distance), keys),
      over: [copy],
      where: s.map("le", there, here),
    });
    const y = s.map("add", x, seen);
    s.define(last, y);
    const input = draw(5);
    const expected: number[] = [];
    input.forEach((v, now) => {
      let sum = v;
      for (let then = 1; then <= now; then++) sum += Math.exp(then - now) * (expected[then - 1] ?? NaN);
      expected.push(sum);
    });
    same(run(s, y, input), expected, "attention inside a recurrence");
  });

  it("run backwards between two flips", () => {
    const s = new Sketch();
    const x = s.input("x", ["t"]);
    const h = s.state("h", []);
    const back = s.add({ kind: "flip", arg: x, axis: t });
    const value = s.map("add", s.map("mul", s.number(0.5), s.prev(h)), back);
    s.define(h, value);
    assert.deepEqual(run(s, s.add({ kind: "flip", arg: value, axis: t }), [4, 2, 1]), [5.25, 2.5, 1]);
  });

  it("refuse a recurrence that looks ahead", () => {
    const s = new Sketch();
    const x = s.input("x", ["t"]);
    const last = s.state("last", [], { kind: "delay" });
    const flipped = s.add({ kind: "flip", arg: s.prev(last), axis: t });
    const y = s.map("add", x, flipped);
    s.define(last, y);
    assert.throws(() => run(s, y, draw(1)), /last looks ahead in time/);
  });

  it("refuse a der that is not linear in its state, element by element", () => {
    const rules = (s: Sketch, rhs: (now: NodeId) => NodeId): NodeId => {
      const h = s.state("h", ["d"]);
      return s.sum(
        s.der(h, rhs, (a, b) => s.map("add", s.map("mul", a, s.prev(h)), b)),
        "d",
      );
    };
    const square = new Sketch();
    square.axis("d", 2);
    const u = square.input("x", ["t"]);
    const squared = rules(square, (now) => square.map("add", square.map("mul", now, now), u));
    assert.throws(() => run(square, squared, [1, 2]), /der\(h\) is not linear/);

    const mixed = new Sketch();
    mixed.axis("d", 2);
    const v = mixed.input("x", ["t"]);
    const coupled = rules(mixed, (now) => mixed.map("add", mixed.sum(now, "d"), v));
    assert.throws(() => run(mixed, coupled, [1, 2]), /der\(h\) is not linear/);
  });

  it("refuse the continuous variable outside of its der", () => {
    const s = new Sketch();
    const h = s.state("h", []);
    const value = s.der(
      h,
      (now) => s.map("neg", now),
      (a) => s.map("mul", a, s.prev(h)),
    );
    const stray = s.map("add", value, s.add({ kind: "continuous", state: h }));
    s.output("y", ["t"], stray);
    assert.throws(() => interpret(s.finish(), { sizes: { t: 2 } }), InternalError);
  });
});
