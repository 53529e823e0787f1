/** Products of matrices as loops, in float64. */

/** Σ_k x[row, k] · w[col, k], row-major. */
export function multiplied(
  x: ArrayLike<number>,
  w: ArrayLike<number>,
  [rows, cols, depth]: readonly [number, number, number],
): Float64Array {
  const sums = new Float64Array(rows * cols);
  for (let row = 0; row < rows; row++)
    for (let col = 0; col < cols; col++)
      for (let k = 0; k < depth; k++)
        sums[row * cols + col]! += (x[row * depth + k] ?? NaN) * (w[col * depth + k] ?? NaN);
  return sums;
}
