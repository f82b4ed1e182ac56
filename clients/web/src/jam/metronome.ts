/** Which clicks lie in a stretch of time. Pure. */

import { FRAMES_PER_BEAT } from "sideman-client";
import type { Click } from "../contracts.ts";
import type { Grid } from "./grid.ts";

/** Clicks on the beats with fromS <= time < untilS, none before frame `first`; the beat on a bar line has the accent. */
export function clicks(
  grid: Grid,
  bar: { readonly line: number; readonly beats: number },
  fromS: number,
  untilS: number,
  first = 0,
): Click[] {
  const found: Click[] = [];
  const offset = mod(bar.line, FRAMES_PER_BEAT);
  const earliest = Math.max(Math.ceil(grid.position(fromS) - 1e-6), first);
  for (let frame = earliest + mod(offset - earliest, FRAMES_PER_BEAT); grid.timeS(frame) < untilS; frame += FRAMES_PER_BEAT) {
    found.push({ timeS: grid.timeS(frame), accent: mod(frame - bar.line, bar.beats * FRAMES_PER_BEAT) === 0 });
  }
  return found;
}

function mod(value: number, by: number): number {
  return ((value % by) + by) % by;
}
