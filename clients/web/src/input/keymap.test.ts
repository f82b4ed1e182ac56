import { expect, test } from "vitest";
import { clampOctave, HIGHEST_OCTAVE, keyLabels, LOWEST_OCTAVE, pitchOfKey } from "./keymap.ts";

test("octave 4 begins at middle C", () => {
  expect(pitchOfKey("KeyA", 4)).toBe(60);
  expect(pitchOfKey("KeyW", 4)).toBe(61);
  expect(pitchOfKey("KeyK", 4)).toBe(72);
  expect(pitchOfKey("KeyA", 5)).toBe(72);
});

test("keys between E and F, and outside the two rows, are no notes", () => {
  expect(pitchOfKey("KeyR", 4)).toBeNull();
  expect(pitchOfKey("KeyZ", 4)).toBeNull();
  expect(pitchOfKey("Space", 4)).toBeNull();
});

test("every key of every octave is a MIDI note", () => {
  expect(Math.min(...keyLabels(LOWEST_OCTAVE, null).keys())).toBeGreaterThanOrEqual(0);
  expect(Math.max(...keyLabels(HIGHEST_OCTAVE, null).keys())).toBeLessThanOrEqual(127);
  expect([clampOctave(-3), clampOctave(4), clampOctave(99)]).toEqual([LOWEST_OCTAVE, 4, HIGHEST_OCTAVE]);
});

test("labels are what the layout prints, where it is known", () => {
  expect(keyLabels(4, null).get(60)).toBe("A");
  expect(keyLabels(4, new Map([["KeyA", "q"]])).get(60)).toBe("Q");
  expect(keyLabels(4, new Map([["KeyA", "q"]])).get(76)).toBe(";");
});
