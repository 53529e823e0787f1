import assert from "node:assert/strict";
import fc from "fast-check";
import { elements } from "../../runtime/tensor.js";
import { type InputTensor, joinAxis, sliceAxis } from "../../src/cli/tensors.js";

const counted = (shape: readonly number[]): InputTensor & { data: Float32Array } => ({
  shape,
  data: Float32Array.from({ length: elements(shape) }, (_, i) => i),
});

describe("tensors on the host", () => {
  it("slices the coordinates asked for", () => {
    const slice = sliceAxis(counted([2, 3, 2]), 1, 1, 2);
    assert.deepEqual(slice, { shape: [2, 1, 2], data: Float32Array.of(2, 3, 8, 9) });
  });

  it("joins what it sliced, along any axis, cut anywhere", () => {
    const shapes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(shapes, fc.nat(), fc.array(fc.nat()), (shape, axisSeed, cutSeeds) => {
        const axis = axisSeed % shape.length;
        const size = shape[axis] ?? 1;
        const cuts = [0, ...cutSeeds.map((seed) => seed % size).sort((a, b) => a - b), size];
        const whole = counted(shape);
        const parts = cuts.slice(1).map((end, i) => sliceAxis(whole, axis, cuts[i] ?? 0, end));
        assert.deepEqual(joinAxis(parts as ReturnType<typeof counted>[], axis), whole);
      }),
    );
  });

  it("keeps whole numbers whole", () => {
    const ids = { shape: [1, 3], data: Uint32Array.of(1, 4_000_000_000, 3) };
    assert.deepEqual(sliceAxis(ids, 1, 1, 3).data, Uint32Array.of(4_000_000_000, 3));
  });
});
