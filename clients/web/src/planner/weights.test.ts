import { expect, test } from "vitest";
import { tiny } from "./vectors.ts";
import { type Manifest, UnusableWeights, Weights } from "./weights.ts";

const { manifest, data } = tiny;
const refusal = (change: Partial<Manifest>) => () => new Weights({ ...manifest, ...change }, data);

test("a file of another length, format, number type or kind of model is refused, and what to do is said", () => {
  expect(refusal({ bytes: 4 })).toThrow(`expected 4 bytes of weights, got ${data.byteLength}: build the page again`);
  expect(refusal({ format: 2 })).toThrow("expected planner.json of format 1, got format 2");
  expect(refusal({ dtype: "float32" })).toThrow("expected weights in bfloat16, got float32");
  expect(refusal({ sizes: { ...manifest.sizes, listening_layers: 2 } })).toThrow("expected a model that plays along");
});

test("a tensor that is missing or has another shape is refused", () => {
  const weights = new Weights(manifest, data);
  expect(() => weights.table("no.such", 3)).toThrow(UnusableWeights);
  expect(() => weights.table("norm.scale", 3)).toThrow("expected norm.scale of shape 3, got 32");
});

test("bfloat16 is widened without rounding, and matrices are filled up to whole groups of rows", () => {
  const weights = new Weights(manifest, data);
  expect([...weights.table("norm.scale", 32)]).toEqual(new Array(32).fill(1));
  const table = weights.table("melody_head.kernel", 130, 16);
  const { packed } = weights.matrix("melody_head.kernel", 130, 16);
  expect(packed).toHaveLength(136 * 16);
  for (const [row, column] of [
    [0, 0],
    [7, 15],
    [8, 3],
    [129, 9],
  ] as const) {
    expect(packed[(Math.floor(row / 8) * 16 + column) * 8 + (row % 8)]).toBe(table[row * 16 + column]);
  }
  expect(packed[(16 * 16 + 9) * 8 + 2]).toBe(0); // row 130
});
