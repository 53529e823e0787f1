/** Attention, experts and blocks with shared weights, straight from their papers' equations. */
import type { Family, Loops } from "./family.js";
import { dot, product, range, rmsNorm, rotateHalves, silu, softmax, sum, Table } from "./table.js";

const add = (a: readonly number[], b: readonly number[]): number[] => a.map((x, i) => x + (b[i] ?? NaN));

/** Four query heads, two heads of keys and values, rotary positions, a window of three. */
const attention: Loops = (given, y) => {
  const [H, G, P, WINDOW] = [4, 2, 4, 3];
  const [batch = 0, steps = 0, width = 0] = y.shape;
  const turned = (x: readonly number[], t: number): number[] =>
    rotateHalves(
      x,
      [0, 1].map((i) => t * 10000 ** (-i / 2)),
    );
  for (const b of range(batch)) {
    const u = range(steps).map((t) => given("u").row(b, t));
    const query = (t: number, head: number): number[] =>
      range(P).map((p) => dot(given("attn.q.weight").row(head, p), u[t] ?? []));
    const keyValue = (t: number, g: number): number[] =>
      product(given("attn.kv.weight"), u[t] ?? [], 2 * P, g * 2 * P);
    for (const t of range(steps)) {
      const seen = range(steps).filter((s) => s <= t && t - s < WINDOW);
      const heads = range(H).flatMap((head) => {
        const g = Math.floor(head / (H / G));
        const weights = softmax(
          seen.map(
            (s) => dot(turned(query(t, head), t), turned(keyValue(s, g).slice(0, P), s)) / Math.sqrt(P),
          ),
        );
        return range(P).map((p) =>
          sum(seen.map((s, k) => (weights[k] ?? NaN) * (keyValue(s, g)[P + p] ?? NaN))),
        );
      });
      y.setRow(product(given("attn.o.weight"), heads, width), b, t);
    }
  }
};

const swiglu = (gate: Table, up: Table, down: Table, x: readonly number[], inner: number): number[] => {
  const h = product(gate, x, inner).map((g, f) => silu(g) * dot(up.row(f), x));
  return product(down, h, x.length);
};

const part = (table: Table, from: number, count: number): Table =>
  table.shape.length === 2
    ? ((columns) => new Table([count, columns], table.data.slice(from * columns, (from + count) * columns)))(
        table.shape[1] ?? 0,
      )
    : table;

/** A dense SwiGLU, then the two best of five experts, their weights brought to a sum of one. */
const experts: Loops = (given, y) => {
  const [E, F] = [5, 6];
  const [batch = 0, steps = 0] = y.shape;
  for (const b of range(batch))
    for (const t of range(steps)) {
      const u = given("u").row(b, t);
      const both = given("mlp.gate_up_proj.weight");
      const x = add(u, swiglu(part(both, 0, F), part(both, F, F), given("mlp.down_proj.weight"), u, F));
      const odds = softmax(product(given("moe.router.weight"), x, E));
      const chosen = range(E)
        .sort((p, q) => (odds[q] ?? NaN) - (odds[p] ?? NaN))
        .slice(0, 2);
      const total = sum(chosen.map((e) => odds[e] ?? NaN));
      const results = chosen.map((e) => {
        const of = (name: string): Table => given(`moe.experts.${e}.${name}.weight`);
        return swiglu(of("gate"), of("up"), of("down"), x, F).map((v) => (v * (odds[e] ?? NaN)) / total);
      });
      y.setRow(results.reduce(add), b, t);
    }
};

/** Layers 1, 3 and 4 use two blocks in turn; each use has an adapter of its own. */
const shared: Loops = (given, y) => {
  const [batch = 0, steps = 0] = y.shape;
  for (const b of range(batch))
    for (const t of range(steps)) {
      const x0 = given("x0").row(b, t);
      let x = x0;
      for (const call of range(3)) {
        const at = (name: string): Table => given(`blocks.${call % 2}.${name}`);
        const c = rmsNorm([...x, ...x0], 1e-5).map((v, k) => v * (at("norm").data[k] ?? NaN));
        const flat = (table: Table, row: number): number =>
          dot([...table.data.slice(row * c.length, (row + 1) * c.length)], c);
        const low = range(2).map((r) => flat(at(`q_adapter.${call}.0.weight`), r));
        const q = range(3).map((d) => flat(at("w_q"), d) + dot(at(`q_adapter.${call}.1.weight`).row(d), low));
        x = add(x, product(at("w_o"), q, x.length));
      }
      y.setRow(x, b, t);
    }
};

export const ATTENTION: readonly Family[] = [
  { name: "attention", loops: attention, looksAhead: true },
  { name: "moe", loops: experts },
  { name: "shared", loops: shared },
  { name: "hybrid", looksAhead: true },
];
