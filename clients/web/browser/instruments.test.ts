/** Every instrument, rendered offline in a real Chromium by the sampler that plays live: it sounds, on time, at the right pitch. */

import { beforeAll, describe, expect, test } from "vitest";
import { INSTRUMENTS, type Instrument } from "../src/contracts.ts";
import { type OpenWorkbench, theWorkbench } from "./harness.ts";
import type { Heard } from "./page_sound.ts";

let workbench: OpenWorkbench;
beforeAll(async () => {
  workbench = await theWorkbench();
});

const START_S = 0.25;
/** The pad swells. */
const SLOWEST_ATTACK_S = 0.04;
const PITCHES = [48, 55, 60, 64, 72, 79];

describe.each(INSTRUMENTS)("%s", (instrument) => {
  test.each(PITCHES)("sounds pitch %i on time and in tune, and ends after its release", async (pitch) => {
    const heard = await render(instrument, pitch, 100);
    expect(heard.firstSoundS).toBeGreaterThanOrEqual(START_S - 0.001);
    expect(heard.firstSoundS).toBeLessThan(START_S + SLOWEST_ATTACK_S);
    expect(Math.abs(heard.tuning.off)).toBeLessThan(0.35);
    expect(heard.tuning.clarity).toBeGreaterThan(5);
    expect(heard.tuning.share).toBeGreaterThan(0.05);
    expect(heard.rms).toBeGreaterThan(0.005);
    expect(heard.peak).toBeLessThan(1);
    expect(heard.afterReleasePeak).toBeLessThan(0.001);
  });

  test("is decoded as far as its loops reach", async () => {
    expect(await workbench.page.evaluate((name) => globalThis.workbench.missingBehindLoops(name), instrument)).toBeLessThan(0);
  });
});

test("a loud note is louder than a soft one", async () => {
  const [loud, soft] = [await render("piano", 60, 120), await render("piano", 60, 40)];
  expect(loud.rms / soft.rms).toBeGreaterThan(4);
});

test("the instruments are about as loud as each other", async () => {
  const levels: number[] = [];
  for (const instrument of INSTRUMENTS) levels.push((await render(instrument, 60, 100)).rms);
  expect(Math.max(...levels) / Math.min(...levels)).toBeLessThan(4);
});

test("a browser without Vorbis sounds the same", async () => {
  const note = ["vibraphone", 60, 100, START_S] as const;
  const [native, own] = await workbench.page.evaluate(
    async ([...args]) => [await globalThis.workbench.renderNote(...args), await globalThis.workbench.renderNoteUndecoded(...args)] as const,
    note,
  );
  expect(own.tuning.off).toBeCloseTo(native.tuning.off, 1);
  expect(own.rms / native.rms).toBeCloseTo(1, 1);
});

test("the first sound is at most 700 kB away", async () => {
  const response = await workbench.page.request.get(`${workbench.url}instruments/piano.sound`);
  expect((await response.body()).length).toBeLessThan(700_000);
});

function render(instrument: Instrument, pitch: number, velocity: number): Promise<Heard> {
  return workbench.page.evaluate(([...args]) => globalThis.workbench.renderNote(...args), [instrument, pitch, velocity, START_S] as const);
}
