import { expect, test } from "vitest";
import { interleave, mixed, wavHeader } from "./pcm.ts";

test("the header says what follows", () => {
  const header = wavHeader(1000, 2, 44100);
  const view = new DataView(header.buffer);
  expect(new TextDecoder().decode(header.subarray(0, 4))).toBe("RIFF");
  expect(new TextDecoder().decode(header.subarray(8, 16))).toBe("WAVEfmt ");
  expect([view.getUint32(4, true), view.getUint32(40, true)]).toEqual([36 + 4000, 4000]);
  expect([view.getUint16(22, true), view.getUint32(24, true), view.getUint32(28, true), view.getUint16(34, true)]).toEqual([
    2, 44100, 176400, 16,
  ]);
});

test("channels take turns, and nothing runs over", () => {
  expect([...interleave([Float32Array.of(0, 1, -2), Float32Array.of(0.5, 3)], 3)]).toEqual([0, 16384, 32767, 32767, -32767, 0]);
});

test("a tail is added to what follows, whichever is longer", () => {
  expect([...mixed(Float32Array.of(1, 2), Float32Array.of(1, 1, 1))]).toEqual([2, 3, 1]);
  expect([...mixed(Float32Array.of(1, 2, 3), Float32Array.of(1))]).toEqual([2, 2, 3]);
});
