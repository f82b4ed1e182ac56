import { expect, test } from "vitest";
import { limited, limiterCurve, RANGE } from "./limiter.ts";

test("what one part plays passes unchanged", () => {
  expect(limited(0.4)).toBe(0.4);
  expect(limited(-0.5)).toBe(-0.5);
});

test("nothing gets above full scale, and louder stays louder", () => {
  expect(limited(2)).toBeLessThanOrEqual(1);
  expect(limited(-3)).toBeGreaterThanOrEqual(-1);
  expect(limited(0.9)).toBeGreaterThan(limited(0.8));
});

test("the curve begins and ends at the limits and passes through zero", () => {
  const curve = limiterCurve();
  expect(curve[0]).toBeCloseTo(limited(-RANGE));
  expect(curve[(curve.length - 1) / 2]).toBe(0);
  expect(curve.at(-1)).toBeCloseTo(limited(RANGE));
});
