/** Where keys are, what spans there are to draw, how symbols are written. */

import type { Sounding } from "sideman-client";
import { describe, expect, test } from "vitest";
import { isBlack, keyAt, keyOf, layKeys, rangeFor } from "./keys.ts";
import { chordSpans, comingNext, continues } from "./scene.ts";
import { noteName, pretty, spoken } from "./symbols.ts";
import { soundingAt } from "./view.ts";

describe("the keys", () => {
  const piano = layKeys(21, 108, 1040);

  test("88 of them, 52 white side by side over the whole width", () => {
    const whites = piano.keys.filter((key) => !key.isBlack);
    expect([piano.keys.length, whites.length]).toEqual([88, 52]);
    for (const [index, key] of whites.entries()) expect(key.x).toBeCloseTo(index * 20);
  });

  test("every key is found in its own middle, black ones only in their part", () => {
    for (const key of piano.keys) {
      expect(keyAt(piano, key.x + key.width / 2, key.isBlack ? 0.3 : 0.9)?.pitch).toBe(key.pitch);
      if (key.isBlack) expect(isBlack(keyAt(piano, key.x + key.width / 2, 0.9)?.pitch ?? 1)).toBe(false);
    }
    expect(keyAt(piano, -1, 0.5)).toBeNull();
  });

  test("pitches outside are drawn at the edge", () => {
    expect(keyOf(layKeys(36, 84, 390), 20).pitch).toBe(36);
    expect(keyOf(layKeys(36, 84, 390), 100).pitch).toBe(84);
  });

  test("fewer where it is narrow", () => {
    expect(rangeFor(1280, 13)).toEqual([21, 108]);
    expect(rangeFor(390, 13)).toEqual([36, 84]);
  });
});

describe("chords to draw", () => {
  const at = (frame: number, symbol: string, struck: boolean): Sounding => {
    return { frame, symbol, pitches: symbol === "N" ? [] : [48], struck, planned: true, late: false };
  };
  const begun = [at(0, "N", false), at(1, "C", true), at(2, "C", false)];
  const ahead = [at(3, "C", false), at(4, "C", false), at(5, "G", true), at(6, "N", false)];

  test("what sounded and what is committed is solid, the rest is not; one chord may be both", () => {
    expect(chordSpans(begun, ahead, 4, 0).map(({ start, end, symbol, committed }) => [start, end, symbol, committed])).toEqual([
      [1, 4, "C", true],
      [4, 5, "C", false],
      [5, 6, "G", false],
    ]);
  });

  test("a chord that goes on beyond the commit line has one symbol", () => {
    const [first, second, third] = chordSpans(begun, ahead, 4, 0);
    if (second === undefined || third === undefined) throw new Error("there are three");
    expect([continues(first, second), continues(second, third)]).toEqual([true, false]);
  });

  test("one that is struck again is two", () => {
    expect(chordSpans([at(0, "C", true), at(1, "C", true)], [], 0, 0)).toHaveLength(2);
  });

  test("the keys that are lit are those of the chord at that place", () => {
    const spans = chordSpans(begun, ahead, 4, 0);
    expect([soundingAt(spans, 1), soundingAt(spans, 0.9), soundingAt(spans, 6)]).toEqual([[48], [], []]);
  });

  test("what comes next is the first other chord", () => {
    const chords = [
      { start: 2, symbol: "C" },
      { start: 6, symbol: "N" },
      { start: 8, symbol: "G" },
    ];
    expect(comingNext(chords, 4, "C")).toEqual({ symbol: "G", inFrames: 5 });
    expect(comingNext(chords, 9, "G")).toBeNull();
  });
});

test.each([
  ["Bbmaj7", "B♭maj7"],
  ["F#m7b5", "F♯m7♭5"],
  ["Ab7#5", "A♭7♯5"],
  ["Bb7b9", "B♭7♭9"],
  ["Ebsus4", "E♭sus4"],
  ["Bm", "Bm"],
])("%s is written %s", (symbol, written) => {
  expect(pretty(symbol)).toBe(written);
});

test("symbols are spoken in words", () => {
  const words = { flat: "flat", sharp: "sharp", none: "no chord" };
  expect([spoken("Bbm7", words), spoken("N", words)]).toEqual(["B flat m7", "no chord"]);
});

test("pitches have names", () => {
  expect([noteName(60), noteName(21), noteName(70)]).toEqual(["C4", "A0", "B♭4"]);
});
