/** What the generator translated, not only copied. */

import { expect, test } from "vitest";
import {
  CLOSE_REASONS,
  chordTones,
  DEFAULT_SETTINGS,
  QUALITY_INTERVALS,
  ROOT_NAMES,
  SETTING_RANGES,
  shouldReconnect,
} from "../src/index.ts";

test("C10 who should come back", () => {
  const known = Object.keys(CLOSE_REASONS).map(Number).filter(shouldReconnect);
  expect(known).toEqual([1011, 1012, 1013, 4002, 4003, 4004]);
  const all = Array.from({ length: 4000 }, (_, index) => 1000 + index).filter(shouldReconnect);
  expect(all).toEqual([1001, 1006, 1011, 1012, 1013, ...Array.from({ length: 500 }, (_, index) => 4000 + index)]);
});

test("every symbol has its tones, root first", () => {
  expect(chordTones("F#m7b5")).toEqual([6, 9, 0, 4]);
  expect(chordTones("Bb")).toEqual([10, 2, 5]);
  expect(chordTones("Bbmaj9")).toEqual([10, 2, 5, 9, 0]);
  expect([chordTones("N"), chordTones("H7"), chordTones("C/G")]).toEqual([[], null, null]);
  for (const root of ROOT_NAMES)
    for (const quality of Object.keys(QUALITY_INTERVALS)) expect(chordTones(root + quality)?.[0]).toBeGreaterThanOrEqual(0);
});

test("settings have defaults inside their ranges", () => {
  for (const [name, [low, high]] of Object.entries(SETTING_RANGES)) {
    const value = DEFAULT_SETTINGS[name as keyof typeof SETTING_RANGES];
    expect(value).toBeGreaterThanOrEqual(low);
    expect(value).toBeLessThanOrEqual(high);
  }
});
