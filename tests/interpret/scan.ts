/** The selective scan of tests/fixtures/ops as a graph: what a few lines of Krait elaborate to. */
import type { Graph } from "../../compiler/3-graph/types.js";
import type { SafetensorsFile } from "../support/safetensors.js";
import { tensorOf } from "../support/fixtures.js";
import type { Values } from "../../compiler/interpret/index.js";
import { Sketch } from "./graphs.js";

/**
 * der(h) = A·h + B·u by exp_euler(delta); y = C·h, plus D·u where there is a D, gated by silu(z) where there is a z.
 * Channels are `d = [g, rep]`: B and C have one row a group.
 */
export function scanGraph({ metadata, tensors }: SafetensorsFile): Graph {
  const [channels = 0, states = 0] = tensorOf(tensors, "A").shape;
  const groups = tensorOf(tensors, "B").shape[2] ?? 1;
  const s = new Sketch("scan");
  s.axis("g", groups);
  s.axis("rep", channels / groups);
  s.axis("n", states);

  const channel = ["b", "t", "g", "rep"];
  const u = s.input("u", channel);
  const A = s.input("A", ["g", "rep", "n"]);
  const B = s.input("B", ["b", "t", "g", "n"]);
  const C = s.input("C", ["b", "t", "g", "n"]);
  let delta = s.input("delta", channel);
  if (tensors["delta_bias"] !== undefined) delta = s.map("add", delta, s.input("delta_bias", ["g", "rep"]));
  if (metadata["softplus"] === "True") delta = s.softplus(delta);

  const h = s.state("h", ["b", "g", "rep", "n"]);
  const value = s.der(
    h,
    (now) => s.map("add", s.map("mul", A, now), s.map("mul", B, u)),
    (a, b) =>
      s.map("add", s.map("mul", s.map("exp", s.map("mul", delta, a)), s.prev(h)), s.map("mul", delta, b)),
  );
  let y = s.dot(C, value, "n");
  if (tensors["D"] !== undefined) y = s.map("add", y, s.map("mul", s.input("D", ["g", "rep"]), u));
  if (tensors["z"] !== undefined) y = s.map("mul", y, s.silu(s.input("z", channel)));
  s.output("y", channel, y);
  return s.finish();
}

/** The fixture's tensors in the shapes that the graph's axes give them. */
export function scanInputs({ tensors }: SafetensorsFile): Readonly<Record<string, Values>> {
  const groups = tensorOf(tensors, "B").shape[2] ?? 1;
  const split = (shape: readonly number[]): readonly number[] =>
    shape.flatMap((size, k) => (k === shape.length - 1 ? [groups, size / groups] : [size]));
  const names = ["u", "delta", "z", "D", "delta_bias"].filter((name) => tensors[name] !== undefined);
  const byChannel = names.map((name): [string, Values] => {
    const { shape, data } = tensorOf(tensors, name);
    return [name, { shape: split(shape), data }];
  });
  const A = tensorOf(tensors, "A");
  const [channels = 0, states = 0] = A.shape;
  return {
    ...Object.fromEntries(byChannel),
    A: { shape: [groups, channels / groups, states], data: A.data },
    B: tensorOf(tensors, "B"),
    C: tensorOf(tensors, "C"),
  };
}
