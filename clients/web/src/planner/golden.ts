/** The request behind a golden plan of an online checkpoint (`schema/engine_messages.py`). Pure. */

import type { PlanRequest } from "./slots.ts";
import { NOTHING } from "./values.ts";
import type { Golden } from "./weights.ts";

/** The player played the melody alone; now 8 beats of chords, at temperature 1. */
export function goldenRequest({ melody, seed }: Golden): PlanRequest {
  return {
    seed,
    windowStart: 0,
    firstFrame: melody.length,
    lookaheadFrames: 32,
    chords: new Array<number>(melody.length).fill(NOTHING),
    melody,
    temperature: 1,
    barLine: 0,
    controls: { density: 0, style: 0, beatsPerBar: 4 },
  };
}
