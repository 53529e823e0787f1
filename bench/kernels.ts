/** Kernels to measure, built as the compiler's lowering builds them. */
import { ExprBuilder } from "../compiler/5-kernel/expr.js";
import type { Binding, Expr, ScanKernel } from "../compiler/5-kernel/types.js";

const read = (name: string): Binding => ({ name, access: "read", element: "f32" });
const written = (name: string): Binding => ({ name, access: "read_write", element: "f32" });

/**
 * Mamba's selective scan with what surrounds it: y = (C·h + D u) silu(z), h = exp(δA) h + δ B u, δ = softplus(dt + bias).
 * dt, u, z: [b, t, channels]; B, C: [b, t, inner]; A (already times log2 e): [channels, inner]; y as u.
 */
export function mambaScan(
  sizes: { readonly channels: number; readonly inner: number },
  schedule: ScanKernel["schedule"],
): ScanKernel {
  const e = new ExprBuilder();
  const { channels, inner } = sizes;
  const steps = e.number("t");
  const lead = e.variable("lead", "u32", "b");
  const channel = e.variable("channel", "u32", channels);
  const n = e.variable("n", "u32", inner);
  const t = e.variable("t", "u32", steps);
  const f32 = (name: string): Expr => e.variable(name, "f32");
  const row = e.add(e.mul(lead, steps), t);
  const atChannel = e.add(e.mul(row, channels), channel);
  const atInner = e.add(e.mul(row, inner), n);
  const dt = e.add(e.load("dt", atChannel), e.load("bias", channel));
  const softplus = e.add(e.op("max", dt, 0), e.op("log1p", e.op("exp", e.op("neg", e.op("abs", dt)))));
  const z = e.load("z", atChannel);
  const silu = e.div(z, e.add(e.op("exp", e.op("neg", z)), 1));
  return {
    name: "selective_scan",
    skeleton: "scan",
    bindings: [
      read("dt"),
      read("u"),
      read("A"),
      read("B"),
      read("C"),
      read("D"),
      read("z"),
      read("bias"),
      written("y"),
      written("h_last"),
    ],
    notes: [],
    leads: "b",
    channels,
    inner,
    begin: e.u32(0),
    end: steps,
    invariants: [
      { name: "a", per: "element", value: e.load("A", e.add(e.mul(channel, inner), n)) },
      { name: "skip", per: "channel", value: e.load("D", channel) },
    ],
    staged: [
      { name: "delta", per: "channel", value: softplus },
      { name: "input", per: "channel", value: e.load("u", atChannel) },
      { name: "gate", per: "channel", value: silu },
      { name: "b_row", per: "inner", value: e.load("B", atInner) },
      { name: "c_row", per: "inner", value: e.load("C", atInner) },
    ],
    states: [
      {
        name: "h",
        inner: true,
        initial: e.f32(0),
        next: "h_next",
        final: {
          binding: "h_last",
          index: e.add(e.mul(e.add(e.mul(lead, channels), channel), inner), n),
          value: f32("last"),
        },
      },
    ],
    steps: [
      { name: "weighted", inner: false, value: e.mul(f32("delta"), f32("input")) },
      {
        name: "h_next",
        inner: true,
        value: e.add(
          e.mul(e.op("exp2", e.mul(f32("delta"), f32("a"))), f32("prev_h")),
          e.mul(f32("weighted"), f32("b_row")),
        ),
      },
    ],
    reductions: [{ name: "read_out", fn: "sum", value: e.mul(f32("h_next"), f32("c_row")) }],
    stores: [
      {
        binding: "y",
        index: atChannel,
        value: e.mul(e.add(f32("read_out"), e.mul(f32("skip"), f32("input"))), f32("gate")),
      },
    ],
    schedule,
  };
}

/**
 * Mamba-2's recurrence: h = exp(δA) h + δ x B, y = C·h + D x, δ and A one for each head of `head` channels.
 * delta: [b, t, heads]; x: [b, t, channels]; B, C: [b, t, inner]; A (times log2 e), D: [heads]; y as x.
 */
