import { expect, test } from "vitest";
import { JAM } from "./fixtures.ts";
import { durationS, replayTimeline } from "./replay.ts";

test("a replay from the beginning is the jam on the audio clock", () => {
  const { strikes, notes, endS } = replayTimeline(JAM, 0, 100);
  expect(strikes.map(({ timeS, pitches }) => [timeS, pitches.length])).toEqual([
    [100, 0],
    [101.5, 3],
    [103, 3],
    [105, 4],
    [106, 0],
    [107, 0],
  ]);
  expect(notes.map(({ pitch, atS, untilS }) => [pitch, atS, untilS])).toEqual([
    [64, 100, 100.5],
    [67, 100.51, 103.5],
    [72, 104, 107],
  ]);
  expect(endS).toBe(107);
});

test("from the middle, what sounds there begins at once and what is over stays out", () => {
  const { strikes, notes, endS } = replayTimeline(JAM, 2, 100);
  expect(strikes.slice(0, 2).map(({ timeS, pitches }) => [timeS, pitches])).toEqual([
    [100, [48, 64, 67]],
    [101, [48, 64, 67]],
  ]);
  expect(notes.map(({ pitch, atS, untilS }) => [pitch, atS, untilS])).toEqual([
    [67, 100, 101.5],
    [72, 102, 105],
  ]);
  expect(endS).toBe(105);
});

test("at half speed everything takes twice as long", () => {
  const { notes, endS } = replayTimeline(JAM, 2, 100, 0.5);
  expect(notes.map(({ atS, untilS }) => [atS, untilS])).toEqual([
    [100, 103],
    [104, 110],
  ]);
  expect(endS).toBe(110);
});

test("a record lasts as long as its frames", () => {
  expect(durationS(JAM)).toBe(7);
});
