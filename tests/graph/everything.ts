/** A graph with every kind of operation, state and axis, for tests of what looks at all of them. */
import type { AxisId, Graph } from "../../compiler/3-graph/types.js";
import { Sketch } from "../interpret/graphs.js";

const axis = (name: string): AxisId => name as AxisId;

/** Every kind of operation, once. */
export function everything(): Graph {
  const s = new Sketch("all");
  s.axis("v", 5);
  s.axis("p", 2);
  s.axis("q", 3);
  s.axis("q'", 3);
  s.axis("k", 3);
  const taps = s.axis("taps", 2);
  s.builder.axis("s", {
    size: 6,
    role: "plain",
    spans: [],
    parts: [
      { axes: [axis("p")], start: 0, size: 2 },
      { axes: [axis("q")], start: 2, size: 3 },
      { axes: [], start: 5, size: 1 },
    ],
  });
  s.builder.axis("out", { size: { runtime: "count" }, role: "time", spans: [] });
  s.builder.input({ name: "token", scalar: "index", bound: 5, axes: [axis("b"), axis("t")], spans: [] });
  const token = s.add({ kind: "input", name: "token" });
  const table = s.param("model.table", ["v", "s"]);
  const x = s.add({ kind: "gather", table, axis: axis("v"), index: token }, "x");
  const p = s.add({ kind: "slice", arg: x, axis: axis("s"), start: 0, to: [axis("p")] }, "x.p");
  const q = s.add({ kind: "slice", arg: x, axis: axis("s"), start: 2, to: [axis("q")] });
  const one = s.add({ kind: "slice", arg: x, axis: axis("s"), start: 5, to: [] });
  const renamed = s.add({ kind: "rename", arg: q, axes: [{ from: axis("q"), to: axis("q'") }] });
  const back = s.add({ kind: "flip", arg: renamed, axis: axis("q'") });
  const here = s.add({ kind: "coordinate", axis: axis("t") });
  const where = s.map("gt", back, s.map("float", here));
  const top = s.add({ kind: "reduce", fn: "max", arg: back, over: [axis("q'")], where });
  const w = s.param("model.w", ["p", 1, "k"]);
  const history = s.state("conv", ["b", "p", taps], { kind: "history" });
  s.define(history, p);
  const c = s.add({ kind: "conv", x: p, w, along: axis("t"), over: axis("k"), history });
  const h = s.state("layer.h", ["b", "p"], { init: -Infinity });
  const value = s.der(
    h,
    (now) => s.map("sub", c, now),
    (a, b) => s.map("add", s.map("mul", s.map("exp", a), s.prev(h)), b),
  );
  const joined = s.add({ kind: "concat", parts: [value, q, s.map("max", one, top)], axis: axis("s") });
  s.builder.axis("steps", { size: 4, role: "time", cut: { of: axis("t"), part: "steps" }, spans: [] });
  const cut = { of: axis("t"), chunks: axis("chunks"), steps: axis("steps") } as const;
  const { of, steps } = cut;
  const chunks = { of, part: "chunks", steps } as const;
  s.builder.axis("chunks", { size: { runtime: "chunks" }, role: "time", cut: chunks, spans: [] });
  const pieces = s.add({ kind: "chunk", arg: joined, ...cut, past: 0 });
  const whole = s.add({ kind: "unchunk", arg: s.map("neg", pieces), ...cut });
  const y = s.dot(whole, table, "s");
  const window = { kind: "window", arg: y, from: axis("t"), to: axis("out"), offset: "begin" } as const;
  s.output("y", ["b", "out", "v"], s.add(window));
  return s.finish();
}
