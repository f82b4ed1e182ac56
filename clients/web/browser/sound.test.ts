/** The sound follows what it is told while it plays: chords are moved, taken back and come late, and panic means silence. */

import { beforeAll, expect, test } from "vitest";
import type { Click, Strike } from "../src/contracts.ts";
import { type OpenWorkbench, theWorkbench } from "./harness.ts";
import type { Deed } from "./page_sound.ts";

let workbench: OpenWorkbench;
beforeAll(async () => {
  workbench = await theWorkbench();
});

const C = 60;
const G = 67;
const strike = (timeS: number, ...pitches: number[]): Strike => ({ timeS, pitches, velocity: 100 });

/** In which tenths of a second each pitch sounds, as text: `..###` is silent for two and sounds for three. */
async function heard(script: Deed[], lastsS: number, ...pitches: number[]): Promise<string[]> {
  const { strengths } = await play(script, pitches, lastsS);
  return strengths.map((each) => each.map((strength) => (strength > 0.004 ? "#" : ".")).join(""));
}

function play(script: Deed[], pitches: number[], lastsS: number) {
  return workbench.page.evaluate(([...args]) => globalThis.workbench.renderScript(...args), [script, pitches, lastsS] as const);
}

test("a note sounds from its press to its release, a little longer than that", async () => {
  const [note] = await heard(
    [
      { atS: 0.2, noteOn: [C, 100] },
      { atS: 1, noteOff: C },
    ],
    2,
    C,
  );
  expect(note).toMatch(/^\.\.#{8,11}\.+$/);
});

test("each chord lasts until the next one", async () => {
  const [c, g] = await heard([{ atS: 0, chords: [strike(0.5, C), strike(1, G), strike(1.5)] }], 2.5, C, G);
  expect(c).toMatch(/^\.{5}#{5,8}\.+$/);
  expect(g).toMatch(/^\.{10}#{5,8}\.+$/);
});

test("a chord that is taken back never sounds, and the one before goes on", async () => {
  const plan = [strike(0.5, C), strike(1, G)];
  const [c, g] = await heard(
    [
      { atS: 0, chords: plan },
      { atS: 0.8, chords: plan.slice(0, 1) },
    ],
    2,
    C,
    G,
  );
  expect(c).toMatch(/^\.{5}#{15}$/);
  expect(g).toMatch(/^\.+$/);
});

test("an end that is moved forward holds the chord for longer", async () => {
  const [c, g] = await heard(
    [
      { atS: 0, chords: [strike(0.5, C), strike(1, G)] },
      { atS: 0.9, chords: [strike(0.5, C), strike(1.5, G)] },
    ],
    2.5,
    C,
    G,
  );
  expect(c).toMatch(/^\.{5}#{10,13}\.+$/);
  expect(g).toMatch(/^\.{15}#+$/);
});

test("a plan that comes late is struck at once", async () => {
  const [c, g] = await heard(
    [
      { atS: 0, chords: [strike(0.5, C)] },
      { atS: 1.2, chords: [strike(0.5, C), strike(1, G)] },
    ],
    2,
    C,
    G,
  );
  expect(c).toMatch(/^\.{5}#{7,10}\.+$/);
  expect(g).toMatch(/^\.{12}#+$/);
});

test("panic is silence within a tenth of a second, also of what is to come", async () => {
  const script: Deed[] = [
    { atS: 0, chords: [strike(0, C), strike(1, G)] },
    { atS: 0.2, noteOn: [72, 100] },
    { atS: 0.5, panic: true },
  ];
  for (const pitch of await heard(script, 2, C, G, 72)) expect(pitch.slice(6)).toMatch(/^\.+$/);
});

test("panic does not make anything louder first, whether held, let go or just begun", async () => {
  const script: Deed[] = [
    { atS: 0, noteOn: [C, 100], chords: [strike(0, 48)] },
    { atS: 1.9, noteOff: C },
    { atS: 2.05, panic: true },
  ];
  const { peaks } = await play(script, [], 3);
  expect(peaks[20]).toBeLessThanOrEqual(1.01 * (peaks[18] ?? 0));
  expect(Math.max(...peaks.slice(21))).toBe(0);
});

test("a muted part is silent while the other plays", async () => {
  const [c, g] = await heard(
    [
      { atS: 0, volume: ["chords", 0], chords: [strike(0, C)] },
      { atS: 0.3, noteOn: [G, 100] },
    ],
    1,
    C,
    G,
  );
  expect(c).toMatch(/^\.+$/);
  expect(g).toMatch(/^\.{3}#+$/);
});

test("clicks sound when they should, and not when they are taken back", async () => {
  const clicks: Click[] = [0.53, 1.03, 1.53].map((timeS) => ({ timeS, accent: false }));
  const pitch = 69 + 12 * Math.log2(1175 / 440);
  const [sounding] = await heard(
    [
      { atS: 0, clicks },
      { atS: 1.2, clicks: [] },
    ],
    2,
    pitch,
  );
  expect(sounding).toBe(".....#....#.........");
});
