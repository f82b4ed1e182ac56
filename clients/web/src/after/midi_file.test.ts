import { Midi } from "@tonejs/midi";
import { expect, test } from "vitest";
import { JAM } from "./fixtures.ts";
import { toMidi } from "./midi_file.ts";

const read = (record = JAM) => new Midi(toMidi(record));

test("tempo and metre change where they did", () => {
  const { header } = read();
  expect(header.ppq).toBe(480);
  expect(header.tempos.map(({ ticks, bpm }) => [ticks, Math.round(bpm)])).toEqual([
    [0, 120],
    [24 * 120, 60],
  ]);
  expect(header.timeSignatures.map(({ ticks, timeSignature }) => [ticks, timeSignature])).toEqual([
    [0, [3, 4]],
    [24 * 120, [4, 4]],
  ]);
});

test("chord symbols are markers where they begin", () => {
  const markers = read().header.meta.filter((each) => each.type === "marker");
  expect(markers.map(({ ticks, text }) => [ticks / 120, text])).toEqual([
    [0, "N"],
    [12, "C"],
    [24, "C"],
    [32, "F#m7b5"],
    [36, "N"],
  ]);
});

test("the melody is as it was played: times, velocities, instrument", () => {
  const melody = read().tracks.find((track) => track.name === "melody");
  expect(melody?.instrument.number).toBe(0);
  expect(melody?.notes.map(({ midi }) => midi)).toEqual([64, 67, 72]);
  melody?.notes.forEach((note, i) => {
    const played = JAM.notes[i];
    expect(note.time).toBeCloseTo(played?.startS ?? -1, 2);
    expect(note.time + note.duration).toBeCloseTo(played?.endS ?? -1, 2);
    expect(Math.round(note.velocity * 127)).toBe(played?.velocity);
  });
});

test("chords last until the next one, struck again where they were", () => {
  const chords = read().tracks.find((track) => track.name === "chords");
  expect(chords?.instrument.number).toBe(4);
  const bass = chords?.notes
    .filter(({ midi }) => midi < 60)
    .map(({ midi, ticks, durationTicks }) => [midi, ticks / 120, durationTicks / 120]);
  expect(bass).toEqual([
    [48, 12, 12],
    [48, 24, 8],
    [42, 32, 4],
  ]);
});

test("every track is as long as the jam, even if nothing sounds at its end", () => {
  const silence = { start: 0, length: 1_000, symbol: "N", pitches: [], onset: false };
  const bytes = toMidi({ ...JAM, frames: 1_000, tempo: JAM.tempo.slice(0, 1), metre: JAM.metre.slice(0, 1), chords: [silence], notes: [] });
  // 1,000 frames are 120,000 ticks, as a variable-length number, before the mark of a track's end.
  const end = Buffer.from([0x87, 0xa9, 0x40, 0xff, 0x2f, 0x00]).toString("latin1");
  expect(Buffer.from(bytes).toString("latin1").split(end)).toHaveLength(4);
});

test("an empty jam is a file too", () => {
  expect(read({ ...JAM, frames: 0, notes: [], chords: [] }).tracks.flatMap((track) => track.notes)).toEqual([]);
});
