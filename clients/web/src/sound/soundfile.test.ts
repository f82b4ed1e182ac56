import { expect, test } from "vitest";
import { type Layer, layersFor, rateFor, readSoundFile, type SoundTable, writeSoundFile } from "./soundfile.ts";

const layer: Layer = { sample: 0, root: 60, gain: 1, pan: 0, attackS: 0.001, holdS: 0, decayS: 1, sustain: 0, releaseS: 0.1 };
const table: SoundTable = {
  id: "piano",
  samples: [{ bytes: 3, loop: [0.1, 0.2] }, { bytes: 2 }],
  layers: [layer, { ...layer, sample: 1, root: 71.5 }],
  zones: [
    {
      key: 60,
      bands: [
        { velocity: 64, layers: [0] },
        { velocity: 127, layers: [0, 1] },
      ],
    },
    { key: 127, bands: [{ velocity: 127, layers: [1] }] },
  ],
};
const streams = [new Uint8Array([1, 2, 3]), new Uint8Array([4, 5])];

test("what was written is read", () => {
  expect(readSoundFile(writeSoundFile({ table, streams }))).toEqual({ table, streams });
});

test.each([
  ["nothing", new Uint8Array(), "got 0 bytes"],
  ["a page that says not found", new TextEncoder().encode("<!doctype html>"), "got something else"],
  ["a file cut short", writeSoundFile({ table, streams }).slice(0, -1), "bytes instead of"],
  ["a broken header", new Uint8Array([1, 0, 0, 0, 123]), "got an unreadable header"],
])("%s is refused with one sentence", (_, bytes, got) => {
  expect(() => readSoundFile(bytes)).toThrow(got);
});

test("key and velocity choose the layers", () => {
  const chosen = (pitch: number, velocity: number) => layersFor(table, pitch, velocity).map((each) => each.sample);
  expect(chosen(60, 64)).toEqual([0]);
  expect(chosen(60, 65)).toEqual([0, 1]);
  expect(chosen(61, 1)).toEqual([1]);
});

test("an octave above the root plays twice as fast", () => {
  expect(rateFor(layer, 72)).toBeCloseTo(2);
  expect(rateFor({ ...layer, root: 71.5 }, 71)).toBeCloseTo(2 ** (-0.5 / 12));
});
