import { expect, test } from "vitest";
import { calibratedOffsetS } from "./calibration.ts";

const CLICKS = [1, 2, 3, 4, 5, 6, 7, 8];

test("the offset is the median of how far taps are behind their clicks", () => {
  const slips = [0.15, 0.14, 0.16, 0.15, 0.15, 0.3, 0.15, 0.02];
  expect(
    calibratedOffsetS(
      CLICKS,
      CLICKS.map((click, i) => click + (slips[i] as number)),
    ),
  ).toBeCloseTo(0.15);
});

test("taps ahead of the clicks give a negative offset", () => {
  expect(
    calibratedOffsetS(
      CLICKS,
      CLICKS.map((click) => click - 0.03),
    ),
  ).toBeCloseTo(-0.03);
});

test("an even number of taps has the mean of the middle two", () => {
  expect(calibratedOffsetS(CLICKS, [1.1, 2.1, 3.2, 4.2])).toBeCloseTo(0.15);
});

test("too few taps, taps beside every click, and taps all over the place say nothing", () => {
  expect(calibratedOffsetS(CLICKS, [1.1, 2.1, 3.1])).toBeNull();
  expect(calibratedOffsetS(CLICKS, [1.5, 2.5, 3.5, 4.5, 5.5])).toBeNull();
  expect(calibratedOffsetS(CLICKS, [1.3, 1.7, 2.1, 2.8, 3.25, 4.05, 4.75])).toBeNull();
  expect(calibratedOffsetS([], [1, 2, 3, 4])).toBeNull();
});
