import { DEFAULT_SETTINGS, type History } from "sideman-client";
import { describe, expect, test } from "vitest";
import { resumed } from "./jam.ts";
import { requestFor, type Situation } from "./planning.ts";
import { Symbols } from "./symbols.ts";
import { tiny } from "./vectors.ts";

const symbols = new Symbols(tiny.manifest.vocabulary);
const warm = { warm_start: [{ start: 0, length: 8, symbol: "F" }] };
const [rest, chord] = ["N", "C"];

/** What the model is given of a jam with 2 beats of silence and one value for every symbol. */
function given(heard: string[], told: Partial<History> = warm): string[] {
  const chords = heard.map((symbol, start) => ({ start, length: 1, symbol }));
  const jam = resumed({ type: "history", frame: heard.length - 1, first_frame: 0, chords, ...told }, symbols, () => []);
  const settings = { ...DEFAULT_SETTINGS, silence_beats: 2 };
  const situation: Situation = { jam, previous: null, settings, seed: 1, barLine: 0 };
  return requestFor(situation, symbols).chords.map((value) => symbols.symbolOf(value));
}

describe("what the silence is shown as (P10)", () => {
  test("a rest, as long as no chord has sounded", () => {
    expect(given(Array(6).fill(rest))).toEqual(Array(8).fill(rest));
    expect(given(Array(12).fill(rest))).toEqual(Array(12).fill(rest));
  });

  test("the warm start of a history, once one has; rests behind it stay", () => {
    expect(given([...Array(8).fill(rest), chord])).toEqual([...Array(8).fill("F"), chord]);
    expect(given([...Array(10).fill(rest), chord, rest])).toEqual([...Array(8).fill("F"), rest, rest, chord, rest]);
    expect(given([...Array(5).fill(rest), chord]).slice(0, 6)).toEqual([...Array(5).fill("F"), chord]);
  });

  test("a rest for good, if there was no warm start", () => {
    expect(given([...Array(8).fill(rest), chord], {})).toEqual([...Array(8).fill(rest), chord]);
  });
});
