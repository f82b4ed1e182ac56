import { expect, test } from "vitest";
import { gumbelNoise, keyOf, randomBits } from "./noise.ts";
import { arithmetic } from "./vectors.ts";

test.each(arithmetic.noise)(
  "seed $seed, frame $frame, part $part: the server's random words, bit for bit",
  ({ seed, frame, part, bits }) => {
    expect(bits).toHaveLength(130);
    expect([...randomBits(keyOf(seed, frame, part), bits.length)]).toEqual(bits);
  },
);

test.each(arithmetic.noise)("seed $seed, frame $frame, part $part: the server's noise", ({ seed, frame, part, gumbel }) => {
  const made = gumbelNoise(seed, frame, part, gumbel.length);
  for (const [index, value] of gumbel.entries()) expect(Math.abs((made[index] ?? 0) - value)).toBeLessThan(2e-6);
});
