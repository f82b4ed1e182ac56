import { expect, test } from "vitest";
import type { Strike } from "../contracts.ts";
import { reconcile, type Scheduled } from "./strikes.ts";

const strike = (timeS: number, ...pitches: number[]): Strike => ({ timeS, pitches, velocity: 80 });
const C = [48, 64, 67];
const G = [43, 62, 71];
const HORIZON_S = 6;

function follow(known: readonly Scheduled[], strikes: Strike[], nowS: number) {
  return reconcile(known, strikes, nowS, HORIZON_S);
}

test("each chord lasts until the next one, the last one has no end yet", () => {
  const changes = follow([], [strike(1, ...C), strike(3, ...G)], 0);
  expect(changes.begun).toEqual([
    { strike: strike(1, ...C), endS: 3 },
    { strike: strike(3, ...G), endS: null },
  ]);
  expect(changes.cut).toEqual([]);
});

test("the same plan given again changes nothing", () => {
  const { scheduled } = follow([], [strike(1, ...C), strike(3, ...G)], 0);
  const again = follow(scheduled, [strike(1.0000001, ...C), strike(3, ...G)], 1.5);
  expect(again).toEqual({ scheduled, cut: [], moved: [], begun: [] });
});

test("what lies beyond the horizon waits", () => {
  const strikes = [strike(1, ...C), strike(10, ...G)];
  const { scheduled, begun } = follow([], strikes, 0);
  expect(begun.map((entry) => entry.strike.timeS)).toEqual([1]);
  const later = follow(scheduled, strikes, 5);
  expect(later.begun.map((entry) => entry.strike.timeS)).toEqual([10]);
  expect(later.moved).toEqual([{ strike: strike(1, ...C), endS: 10 }]);
});

test("a future chord that is missing is taken back, and the sounding one goes on", () => {
  const { scheduled } = follow([], [strike(1, ...C), strike(3, ...G)], 0);
  const changes = follow(scheduled, [strike(1, ...C)], 2);
  expect(changes.cut).toEqual([strike(3, ...G)]);
  expect(changes.moved).toEqual([{ strike: strike(1, ...C), endS: null }]);
  expect(changes.begun).toEqual([]);
});

test("another chord at the same time replaces the one before", () => {
  const { scheduled } = follow([], [strike(1, ...C), strike(3, ...G)], 0);
  const changes = follow(scheduled, [strike(3, 45, 60, 64)], 2);
  expect(changes.cut).toEqual([strike(3, ...G)]);
  expect(changes.begun).toEqual([{ strike: strike(3, 45, 60, 64), endS: null }]);
  expect(changes.moved).toEqual([]);
});

test("a list of the future only leaves alone what sounds", () => {
  const { scheduled } = follow([], [strike(1, ...C)], 0);
  const changes = follow(scheduled, [strike(3, ...G)], 2);
  expect(changes.moved).toEqual([{ strike: strike(1, ...C), endS: 3 }]);
  expect(changes.cut).toEqual([]);
});

test("a chord that comes late begins at once and ends what sounded until now", () => {
  const { scheduled } = follow([], [strike(1, ...C)], 0);
  const changes = follow(scheduled, [strike(1, ...C), strike(1.9, ...G)], 2);
  expect(changes.moved).toEqual([{ strike: strike(1, ...C), endS: 2 }]);
  expect(changes.begun).toEqual([{ strike: strike(1.9, ...G), endS: null }]);
});

test("of several chords of the past only the last is struck", () => {
  const changes = follow([], [strike(1, ...C), strike(2, ...G)], 5);
  expect(changes.begun).toEqual([{ strike: strike(2, ...G), endS: null }]);
});

test("a strike without pitches ends the chord", () => {
  const { scheduled } = follow([], [strike(1, ...C)], 0);
  const changes = follow(scheduled, [strike(1, ...C), strike(2)], 1.5);
  expect(changes.moved).toEqual([{ strike: strike(1, ...C), endS: 2 }]);
});

test("the same chord struck again later is another strike", () => {
  const changes = follow([], [strike(1, ...C), strike(2, ...C)], 0);
  expect(changes.begun.map((entry) => entry.endS)).toEqual([2, null]);
});

test("what has sounded long ago is forgotten", () => {
  const { scheduled } = follow([], [strike(1, ...C), strike(2, ...G), strike(3, ...C)], 0);
  expect(follow(scheduled, [strike(3, ...C)], 4).scheduled).toEqual([{ strike: strike(3, ...C), endS: null }]);
});
