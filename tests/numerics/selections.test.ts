/** Masks, the greatest k, gathering along a product, truths and whole numbers in memory: oracle and GPU against sorting. */
import assert from "node:assert/strict";
import { interpret } from "../../compiler/interpret/index.js";
import { graphOf } from "../support/elaborated.js";
import { expectClose } from "../support/expect-close.js";
import { bundleOf, f32, modelOf, u32 } from "../support/model.js";
import { seeded } from "../support/random.js";

const BATCH = 2;
const STEPS = 5;
const HEADS = 6;
const N = 4;
const K = 3;

const SOURCE = `
axis b: batch, t: time
axis g = 3, rep = 2, head = [g, rep], slot = ${K}, n = ${N}
model selections {
  input u: f32[b, t, head]
  input which: index(head)[b, t]
  input table: f32[head, n]
  best, id = top_k(u, over head, as slot)
  ok = sum(u, over head) > 0
  output row[b, t, n] = table[head: which]
  output greatest[b, t, slot] = best
  output place[b, t, slot] = id
  output whole: index(head)[b, t, slot] = id
  output top: index(head)[b, t] = argmax(u, over head)
  output here: index(head)[b, t] = which
  output again[b, t, slot] = u[head: id]
  output twice[b, t, head] = select(ok, u, 2*u)*select(ok, 1, 3)
  output first[b, t] = min(pos(head), over head, where u == max(u, over head))
  output none[b, t] = max(pos(head), over head, where u > 100)
  output odds[b, t, head] = softmax(u, over head, where u > 0)
  output positive[b, t] = sum(u, over head, where u > 0)
}`;

describe("selections", () => {
  const random = seeded(7);
  const rows = BATCH * STEPS;
  const drawn = (shape: readonly number[]): Float64Array => Float64Array.from(f32(random.tensor(shape).data));
  const u = drawn([BATCH, STEPS, HEADS]);
  // Equal values: the first of them comes first.
  u.set([1, 2, 2, 0.5, 2, 1]);
  const which = Float64Array.from({ length: rows }, () => random.integer(0, HEADS));
  const table = drawn([HEADS, N]);
  const inputs = {
    u: { shape: [BATCH, STEPS, HEADS], data: u },
    which: { shape: [BATCH, STEPS], data: which },
    table: { shape: [HEADS, N], data: table },
  };

  const each = <T>(f: (row: number[], k: number) => T): T[] =>
    Array.from({ length: rows }, (_, k) => f([...u.slice(k * HEADS, (k + 1) * HEADS)], k));
  const total = (row: readonly number[]): number => row.reduce((p, q) => p + q, 0);
  const ranked = (row: readonly number[]): number[] =>
    row
      .map((_, i) => i)
      .sort((p, q) => (row[q] ?? 0) - (row[p] ?? 0) || p - q)
      .slice(0, K);
  const best = each((row) => ranked(row).map((i) => row[i] ?? NaN)).flat();
  const expected: Readonly<Record<string, readonly number[]>> = {
    row: each((_, k) => [...table.slice((which[k] ?? 0) * N, ((which[k] ?? 0) + 1) * N)]).flat(),
    greatest: best,
    place: each(ranked).flat(),
    whole: each(ranked).flat(),
    top: each((row) => ranked(row)[0] ?? NaN),
    here: [...which],
    again: best,
    twice: each((row) => row.map((x) => (total(row) > 0 ? x : 6 * x))).flat(),
    first: each((row) => row.indexOf(Math.max(...row))),
    none: each(() => 0),
    odds: each((row) => {
      const sum = total(row.map((x) => (x > 0 ? Math.exp(x) : 0)));
      return row.map((x) => (x > 0 ? Math.exp(x) / sum : 0));
    }).flat(),
    positive: each((row) => total(row.filter((x) => x > 0))),
  };

  it("by the oracle", () => {
    const { outputs } = interpret(graphOf(SOURCE), { inputs });
    for (const [name, data] of Object.entries(expected)) {
      const got = outputs[name];
      assert.ok(got);
      expectClose(got, { shape: got.shape, data }, { tolerance: "f64", what: name });
    }
  });

  it("on the GPU", async () => {
    const model = await modelOf(bundleOf(SOURCE));
    const session = await model.session({ batch: BATCH });
    const given = { u: f32(u), which: u32(which), table: f32(table) };
    const outputs = await session.prefill(given, { outputs: "all" });
    for (const [name, data] of Object.entries(expected)) {
      const got = outputs[name];
      assert.ok(got);
      expectClose(got, { shape: got.shape, data }, { tolerance: "f32", what: name });
    }
    session.destroy();
    model.destroy();
  });
});

describe("argmax", () => {
  // More than a workgroup has lanes, and not a multiple of them.
  const [batch, vocab] = [3, 9001];
  const source = `
axis b: batch, v = ${String(vocab)}
model choice {
  input scores: f32[b, v]
  output best: index(v)[b] = argmax(scores, over v)
  output most[b] = max(pos(v), over v, where scores > 0)
  output total[b] = sum(scores, over v)
  output how_many[b] = sum(select(scores > 0, pos(v), 0*pos(v)), over v)
}`;

  it("finds the first of the greatest of many, and reductions of whole numbers stay whole", async () => {
    const random = seeded(11);
    const rows = Array.from({ length: batch }, () =>
      Array.from({ length: vocab }, () => Math.fround(-1 - Math.abs(random.normal()))),
    );
    const tops = [[vocab - 1], [4000, 8999, 17], [0, 1, 2]];
    for (const [b, places] of tops.entries()) for (const at of places) rows[b] = rows[b]?.with(at, 3) ?? [];
    const model = await modelOf(bundleOf(source));
    const session = await model.session({ batch });
    const { best, most, total, how_many } = await session.prefill({ scores: f32(rows.flat()) });
    assert.deepEqual([...(best?.data ?? [])], [vocab - 1, 17, 0]);
    assert.deepEqual([...(most?.data ?? [])], [vocab - 1, 8999, 2]);
    const sums = rows.map((row) => row.reduce((p, q) => p + q, 0));
    assert.ok(total);
    expectClose(total, { shape: [batch], data: sums }, { tolerance: "f32", what: "total" });
    assert.deepEqual([...(how_many?.data ?? [])], [vocab - 1, 4000 + 8999 + 17, 3]);
    model.destroy();
  });
});
