/** Which chords to hand to the audio clock: everything that can no longer change. Pure. */

import { NO_CHORD, type Sounding } from "sideman-client";
import type { Strike } from "../contracts.ts";
import type { Grid } from "./grid.ts";

const CHORD_VELOCITY = 78;
const ACCENT_VELOCITY = 88; // on a bar line

/** Strikes of these frames; `before` is what sounded in the frame before them. A chord that ends in N is an empty strike. */
export function strikesOf(
  frames: readonly Sounding[],
  before: Sounding | undefined,
  grid: Grid,
  isBarLine: (frame: number) => boolean,
): Strike[] {
  const strikes: Strike[] = [];
  let running = before?.symbol ?? NO_CHORD;
  for (const { frame, symbol, pitches, struck } of frames) {
    if (struck) strikes.push({ timeS: grid.timeS(frame), pitches, velocity: isBarLine(frame) ? ACCENT_VELOCITY : CHORD_VELOCITY });
    else if (symbol === NO_CHORD && running !== NO_CHORD) strikes.push({ timeS: grid.timeS(frame), pitches: [], velocity: CHORD_VELOCITY });
    running = symbol;
  }
  return strikes;
}
