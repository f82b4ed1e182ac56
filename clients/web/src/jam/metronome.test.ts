/** Clicks fall on beats, accents on bar lines. */

import { expect, test } from "vitest";
import { Grid } from "./grid.ts";
import { clicks } from "./metronome.ts";

const grid = Grid.from(10, 120);

test("a click on every beat, the bar line's has the accent", () => {
  const found = clicks(grid, { line: 0, beats: 3 }, 10, 12);
  expect(found.map((each) => each.timeS)).toEqual([10, 10.5, 11, 11.5]);
  expect(found.map((each) => each.accent)).toEqual([true, false, false, true]);
});

test("stretches adjoin: no click is lost and none comes twice", () => {
  const whole = clicks(grid, { line: 0, beats: 4 }, 10, 30);
  const parts = [10, 13.37, 17.5, 22.01].map((from, index, all) => clicks(grid, { line: 0, beats: 4 }, from, all[index + 1] ?? 30));
  expect(parts.flat()).toEqual(whole);
});

test("G4 beats follow a bar line that was moved", () => {
  expect(clicks(grid, { line: 6, beats: 4 }, 10, 11).map((each) => each.timeS)).toEqual([10.25, 10.75]);
});

test("none before the first frame asked for", () => {
  expect(clicks(grid, { line: 0, beats: 4 }, 8, 10.4, 0).map((each) => each.timeS)).toEqual([10]);
});
