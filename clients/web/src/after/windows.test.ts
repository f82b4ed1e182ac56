import { expect, test } from "vitest";
import { JAM } from "./fixtures.ts";
import { replayTimeline } from "./replay.ts";
import { windowsOf } from "./windows.ts";

const windows = windowsOf(replayTimeline(JAM, 0, 0), 2);

test("every note is in the window in which it begins, with its whole length", () => {
  expect(windows.map((window) => window.notes.map(({ pitch, atS, untilS }) => [pitch, atS, untilS]))).toEqual([
    [
      [64, 0, 0.5],
      [67, 0.51, 3.5],
    ],
    [],
    [[72, 0, 3]],
    [],
  ]);
});

test("the last chord of a window ends where the next one of all is", () => {
  expect(windows.map((window) => window.strikes.map(({ timeS, pitches }) => [timeS, pitches.length]))).toEqual([
    [
      [0, 0],
      [1.5, 3],
      [3, 0],
    ],
    [
      [1, 3],
      [3, 0],
    ],
    [
      [1, 4],
      [2, 0],
    ],
    [
      [0, 0],
      [1, 0],
    ],
  ]);
});

test("a window lasts until the last of its notes and chords has ended", () => {
  expect(windows.map((window) => window.lastsS)).toEqual([3.5, 3, 3, 2]);
});

test("an empty jam is one empty window", () => {
  expect(windowsOf({ strikes: [], notes: [], endS: 0 }, 10)).toEqual([{ strikes: [], notes: [], lastsS: 10 }]);
});
