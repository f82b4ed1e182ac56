import { expect, test } from "vitest";
import { JAM } from "./fixtures.ts";
import { parseSession, toJson } from "./session.ts";

/** The jam as JSON, with one thing about it changed. */
const changed = (change: object) => JSON.stringify({ ...JAM, ...change });

test("what was saved is read", () => {
  expect(parseSession(toJson(JAM))).toEqual(JAM);
});

test("fields of a later version are left out", () => {
  expect(parseSession(changed({ mood: "blue" }))).toEqual(JAM);
});

test.each([
  ["no JSON", "MThd", "expected a session as JSON, got something else: choose a .json file that Sideman has saved"],
  ["other JSON", "[1, 2]", "expected an object at $, got [1,2]: choose a session that Sideman has saved, unchanged"],
  [
    "another app's",
    '{"notes": []}',
    'expected "sideman-session" at $.format, got nothing: choose a session that Sideman has saved, unchanged',
  ],
  [
    "a newer one",
    changed({ version: 2 }),
    "expected a session of version 1, got one of version 2: open it with the newer Sideman that saved it",
  ],
  [
    "a pitch out of range",
    changed({ notes: [{ pitch: 128, velocity: 1, startS: 0, endS: 1 }] }),
    "expected a number from 0 to 127 at $.notes[0].pitch, got 128: choose a session that Sideman has saved, unchanged",
  ],
  [
    "half a frame",
    changed({ frames: 39.5 }),
    "expected a whole number at $.frames, got 39.5: choose a session that Sideman has saved, unchanged",
  ],
  [
    "a list that is none",
    changed({ melody: {} }),
    "expected a list at $.melody, got {}: choose a session that Sideman has saved, unchanged",
  ],
  [
    "a flag that is none",
    changed({ chords: [{ start: 0, length: 40, symbol: "C", pitches: [], onset: 1 }] }),
    "expected true or false at $.chords[0].onset, got 1: choose a session that Sideman has saved, unchanged",
  ],
  [
    "an endless name",
    changed({ startedAt: "x".repeat(99) }),
    `expected text of at most 40 characters at $.startedAt, got "${"x".repeat(39)}…: choose a session that Sideman has saved, unchanged`,
  ],
  [
    "no tempo",
    changed({ tempo: [] }),
    "expected a first mark in frame 0 at $.tempo, got none: choose a session that Sideman has saved, unchanged",
  ],
  [
    "a late first bar",
    changed({ metre: [{ frame: 3, beatsPerBar: 4 }] }),
    "expected a first mark in frame 0 at $.metre, got one in frame 3: choose a session that Sideman has saved, unchanged",
  ],
  [
    "time that runs back",
    changed({ tempo: [...JAM.tempo, { frame: 30, timeS: 1, bpm: 60 }] }),
    "expected marks that rise at $.tempo[2], got frame 30 after 24: choose a session that Sideman has saved, unchanged",
  ],
  [
    "a gap between chords",
    changed({ chords: JAM.chords.filter((_, i) => i !== 1) }),
    "expected a chord that starts in frame 12 at $.chords[1], got one that starts in 16: choose a session that Sideman has saved, unchanged",
  ],
  [
    "chords that end early",
    changed({ frames: 41 }),
    "expected chords over 41 frames, got chords over 40: choose a session that Sideman has saved, unchanged",
  ],
])("%s is refused with one sentence", (_, json, sentence) => {
  expect(() => parseSession(json)).toThrow(expect.objectContaining({ name: "SessionUnreadable", message: sentence }));
});
