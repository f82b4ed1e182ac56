/** Bars and their chords. */

import { expect, test } from "vitest";
import type { SessionRecord } from "../contracts.ts";
import { chartOf } from "./chart.ts";
import { JAM } from "./fixtures.ts";

function jam(change: Partial<SessionRecord>): SessionRecord {
  return { ...JAM, ...change };
}

const chord = (start: number, length: number, symbol: string) => ({ start, length, symbol, pitches: [], onset: symbol !== "N" });

test("a cell a bar, with what begins in it and what runs on", () => {
  const chords = [chord(0, 16, "N"), chord(16, 8, "C"), chord(24, 20, "G7"), chord(44, 4, "G7")];
  const bars = chartOf(jam({ frames: 48, metre: [{ frame: 0, beatsPerBar: 4 }], chords }));
  expect(bars.map((bar) => bar.symbols)).toEqual([["N"], ["C", "G7"], ["G7"]]);
});

test("bars follow a change of metre", () => {
  const metre = [
    { frame: 0, beatsPerBar: 4 },
    { frame: 16, beatsPerBar: 3 },
  ];
  const bars = chartOf(jam({ frames: 40, metre, chords: [chord(0, 28, "C"), chord(28, 12, "F")] }));
  expect(bars.map((bar) => bar.symbols.join())).toEqual(["C", "C", "F"]);
});