export function mamba2Scan(
  sizes: { readonly channels: number; readonly head: number; readonly inner: number },
  schedule: ScanKernel["schedule"],
): ScanKernel {
  const e = new ExprBuilder();
  const { channels, inner } = sizes;
  const steps = e.number("t");
  const [lead, channel] = [e.variable("lead", "u32", "b"), e.variable("channel", "u32", channels)];
  const [n, t] = [e.variable("n", "u32", inner), e.variable("t", "u32", steps)];
  const f32 = (name: string): Expr => e.variable(name, "f32");
  const row = e.add(e.mul(lead, steps), t);
  const head = e.div(channel, sizes.head);
  const atChannel = e.add(e.mul(row, channels), channel);
  const atInner = e.add(e.mul(row, inner), n);
  const delta = e.load("delta", e.add(e.mul(row, channels / sizes.head), head));
  const next = e.add(e.mul(f32("decay"), f32("prev_h")), e.mul(f32("weighted"), f32("b_row")));
  const output = e.add(f32("read_out"), e.mul(f32("skip"), f32("input")));
  return {
    name: "mamba2_scan",
    skeleton: "scan",
    bindings: [read("delta"), read("x"), read("A"), read("B"), read("C"), read("D"), written("y")],
    notes: [],
    leads: "b",
    channels,
    inner,
    begin: e.u32(0),
    end: steps,
    invariants: [
      { name: "a", per: "channel", value: e.load("A", head) },
      { name: "skip", per: "channel", value: e.load("D", head) },
    ],
    staged: [
      { name: "decay", per: "channel", value: e.op("exp2", e.mul(delta, f32("a"))) },
      { name: "weighted", per: "channel", value: e.mul(delta, e.load("x", atChannel)) },
      { name: "input", per: "channel", value: e.load("x", atChannel) },
      { name: "b_row", per: "inner", value: e.load("B", atInner) },
      { name: "c_row", per: "inner", value: e.load("C", atInner) },
    ],
    states: [{ name: "h", inner: true, initial: e.f32(0), next: "h_next" }],
    steps: [{ name: "h_next", inner: true, value: next }],
    reductions: [{ name: "read_out", fn: "sum", value: e.mul(f32("h_next"), f32("c_row")) }],
    stores: [{ binding: "y", index: atChannel, value: output }],
    schedule,
  };
}

/** A gated linear recurrence without an inner axis: h = exp2(δ a) h + x. delta, x, y: [b, t, channels]; A: [channels]. */
export function linearScan(channels: number, schedule: ScanKernel["schedule"]): ScanKernel {
  const e = new ExprBuilder();
  const steps = e.number("t");
  const [lead, channel] = [e.variable("lead", "u32", "b"), e.variable("channel", "u32", channels)];
  const t = e.variable("t", "u32", steps);
  const f32 = (name: string): Expr => e.variable(name, "f32");
  const at = e.add(e.mul(e.add(e.mul(lead, steps), t), channels), channel);
  return {
    name: "linear_scan",
    skeleton: "scan",
    bindings: [read("delta"), read("x"), read("A"), written("y")],
    notes: [],
    leads: "b",
    channels,
    inner: 1,
    begin: e.u32(0),
    end: steps,
    invariants: [{ name: "a", per: "channel", value: e.load("A", channel) }],
    staged: [
      { name: "decay", per: "channel", value: e.op("exp2", e.mul(e.load("delta", at), f32("a"))) },
      { name: "input", per: "channel", value: e.load("x", at) },
    ],
    states: [{ name: "h", inner: true, initial: e.f32(0), next: "h_next" }],
    steps: [{ name: "h_next", inner: true, value: e.add(e.mul(f32("decay"), f32("prev_h")), f32("input")) }],
    reductions: [{ name: "out", fn: "sum", value: f32("h_next") }],
    stores: [{ binding: "y", index: at, value: f32("out") }],
    schedule,
  };
}
