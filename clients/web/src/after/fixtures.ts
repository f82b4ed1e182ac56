/** A short jam for the tests of this folder: two bars of 3/4 at 120, then a bar of 4/4 at 60. Pure. */

import type { SessionRecord } from "../contracts.ts";

export const JAM: SessionRecord = {
  format: "sideman-session",
  version: 1,
  startedAt: "2026-11-25T10:00:00.000Z",
  frames: 40,
  tempo: [
    { frame: 0, timeS: 0, bpm: 120 },
    { frame: 24, timeS: 3, bpm: 60 },
  ],
  metre: [
    { frame: 0, beatsPerBar: 3 },
    { frame: 24, beatsPerBar: 4 },
  ],
  notes: [
    { pitch: 64, velocity: 80, startS: 0, endS: 0.5 },
    { pitch: 67, velocity: 100, startS: 0.51, endS: 3.5 },
    { pitch: 72, velocity: 1, startS: 4, endS: 7 },
  ],
  melody: [
    { start: 0, length: 4, pitch: 64 },
    { start: 4, length: 22, pitch: 67 },
    { start: 28, length: 12, pitch: 72 },
  ],
  chords: [
    { start: 0, length: 12, symbol: "N", pitches: [], onset: false },
    { start: 12, length: 4, symbol: "C", pitches: [48, 64, 67], onset: true },
    { start: 16, length: 8, symbol: "C", pitches: [48, 64, 67], onset: false },
    { start: 24, length: 8, symbol: "C", pitches: [48, 64, 67], onset: true },
    { start: 32, length: 4, symbol: "F#m7b5", pitches: [42, 64, 69, 72], onset: true },
    { start: 36, length: 4, symbol: "N", pitches: [], onset: true },
  ],
  settings: { bpm: 60, beats_per_bar: 4, model: "online-small", temperature: 0.8 },
  instruments: { melody: "piano", chords: "epiano" },
  lateFrames: 2,
};
