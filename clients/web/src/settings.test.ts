/** What can be chosen, how it is kept and shared, and what of it is refused. */

import { describe, expect, test } from "vitest";
import { changed, DEFAULTS, fromHash, PRESETS, presetOf, protocolChange, restored, toHash } from "./settings.ts";

test("S2 commit never exceeds lookahead: the other one moves", () => {
  expect(changed(DEFAULTS, { commit_beats: 8 })).toMatchObject({ commit_beats: 8, lookahead_beats: 8 });
  expect(changed({ ...DEFAULTS, commit_beats: 4 }, { lookahead_beats: 2 })).toMatchObject({ commit_beats: 2, lookahead_beats: 2 });
});

test("numbers go to the nearest value that is allowed", () => {
  expect(changed(DEFAULTS, { bpm: 1000, beats_per_bar: 1.4, temperature: -1 })).toMatchObject({
    bpm: 300,
    beats_per_bar: 2,
    temperature: 0,
  });
});

test("only what changed is told, and never an empty model", () => {
  expect(protocolChange(DEFAULTS, changed(DEFAULTS, { bpm: 90, melodyVolume: 0.1 }))).toEqual({ bpm: 90 });
  expect(protocolChange(null, DEFAULTS)).not.toHaveProperty("model");
  expect(Object.keys(protocolChange(null, { ...DEFAULTS, model: "m" }))).toHaveLength(10);
});

describe("what was kept", () => {
  test("comes back", () => {
    const settings = changed(DEFAULTS, { bpm: 77, chordsInstrument: "strings", metronome: false, language: "de" });
    expect(restored(JSON.stringify(settings))).toEqual(settings);
  });

  test.each([null, "", "nonsense", "[1]", "null", '{"bpm":"fast","style":"polka","unknown":1,"metronome":"yes"}'])(
    "is ignored where it is unusable: %s",
    (text) => {
      expect(restored(text)).toEqual(DEFAULTS);
    },
  );
});

describe("a link", () => {
  test("carries what differs from the defaults, and not the habits of a person", () => {
    const settings = changed(DEFAULTS, { bpm: 77, style: "folk", metronome: false, theme: "light", melodyVolume: 0.2 });
    expect(toHash(settings)).toBe("bpm=77&style=folk&metronome=false");
  });

  test("sets everything it is about, also what it leaves out", () => {
    const mine = changed(DEFAULTS, { bpm: 140, temperature: 1.5, theme: "light" });
    expect(changed(mine, fromHash("#bpm=77") ?? {})).toEqual({ ...DEFAULTS, bpm: 77, theme: "light" });
  });

  test("that says nothing we know changes nothing", () => {
    expect(fromHash("")).toBeNull();
    expect(fromHash("#a-heading&theme=light")).toBeNull();
  });

  test("with nonsense in it sets the rest", () => {
    expect(fromHash("#bpm=abc&style=folk&density=loud")).toMatchObject({ bpm: DEFAULTS.bpm, style: "folk", density: "unspecified" });
  });
});

test("every preset is recognised, and a change makes it one's own", () => {
  for (const [name, change] of Object.entries(PRESETS)) expect(presetOf(changed(DEFAULTS, change))).toBe(name);
  expect(presetOf(changed(DEFAULTS, { temperature: 0.1 }))).toBeNull();
});
