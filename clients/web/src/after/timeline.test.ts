import { expect, test } from "vitest";
import { JAM } from "./fixtures.ts";
import { frameAtS, struckChords, timeSOfFrame } from "./timeline.ts";

test("frames are as long as the tempo of their time says", () => {
  expect([0, 12, 24, 28, 40].map((frame) => timeSOfFrame(JAM.tempo, frame))).toEqual([0, 1.5, 3, 4, 7]);
});

test("seconds and frames are each other's inverse", () => {
  for (const frame of [0, 0.5, 23.9, 24, 39]) expect(frameAtS(JAM.tempo, timeSOfFrame(JAM.tempo, frame))).toBeCloseTo(frame);
});

test("a run that continues a chord is not struck, one that strikes it again is", () => {
  expect(struckChords(JAM).map(({ frame, untilFrame, symbol }) => [frame, untilFrame, symbol])).toEqual([
    [0, 12, "N"],
    [12, 24, "C"],
    [24, 32, "C"],
    [32, 36, "F#m7b5"],
    [36, 40, "N"],
  ]);
});
