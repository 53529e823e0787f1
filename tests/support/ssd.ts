/** Mamba-2's recurrence as tests/fixtures/ops/ssd has it: y = C·h + D·x, gated by silu(z). */
export const SSD = `
const heads = 1, groups = 1, states = 1, width = 1

axis b: batch, t: time
axis g = groups, rep = heads / groups, head = [g, rep], p = width, n = states

model ssd {
  input x: f32[b, t, head, p]
  input dt: f32[b, t, head]
  input dt_bias: f32[head]
  input A: f32[head]
  input B: f32[b, t, g, n]
  input C: f32[b, t, g, n]
  input D: f32[head]
  input z: f32[b, t, head, p]

  state h[head, p, n]
  der(h) = A*h + B*x  by exp_euler(softplus(dt + dt_bias))
  output y[b, t, head, p] = (dot(C, h, over n) + D*x) * silu(z)
}
`;

export const SSD_SIZES = { heads: 6, groups: 2, states: 32, width: 16 } as const;
