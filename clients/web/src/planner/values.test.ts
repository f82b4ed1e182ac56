import { expect, test } from "vitest";
import { held, isOnset, mayFollow, runsOf, sounded, soundOf, valueAfter } from "./values.ts";

const COUNT = 3; // values 1..3 strike, 4..6 hold

test("an onset is held by the value that names the same sound", () => {
  expect([0, 1, 3, 4, 6].map((value) => held(value, COUNT))).toEqual([0, 4, 6, 4, 6]);
  expect([0, 1, 3, 4, 6].map((value) => isOnset(value, COUNT))).toEqual([false, true, true, false, false]);
  expect([0, 1, 3, 4, 6].map((value) => soundOf(value, COUNT))).toEqual([null, 0, 2, 0, 2]);
});

test("a hold follows only its own onset or hold", () => {
  expect([0, 1, 2, 4].map((before) => mayFollow(before, 4, COUNT))).toEqual([false, true, false, true]);
  expect(mayFollow(5, 2, COUNT)).toBe(true);
});

test("actions: nothing, hold what runs, strike", () => {
  expect([0, 1, 2, 4].map((action) => valueAfter(action, 2, COUNT))).toEqual([0, 5, 1, 3]);
  expect(valueAfter(1, 0, COUNT)).toBe(0);
});

test("a hold of what is not running is struck", () => {
  expect(sounded([4, 4, 6, 0, 5], 1, COUNT)).toEqual([4, 4, 3, 0, 2]);
});

test("every frame lies in one run", () => {
  expect(runsOf([4, 4, 1, 4, 0, 0, 2], 10, COUNT)).toEqual([
    { start: 10, length: 2, value: 4 },
    { start: 12, length: 2, value: 1 },
    { start: 14, length: 2, value: 0 },
    { start: 16, length: 1, value: 2 },
  ]);
});
