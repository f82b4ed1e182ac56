/** The limiter's curve: straight up to a knee, then ever flatter, and never above full scale. Pure. */

/** -6 dB: a single loud note stays below it; only chords and melody together reach it. */
const KNEE = 0.5;
const POINTS = 4097;
/** How many times full scale the curve covers: a WaveShaper knows inputs from -1 to 1, so its input is divided by this. */
export const RANGE = 4;

export function limited(level: number): number {
  const size = Math.abs(level);
  if (size <= KNEE) return level;
  const room = 1 - KNEE;
  return Math.sign(level) * (KNEE + room * Math.tanh((size - KNEE) / room));
}

/** For a WaveShaper fed with the signal divided by RANGE. */
export function limiterCurve(): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: POINTS }, (_, i) => limited(RANGE * ((2 * i) / (POINTS - 1) - 1)));
}
