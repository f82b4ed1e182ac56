/** Frames and seconds through changes of tempo. */

import { describe, expect, test } from "vitest";
import { barAt, frameSeconds, Grid } from "./grid.ts";

test("G1 a frame is a quarter of a beat", () => {
  expect([frameSeconds(120), frameSeconds(60)]).toEqual([0.125, 0.25]);
});

describe("a grid from 10 s at 120 BPM", () => {
  const grid = Grid.from(10, 120);

  test("G3 a moment belongs to the frame in which it lies, rounded down", () => {
    expect([grid.frame(10), grid.frame(10.1249), grid.frame(10.125), grid.frame(11.9), grid.frame(9.99)]).toEqual([0, 0, 1, 15, -1]);
  });

  test("the start of every frame lies in that frame", () => {
    for (let frame = 0; frame < 5_000; frame++) expect(grid.frame(grid.timeS(frame))).toBe(frame);
  });

  test("a change of tempo keeps what was before it and bends what comes after", () => {
    const slower = grid.withTempo(8, 60);
    expect([slower.timeS(8), slower.timeS(4), slower.timeS(12)]).toEqual([11, 10.5, 12]);
    expect([slower.position(10.5), slower.position(12), slower.bpm]).toEqual([4, 12, 60]);
  });

  test("a second change at the same frame takes the place of the first; the same tempo changes nothing", () => {
    const twice = grid.withTempo(8, 60).withTempo(8, 240);
    expect(twice.stretches.map((each) => each.bpm)).toEqual([120, 240]);
    expect(grid.withTempo(8, 120).stretches.length).toBe(1);
  });

  test("a change at the beginning is a grid of that tempo", () => {
    expect(grid.withTempo(0, 60).stretches).toEqual([{ frame: 0, timeS: 10, bpm: 60 }]);
  });
});

test("bars are those of the last mark", () => {
  const metre = [
    { frame: 0, beatsPerBar: 4 },
    { frame: 32, beatsPerBar: 3 },
  ];
  expect(barAt(metre, 31)).toEqual({ line: 0, frames: 16 });
  expect(barAt(metre, 32)).toEqual({ line: 32, frames: 12 });
});
