/** The codes and scales of quantized weights, against plain float64 arithmetic and what they promise. */
import assert from "node:assert/strict";
import { quantize, type Quantized } from "../../runtime/quantize.js";
import { dequantized } from "../support/quantized-weights.js";
import { seeded } from "../support/random.js";

const STORAGES: readonly Quantized[] = ["int8", "int4"];

/** Values of codes and scales as they lie in memory. */
function valuesOf(values: Float32Array, storage: Quantized): { worth: number[]; steps: number[] } {
  const piece = quantize(values, storage);
  assert.ok(piece !== undefined);
  const halves = new Uint16Array(piece.scales.buffer);
  const scales = [...new Float32Array(Uint32Array.from(halves, (half) => half << 16).buffer)];
  const steps = Array.from(values, (_, i) => scales[Math.floor(i / 32)] ?? NaN);
  const worth = steps.map((step, i) => {
    const byte = piece.codes[storage === "int8" ? i : Math.floor(i / 2)] ?? NaN;
    const code = storage === "int8" ? byte - 128 : (Math.floor(byte / 16 ** (i % 2)) % 16) - 8;
    return code * step;
  });
  return { worth, steps };
}

describe("quantizing", () => {
  for (const storage of STORAGES) {
    it(`to ${storage} is at most half a step away, whatever the values' sizes and number`, () => {
      const random = seeded(5);
      for (let round = 0; round < 300; round++) {
        const size = 10 ** random.uniform(-25, 25);
        const values = Float32Array.from(
          { length: random.integer(1, 200) },
          () => size * random.normal() * 10 ** random.uniform(-3, 0),
        );
        const { worth, steps } = valuesOf(values, storage);
        worth.forEach((value, i) => {
          const [step = NaN, exact = NaN] = [steps[i], values[i]];
          assert.ok(Math.abs(value - exact) <= step / 2, `${exact} became ${value} in steps of ${step}`);
        });
        const expected = dequantized({ shape: [values.length], data: values }, storage);
        assert.deepEqual(
          worth.map((value) => value + 0),
          [...expected.data].map((value) => value + 0),
        );
      }
    });

    it(`to ${storage} takes halves to even, and keeps zeros and whole multiples of a step`, () => {
      const most = storage === "int8" ? 127 : 7;
      const values = Float32Array.of(most, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0, 3, -most);
      assert.deepEqual(
        valuesOf(values, storage).worth.map((value) => value + 0),
        [most, 0, 2, 2, 0, -2, -2, 0, 3, -most],
      );
    });

    it(`to ${storage} keeps a group of zeros and the largest numbers, and refuses what is not finite`, () => {
      assert.deepEqual(
        valuesOf(new Float32Array(70), storage).worth,
        Array.from({ length: 70 }, () => 0),
      );
      const largest = Float32Array.of(3.4e38, -3.4e38, 1);
      const { worth, steps } = valuesOf(largest, storage);
      assert.ok(worth.every((value, i) => Math.abs(value - (largest[i] ?? 0)) <= (steps[i] ?? 0) / 2));
      for (const odd of [NaN, Infinity, -Infinity])
        for (const at of [0, 31, 40])
          assert.equal(
            quantize(
              new Float32Array(64).map((_, i) => (i === at ? odd : i)),
              storage,
            ),
            undefined,
          );
    });
  }

  it("of a group does not depend on the others", () => {
    const random = seeded(9);
    const values = Float32Array.from({ length: 256 }, () => random.normal());
    const whole = quantize(values, "int4");
    const part = quantize(values.slice(64, 128), "int4");
    assert.ok(whole !== undefined && part !== undefined);
    assert.deepEqual(part.codes, whole.codes.slice(32, 64));
    assert.deepEqual(part.scales, whole.scales.slice(4, 8));
  });
});
