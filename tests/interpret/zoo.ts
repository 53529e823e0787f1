/** Small recurrences of every kind that the language can write, as graphs: one line each says the equation. */
import type { AxisId, Graph, NodeId } from "../../compiler/3-graph/types.js";
import { Sketch } from "./graphs.js";

export interface Specimen {
  readonly name: string;
  readonly graph: Graph;
  /** Sizes of the axes that the inputs have beside b and t. */
  readonly inputs: Readonly<Record<string, readonly string[]>>;
}

const D = 3;
const N = 4;

interface Bench {
  readonly s: Sketch;
  /** x[b, t, d], u[b, t, d] in (0, 1) by a sigmoid, q[b, t, n], k[b, t, n]. */
  readonly x: NodeId;
  readonly gate: NodeId;
  readonly q: NodeId;
  readonly k: NodeId;
}

/** Each gives the value of the output y[b, t, d]. */
const EQUATIONS: Readonly<Record<string, (bench: Bench) => NodeId>> = {
  /** h = g·prev(h) + (1 − g)·x */
  diagonal({ s, x, gate }) {
    const h = s.state("h", ["b", "d"], { init: 0.5 });
    const value = s.map(
      "add",
      s.map("mul", gate, s.prev(h)),
      s.map("mul", s.map("sub", s.number(1), gate), x),
    );
    s.define(h, value);
    return value;
  },

  /** y = x + 2·prev(x), and prev of what is not a state, twice */
  delay({ s, x }) {
    const once = s.state("once", ["b", "d"], { kind: "delay" });
    s.define(once, x);
    const twice = s.state("twice", ["b", "d"], { kind: "delay", init: -1 });
    s.define(twice, s.prev(once));
    return s.map("add", x, s.map("add", s.map("mul", s.number(2), s.prev(once)), s.prev(twice)));
  },

  /** a short convolution, then a leaky sum of it */
  convolution({ s, x }) {
    s.axis("k", 4);
    const taps = s.axis("taps", 3);
    const history = s.state("history", ["b", "d", taps], { kind: "history" });
    s.define(history, x);
    const w = s.input("w", ["d", "k"]);
    const short = s.add({ kind: "conv", x, w, along: "t" as AxisId, over: "k" as AxisId, history });
    const h = s.state("h", ["b", "d"]);
    s.define(h, s.map("add", s.map("mul", s.number(0.9), s.prev(h)), short));
    return s.map("add", s.prev(h), short);
  },

  /** a convolution of what it feeds itself: z = tanh(x + prev(y)), y = conv(z) */
  "convolution with feedback"({ s, x }) {
    s.axis("k", 3);
    const taps = s.axis("taps", 2);
    const last = s.state("last", ["b", "d"], { kind: "delay" });
    const z = s.map("tanh", s.map("add", x, s.prev(last)));
    const history = s.state("history", ["b", "d", taps], { kind: "history" });
    s.define(history, z);
    const w = s.input("w", ["d", "k"]);
    const y = s.add({ kind: "conv", x: z, w, along: "t" as AxisId, over: "k" as AxisId, history });
    s.define(last, y);
    return y;
  },

  /** two states, the second of which reads both values of the first: RWKV-4's running maximum */
  "running maximum"({ s, x, gate }) {
    const top = s.state("top", ["b", "d"], { init: -Infinity });
    const sum = s.state("sum", ["b", "d"]);
    const now = s.map("max", s.map("sub", s.prev(top), gate), x);
    s.define(top, now);
    const decay = s.map("exp", s.map("sub", s.map("sub", s.prev(top), gate), now));
    const total = s.map("add", s.map("mul", decay, s.prev(sum)), s.map("exp", s.map("sub", x, now)));
    s.define(sum, total);
    return s.map("add", now, s.map("log", total));
  },

  /** DeltaNet: S = P + k·(v − k·P), P = g·prev(S); y = q·S */
  "delta rule"({ s, x, gate, q, k }) {
    const S = s.state("S", ["b", "d", "n"]);
    const P = s.map("mul", gate, s.prev(S));
    const value = s.map("add", P, s.map("mul", k, s.map("sub", x, s.dot(k, P, "n"))));
    s.define(S, value);
    return s.dot(q, value, "n");
  },

  /** a dense matrix over the state: h = tanh(W·prev(h) + x) */
  coupled({ s, x }) {
    s.axis("d'", D);
    const w = s.input("W", ["d'", "d"]);
    const h = s.state("h", ["b", "d"]);
    const mixed = s.dot(w, s.prev(h), "d");
    const back = s.add({
      kind: "rename",
      arg: mixed,
      axes: [{ from: "d'" as AxisId, to: "d" as AxisId }],
    });
    const value = s.map("tanh", s.map("add", back, x));
    s.define(h, value);
    return value;
  },

  /** S4D: der(h) = (−1 + 2i)·h + x by zoh(g), y = 2·Re(C·h) */
  complex({ s, x, gate, q }) {
    const h = s.state("h", ["b", "d", "n"], { scalar: "c64" });
    const A = s.map("complex", s.number(-1), s.number(2));
    const value = s.der(
      h,
      (now) => s.map("add", s.map("mul", A, now), x),
      (a, b) => {
        const z = s.map("mul", gate, a);
        const forced = s.map("mul", s.map("mul", gate, s.map("phi", z)), b);
        return s.map("add", s.map("mul", s.map("exp", z), s.prev(h)), forced);
      },
    );
    return s.map("mul", s.number(2), s.map("re", s.dot(s.map("complex", q, q), value, "n")));
  },

  /** Mamba-3's second tap: a rule that reads prev(b) */
  "exponential trapezoid"({ s, x, gate, q, k }) {
    const h = s.state("h", ["b", "d", "n"]);
    const before = s.state("b of h", ["b", "d", "n"], { kind: "delay" });
    const value = s.der(
      h,
      (now) => s.map("add", s.map("mul", s.number(-0.7), now), s.map("mul", k, x)),
      (a, b) => {
        s.define(before, b);
        const half = s.map("mul", s.number(0.5), gate);
        const old = s.map("add", s.prev(h), s.map("mul", half, s.prev(before)));
        return s.map("add", s.map("mul", s.map("exp", s.map("mul", gate, a)), old), s.map("mul", half, b));
      },
    );
    return s.dot(q, value, "n");
  },

  /** a step size that hangs on the state itself */
  "selective by its own past"({ s, x, q }) {
    const h = s.state("h", ["b", "d", "n"]);
    const seen = s.dot(q, s.prev(h), "n");
    const step = s.map("recip", s.map("add", s.number(1), s.map("exp", seen)));
    const value = s.der(
      h,
      (now) => s.map("sub", s.map("mul", step, x), now),
      (a, b) =>
        s.map("add", s.map("mul", s.map("exp", s.map("mul", step, a)), s.prev(h)), s.map("mul", step, b)),
    );
    return s.dot(q, value, "n");
  },

  /** positions: y = prev(y)·cos(pos(t)) + x */
  position({ s, x }) {
    const here = s.map("float", s.add({ kind: "coordinate", axis: "t" as AxisId }));
    const h = s.state("h", ["b", "d"]);
    const value = s.map("add", s.map("mul", s.prev(h), s.map("cos", here)), x);
    s.define(h, value);
    return value;
  },
};

export function specimens(): readonly Specimen[] {
  return Object.entries(EQUATIONS).map(([name, equation]) => {
    const s = new Sketch(name);
    s.axis("d", D);
    s.axis("n", N);
    const inputs = { x: ["b", "t", "d"], u: ["b", "t", "d"], q: ["b", "t", "n"], k: ["b", "t", "n"] };
    const [x, u, q, k] = Object.entries(inputs).map(([input, axes]) => s.input(input, axes));
    if (x === undefined || u === undefined || q === undefined || k === undefined)
      throw new Error("the bench has four inputs");
    const gate = s.map("recip", s.map("add", s.number(1), s.map("exp", u)));
    s.output("y", ["b", "t", "d"], equation({ s, x, gate, q, k }));
    const graph = s.finish();
    return { name, graph, inputs: Object.fromEntries(graph.inputs.map((i) => [i.name, i.axes])) };
  });
}
