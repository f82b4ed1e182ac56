/** Choosing an action: temperature, noise and the grammar, as `inference/sampling.py` has them. Pure. */

import { HOLD_ACTION } from "./values.ts";

export const MELODY_TEMPERATURE = 0.5; // at most: the player's next notes are guessed cooler than chords are chosen

/** What `choose` maximises: logits at the temperature plus noise, or the bare logits at 0; `hold` only where something is running. */
export function candidates(
  logits: ArrayLike<number>,
  temperature: number,
  noise: ArrayLike<number> | null,
  isRunning: boolean,
): Float64Array {
  const values = Float64Array.from(logits);
  if (noise !== null) for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) / temperature + (noise[i] as number);
  if (!isRunning) values[HOLD_ACTION] = Number.NEGATIVE_INFINITY;
  return values;
}

/** The index of the largest value, the first of several. */
export function likeliest(values: Float64Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if ((values[i] as number) > (values[best] as number)) best = i;
  return best;
}
