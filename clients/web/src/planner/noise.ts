/**
 * Gumbel noise keyed by (seed, absolute frame, part), the same numbers as the server's: Threefry-2x32 with twenty rounds
 * (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011) as JAX keys and counts it. Pure.
 */

export const CHORD_PART = 0;
export const MELODY_PART = 1;

const PARITY = 0x1bd11bda;
const EVEN = [13, 15, 26, 6] as const; // bits that the groups of four rounds rotate by
const ODD = [17, 29, 16, 24] as const;
const SMALLEST_NORMAL = 2 ** -126; // of float32: stands for a draw of 0, whose logarithm is not a number

/** Two words, each a uint32. */
export type Words = readonly [number, number];

/** The block function: a key and a counter to two random words. */
export function threefry([k0, k1]: Words, [c0, c1]: Words): Words {
  const k2 = k0 ^ k1 ^ PARITY;
  const schedule = [k0, k1, k2, k0, k1, k2, k0];
  let x = (c0 + k0) | 0;
  let y = (c1 + k1) | 0;
  for (let group = 0; group < 5; group++) {
    const distances = group % 2 === 0 ? EVEN : ODD;
    for (let round = 0; round < 4; round++) {
      const distance = distances[round] as number;
      x = (x + y) | 0;
      y = ((y << distance) | (y >>> (32 - distance))) ^ x;
    }
    x = (x + (schedule[group + 1] as number)) | 0;
    y = (y + (schedule[group + 2] as number) + group + 1) | 0;
  }
  return [x >>> 0, y >>> 0];
}

/** The key for one part of one frame. */
export function keyOf(seed: number, frame: number, part: number): Words {
  return threefry(threefry([0, seed], [0, frame]), [0, part]);
}

/** `count` random words of a key. */
export function randomBits(key: Words, count: number): Uint32Array {
  const bits = new Uint32Array(count);
  for (let index = 0; index < count; index++) {
    const [high, low] = threefry(key, [0, index]);
    bits[index] = high ^ low;
  }
  return bits;
}

/** Standard Gumbel noise for the actions of one part of one frame, rounded to float32 where the server rounds. */
export function gumbelNoise(seed: number, frame: number, part: number, count: number): Float32Array {
  const bits = randomBits(keyOf(seed, frame, part), count);
  const noise = new Float32Array(count);
  for (let index = 0; index < count; index++) {
    const uniform = ((bits[index] as number) >>> 9) * 2 ** -23 || SMALLEST_NORMAL;
    noise[index] = -Math.log(Math.fround(-Math.log(uniform)));
  }
  return noise;
}
