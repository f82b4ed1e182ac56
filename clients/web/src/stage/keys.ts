/** Where the keys of a piano are: pitch to rectangle and back, for any range and size. Pure. */

const BLACK = [1, 3, 6, 8, 10];
const BLACK_WIDTH = 0.62; // of a white key
const BLACK_HEIGHT = 0.62;
export const LOWEST_PITCH = 21; // A0
export const HIGHEST_PITCH = 108; // C8

export interface Key {
  readonly pitch: number;
  readonly isBlack: boolean;
  readonly x: number;
  readonly width: number;
}

export interface Keyboard {
  readonly low: number;
  readonly high: number; // the last key, included
  readonly width: number;
  readonly keys: readonly Key[];
}

export function isBlack(pitch: number): boolean {
  return BLACK.includes(pitch % 12);
}

/** The keys from `low` to `high`, both white, over `width`. */
export function layKeys(low: number, high: number, width: number): Keyboard {
  const numWhite = countWhite(low, high + 1);
  const whiteWidth = width / numWhite;
  const keys: Key[] = [];
  let whites = 0;
  for (let pitch = low; pitch <= high; pitch++) {
    if (isBlack(pitch)) {
      const black = whiteWidth * BLACK_WIDTH;
      keys.push({ pitch, isBlack: true, x: whites * whiteWidth - black / 2 + offset(pitch) * whiteWidth, width: black });
    } else {
      keys.push({ pitch, isBlack: false, x: whites * whiteWidth, width: whiteWidth });
      whites += 1;
    }
  }
  return { low, high, width, keys };
}

/** The key of a pitch; outside the range it is the nearest key's place, so that nothing is drawn off the stage. */
export function keyOf(keyboard: Keyboard, pitch: number): Key {
  const index = Math.min(Math.max(pitch, keyboard.low), keyboard.high) - keyboard.low;
  return keyboard.keys[index] as Key; // `layKeys` makes one for each pitch
}

/** The key under a point, `x` from the left and `y` as a share of the keys' height from their top. */
export function keyAt(keyboard: Keyboard, x: number, y: number): Key | null {
  const under = keyboard.keys.filter((key) => key.x <= x && x < key.x + key.width);
  const black = under.find((key) => key.isBlack);
  if (black !== undefined && y < BLACK_HEIGHT) return black;
  return under.find((key) => !key.isBlack) ?? null;
}

/** The widest range of white-bounded octaves that leaves each white key at least `minWhite` wide, around the middle of the piano. */
export function rangeFor(width: number, minWhite: number): readonly [number, number] {
  const ranges: readonly (readonly [number, number])[] = [
    [LOWEST_PITCH, HIGHEST_PITCH],
    [28, 103],
    [36, 96],
    [36, 89],
    [36, 84],
  ];
  return ranges.find(([low, high]) => width / countWhite(low, high + 1) >= minWhite) ?? [36, 84];
}

export function countWhite(low: number, end: number): number {
  let count = 0;
  for (let pitch = low; pitch < end; pitch++) if (!isBlack(pitch)) count += 1;
  return count;
}

/** Black keys of a real piano are not centred on the gap: the outer ones of a group stand apart. */
function offset(pitch: number): number {
  return { 1: -0.08, 3: 0.08, 6: -0.1, 8: 0, 10: 0.1 }[pitch % 12] ?? 0;
}

export { BLACK_HEIGHT };
