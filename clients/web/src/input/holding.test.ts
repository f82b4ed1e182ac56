import { expect, test } from "vitest";
import { type Change, Holding } from "./holding.ts";

const on = (pitch: number) => ({ pitch, on: true });
const off = (pitch: number) => ({ pitch, on: false });

test("a key goes down and up", () => {
  const holding = new Holding<string>();
  expect(holding.press("a", 60)).toEqual([on(60)]);
  expect(holding.lift("a")).toEqual([off(60)]);
  expect(holding.lift("a")).toEqual([]);
});

test("a pitch held twice sounds until both have left it", () => {
  const holding = new Holding<string>();
  holding.press("a", 60);
  expect(holding.press("k", 60)).toEqual([off(60), on(60)]);
  expect(holding.lift("a")).toEqual([]);
  expect(holding.lift("k")).toEqual([off(60)]);
});

test("a finger that moves on leaves the key it was on", () => {
  const holding = new Holding<number>();
  holding.press(1, 60);
  expect(holding.press(1, 62)).toEqual([off(60), on(62)]);
});

test("whatever is pressed and lifted, every pitch goes down and up in turn and ends up", () => {
  const holding = new Holding<number>();
  let seed = 1;
  const random = (below: number) => {
    seed = (seed * 48271) % 2147483647;
    return seed % below;
  };
  const changes: Change[] = [];
  for (let i = 0; i < 2000; i++) changes.push(...(random(2) ? holding.press(random(6), 60 + random(4)) : holding.lift(random(6))));
  changes.push(...holding.liftAll());
  const sounding = new Set<number>();
  for (const { pitch, on } of changes) {
    expect(sounding.has(pitch)).toBe(!on);
    if (on) sounding.add(pitch);
    else sounding.delete(pitch);
  }
  expect(sounding.size).toBe(0);
});
