import { expect, test } from "vitest";
import { curve, cutOff, diesAfterS, type Envelope, levelAt, silentAtS } from "./envelope.ts";

const organ: Envelope = { attackS: 0.1, holdS: 0.2, decayS: 1, sustain: 0.5, releaseS: 0.5, peak: 0.8 };
const harp: Envelope = { ...organ, sustain: 0 };

test("rises straight, holds, falls to the sustained level and stays there", () => {
  expect(levelAt(organ, 0)).toBe(0);
  expect(levelAt(organ, 0.05)).toBeCloseTo(0.4);
  expect(levelAt(organ, 0.1)).toBeCloseTo(0.8);
  expect(levelAt(organ, 0.29)).toBeCloseTo(0.8);
  expect(levelAt(organ, 0.3 + 0.04)).toBeCloseTo(0.8 * 10 ** -0.2);
  expect(levelAt(organ, 5)).toBeCloseTo(0.4);
});

test("a decay of one second is 100 dB in one second", () => {
  expect(20 * Math.log10(levelAt(harp, 0.8) / harp.peak)).toBeCloseTo(-50);
});

test("a voice that does not sustain dies by itself, one that does never", () => {
  expect(diesAfterS(harp)).toBeCloseTo(0.3 + 0.8);
  expect(diesAfterS(organ)).toBeNull();
});

test("without an end the curve is rise, hold and fall", () => {
  expect(curve(organ, 2, 2, null).map(({ shape, atS }) => [shape, Number(atS.toFixed(3))])).toEqual([
    ["set", 2],
    ["linear", 2.1],
    ["set", 2.3],
    ["exponential", 2.36],
  ]);
});

test.each([
  ["in the rise", 0.05, "linear"],
  ["in the hold", 0.2, "set"],
  ["in the fall", 0.33, "exponential"],
  ["when sustained", 1, "set"],
])("let go %s, it goes on from the level it has", (_, afterS, shape) => {
  const steps = curve(organ, 2, 2, 2 + afterS);
  const [reached, silent] = steps.slice(-2);
  expect(reached).toMatchObject({ shape, atS: 2 + afterS });
  expect(reached?.level).toBeCloseTo(levelAt(organ, afterS));
  expect(silent).toMatchObject({ shape: "exponential", atS: silentAtS(organ, 2 + afterS) });
});

test("only what comes from a moment on is told when an end is moved", () => {
  const [held, letGo, silent] = curve(organ, 2, 2.2, 2.34);
  expect(held?.atS).toBeCloseTo(2.3);
  expect([letGo?.atS, silent?.atS]).toEqual([2.34, silentAtS(organ, 2.34)]);
});

test("taking an end back tells the fall that the end had cut short", () => {
  expect(curve(organ, 2, 2.34, null)).toEqual([expect.objectContaining({ shape: "exponential", level: 0.4 })]);
});

test.each([
  ["in the rise", null, 0.05, "linear", 0.4],
  ["in the hold", null, 0.2, "set", 0.8],
  ["in the fall", null, 0.33, "exponential", 0.8 * 10 ** -0.15],
  ["when sustained", null, 1, "set", 0.4],
  ["half released", 1, 1.2, "exponential", 0.4 * 10 ** -2],
])("cut off %s, it goes to silence from the level it has", (_, letGoS, atS, shape, level) => {
  const [reached, silent] = cutOff(organ, 2, letGoS && 2 + letGoS, 2 + atS, 0.02);
  expect(reached).toMatchObject({ shape, atS: 2 + atS });
  expect(reached?.level).toBeCloseTo(level);
  expect(silent).toEqual({ shape: "linear", level: 0, atS: 2 + atS + 0.02 });
});
