/** What the audio clock is given: strikes at the start of frames, an empty one where a chord ends. */

import type { Sounding } from "sideman-client";
import { expect, test } from "vitest";
import { Grid } from "./grid.ts";
import { strikesOf } from "./strikes.ts";

const grid = Grid.from(10, 60);
const sounding = (frame: number, symbol: string, struck: boolean): Sounding => {
  return { frame, symbol, pitches: symbol === "N" ? [] : [48], struck, planned: true, late: false };
};

test("chords are struck where they begin, and end where there is none", () => {
  const frames = [sounding(0, "C", true), sounding(1, "C", false), sounding(2, "N", false), sounding(3, "N", false)];
  const strikes = strikesOf(frames, undefined, grid, () => false);
  expect(strikes.map(({ timeS, pitches }) => [timeS, pitches])).toEqual([
    [10, [48]],
    [10.5, []],
  ]);
});

test("what sounded before is not struck again", () => {
  expect(strikesOf([sounding(5, "C", false)], sounding(4, "C", true), grid, () => false)).toEqual([]);
  expect(strikesOf([sounding(5, "N", false)], sounding(4, "C", true), grid, () => false)).toHaveLength(1);
});

test("a bar line has a little more weight", () => {
  const [bar] = strikesOf([sounding(0, "C", true)], undefined, grid, () => true);
  const [beat] = strikesOf([sounding(4, "C", true)], undefined, grid, () => false);
  expect(bar?.velocity).toBeGreaterThan(beat?.velocity ?? 127);
});
