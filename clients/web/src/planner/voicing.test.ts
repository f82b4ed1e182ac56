import { expect, test } from "vitest";
import { arithmetic } from "./vectors.ts";
import { voice } from "./voicing.ts";

test("every chord is voiced as the service voices it, after the same voicing", () => {
  expect(arithmetic.voicings.length).toBeGreaterThan(100);
  for (const { root, intervals, style, previous, pitches } of arithmetic.voicings) {
    expect(voice({ root, intervals }, previous, style)).toEqual(pitches);
  }
});

test("no chord has no pitches", () => {
  expect(voice(null, [36, 60, 64, 67], "led")).toEqual([]);
});
