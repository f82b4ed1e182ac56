/** The few array operations of the network, on plain typed arrays. Sums are float64, weights and tables float32. Pure. */

import { GROUP, type Matrix } from "./weights.ts";

const EPSILON = 1e-6; // of RMSNorm, as in the network that was trained

/**
 * y = W x, eight outputs at a time, which keeps their sums in registers. `y` has room for whole groups.
 *
 * Where the time goes: three million products a step. Written out because engines neither unroll nor use vectors here.
 */
export function multiply({ packed, rows, columns }: Matrix, x: Float64Array, y: Float64Array): void {
  let at = 0;
  for (let row = 0; row < rows; row += GROUP) {
    let [a, b, c, d, e, f, g, h] = [0, 0, 0, 0, 0, 0, 0, 0];
    for (let column = 0; column < columns; column++, at += GROUP) {
      const value = x[column] as number;
      a += value * (packed[at] as number);
      b += value * (packed[at + 1] as number);
      c += value * (packed[at + 2] as number);
      d += value * (packed[at + 3] as number);
      e += value * (packed[at + 4] as number);
      f += value * (packed[at + 5] as number);
      g += value * (packed[at + 6] as number);
      h += value * (packed[at + 7] as number);
    }
    y[row] = a;
    y[row + 1] = b;
    y[row + 2] = c;
    y[row + 3] = d;
    y[row + 4] = e;
    y[row + 5] = f;
    y[row + 6] = g;
    y[row + 7] = h;
  }
}

/** A vector with room for whole groups of a matrix' outputs. */
export function room(size: number): Float64Array {
  return new Float64Array(Math.ceil(size / GROUP) * GROUP);
}

/** RMSNorm: `size` values of x from `start` on, scaled to a mean square of 1, then by `scale`; into y, at the same place. */
export function normalize(x: Float64Array, scale: Float32Array, y: Float64Array, start = 0, size = scale.length): void {
  let sum = 0;
  for (let i = 0; i < size; i++) sum += (x[start + i] as number) ** 2;
  const factor = 1 / Math.sqrt(sum / size + EPSILON);
  for (let i = 0; i < size; i++) y[start + i] = (x[start + i] as number) * factor * (scale[i] as number);
}

/** x += y. */
export function add(x: Float64Array, y: Float64Array): void {
  for (let i = 0; i < x.length; i++) x[i] = (x[i] as number) + (y[i] as number);
}

/** x += row of a table. */
export function addRow(x: Float64Array, table: Float32Array, row: number): void {
  const start = row * x.length;
  for (let i = 0; i < x.length; i++) x[i] = (x[i] as number) + (table[start + i] as number);
}

/** x / (1 + exp(-x)). */
export function silu(x: number): number {
  return x / (1 + Math.exp(-x));
}

/** Cosines, then sines, of the rotary embedding (RoFormer, section 3.4) for every position: `half` of each. Rounded as the server rounds. */
export function rotations(positions: number, half: number, base: number): Float64Array {
  const table = new Float64Array(positions * 2 * half);
  for (let position = 0; position < positions; position++) {
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(position * Math.fround(base ** (-i / half)));
      table[position * 2 * half + i] = Math.cos(angle);
      table[(position * 2 + 1) * half + i] = Math.sin(angle);
    }
  }
  return table;
}

/** Rotates one head's 2 x half values from `start` on by the angles of `position`. */
export function rotate(x: Float64Array, start: number, table: Float64Array, position: number, half: number): void {
  const angles = position * 2 * half;
  for (let i = 0; i < half; i++) {
    const [cos, sin] = [table[angles + i] as number, table[angles + half + i] as number];
    const [a, b] = [x[start + i] as number, x[start + half + i] as number];
    x[start + i] = a * cos - b * sin;
    x[start + half + i] = a * sin + b * cos;
  }
}
