/** The audio clock between its jumps. */

import { expect, test } from "vitest";
import { ClockEstimate } from "./clock.ts";

/** A clock that stands still within buffers of 20 ms. */
const audioS = (performanceMs: number) => 5 + Math.floor(performanceMs / 20) * 0.02;

test("between two jumps it runs on evenly, and never backwards", () => {
  const clock = new ClockEstimate();
  let before = 0;
  for (let ms = 0; ms < 10_000; ms += 3) {
    const now = clock.read(audioS(ms), ms);
    expect(now).toBeGreaterThanOrEqual(before);
    if (ms > 100) expect(Math.abs(now - (5 + ms / 1000))).toBeLessThan(0.0031);
    before = now;
  }
});

test("a clock that was suspended is believed anew", () => {
  const clock = new ClockEstimate();
  clock.read(5, 0);
  clock.read(5.5, 500);
  expect(clock.read(5.5, 3_500)).toBeCloseTo(5.5);
});

test("a slow drift is followed", () => {
  const clock = new ClockEstimate();
  let now = 0;
  for (let ms = 0; ms < 60_000; ms += 5) now = clock.read((ms / 1000) * 0.9995, ms);
  expect(now).toBeCloseTo(59.995 * 0.9995, 2);
});

test("events of the past have a time too", () => {
  const clock = new ClockEstimate();
  clock.read(5, 1_000);
  expect(clock.ofS(900)).toBeCloseTo(4.9);
});
