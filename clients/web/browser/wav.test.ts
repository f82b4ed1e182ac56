/** A jam as a WAV file: rendered in windows by the live sampler, and decoded again. */

import { beforeAll, expect, test } from "vitest";
import type { SessionRecord } from "../src/contracts.ts";
import { type OpenWorkbench, theWorkbench } from "./harness.ts";

let workbench: OpenWorkbench;
beforeAll(async () => {
  workbench = await theWorkbench();
});

/** 25 s at 120 BPM: an organ chord held from 4 to 20 s, over two borders of windows, a note at 9.5 s, and silence in between. */
const LONG: SessionRecord = {
  format: "sideman-session",
  version: 1,
  startedAt: "2026-11-25T10:00:00.000Z",
  frames: 200,
  tempo: [{ frame: 0, timeS: 0, bpm: 120 }],
  metre: [{ frame: 0, beatsPerBar: 4 }],
  notes: [{ pitch: 72, velocity: 100, startS: 9.5, endS: 10.5 }],
  melody: [{ start: 76, length: 8, pitch: 72 }],
  chords: [
    { start: 0, length: 32, symbol: "N", pitches: [], onset: false },
    { start: 32, length: 128, symbol: "C", pitches: [48, 64, 67], onset: true },
    { start: 160, length: 40, symbol: "N", pitches: [], onset: true },
  ],
  settings: {},
  instruments: { melody: "piano", chords: "organ" },
  lateFrames: 0,
};

test("sounds when the jam did and is silent when it was not, across its windows", async () => {
  const heard = await workbench.page.evaluate((record) => globalThis.workbench.renderWav(record), LONG);
  expect(heard.type).toBe("audio/wav");
  expect(heard.channels).toBe(2);
  expect(heard.durationS).toBeCloseTo(25 + 2.5, 1);
  expect(heard.peak).toBeLessThanOrEqual(1);
  expect(heard.shares).toEqual([1 / 3, 2 / 3, 1]);
  const isSounding = heard.seconds.map((level) => level > 0.03);
  expect(isSounding).toEqual(heard.seconds.map((_, second) => second >= 4 && second < 20));
  // The held chord does not change at the borders of the windows, at 10 and 20 s; at 9.5 s a note joins it.
  const held = heard.seconds.slice(12, 19);
  expect(Math.max(...held) / Math.min(...held)).toBeLessThan(1.3);
  expect(heard.seconds[9]).toBeGreaterThan(1.05 * (heard.seconds[8] ?? 0));
});

test("an empty jam is an empty file of the right kind", async () => {
  const heard = await workbench.page.evaluate((record) => globalThis.workbench.renderWav(record), {
    ...LONG,
    frames: 0,
    notes: [],
    chords: [],
  });
  expect(heard.peak).toBe(0);
});
