/** When no plan comes any more: hold for a bar, then the last planned bar again and again. */

import type { Sounding } from "sideman-client";
import { expect, test } from "vitest";
import { standIn } from "./fallback.ts";

const BAR = 16;

function frames(...stretches: readonly (readonly [symbol: string, length: number, planned: boolean])[]): Sounding[] {
  return stretches.flatMap(([symbol, length, planned], index) =>
    Array.from({ length }, (_, at) => ({
      frame: 0,
      symbol,
      pitches: symbol === "N" ? [] : [index],
      struck: at === 0,
      planned,
      late: false,
    })),
  );
}

test("nothing while the plan lasts, nor in the bar after it", () => {
  expect(standIn(frames(["C", 16, true]), 0, BAR)).toEqual([]);
  expect(standIn(frames(["C", 16, true], ["C", 15, false]), 0, BAR)).toEqual([]);
});

test("then the last whole bar the plan filled, from the bar line on, twice", () => {
  const runs = standIn(frames(["C", 8, true], ["G", 12, true], ["G", 17, false]), 0, BAR);
  expect(runs.map(({ start, length, symbol, onset }) => [start, length, symbol, onset])).toEqual([
    [32, 8, "C", true],
    [40, 8, "G", true],
    [48, 8, "C", true],
    [56, 8, "G", true],
  ]);
});

test("bar lines need not be multiples of the bar", () => {
  const runs = standIn(frames(["N", 8, true], ["C", 16, true], ["C", 32, false]), 8, BAR);
  expect(runs[0]?.start).toBe(56);
});

test("nothing if nothing was ever planned, or no whole bar", () => {
  expect(standIn(frames(["N", 64, false]), 0, BAR)).toEqual([]);
  expect(standIn(frames(["C", 7, true], ["C", 40, false]), 0, BAR)).toEqual([]);
  expect(standIn(frames(["N", 12, true], ["C", 10, true], ["C", 40, false]), 0, BAR)).toEqual([]);
});
