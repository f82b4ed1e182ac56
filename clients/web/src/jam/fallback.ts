/** What to play when no plan comes any more: the last chord for the rest of a bar, then the last planned bar over and over. Pure. */

import { type ChordRun, type Frames, NO_CHORD, type Sounding } from "sideman-client";

/** The frames that have begun, as a jam or a list has them. */
export type Begun = Pick<Frames, "length" | "findLastIndex" | "slice">;

/**
 * Chords of our own for the bars after the plan has run out, or none while there is nothing to do: the frame that begins next is
 * planned, or less than a bar has passed since the plan ran out, or no whole bar of chords was ever planned.
 */
export function standIn(frames: Begun, barLine: number, barFrames: number): readonly ChordRun[] {
  const lastPlanned = frames.findLastIndex((each) => each.planned);
  const now = frames.length;
  if (lastPlanned < 0 || now - lastPlanned <= barFrames) return [];
  const modelEnd = barLineAtOrBefore(lastPlanned + 1, barLine, barFrames);
  const modelStart = modelEnd - barFrames;
  if (modelStart < 0) return [];
  const bar = frames.slice(modelStart, modelEnd);
  if (bar.some((each) => each.symbol === NO_CHORD)) return []; // the silence at the beginning: better the one chord there is
  const start = barLineAtOrBefore(now, barLine, barFrames);
  return [...copyOf(bar, start), ...copyOf(bar, start + barFrames)];
}

export function barLineAtOrBefore(frame: number, barLine: number, barFrames: number): number {
  return frame - ((((frame - barLine) % barFrames) + barFrames) % barFrames);
}

/** A bar that sounded as runs that begin at `start`; the first chord is struck. */
function copyOf(bar: readonly Sounding[], start: number): ChordRun[] {
  const runs: { start: number; length: number; symbol: string; pitches: number[]; onset: boolean }[] = [];
  for (const [index, { symbol, pitches, struck }] of bar.entries()) {
    const last = runs.at(-1);
    if (last !== undefined && !struck && last.symbol === symbol) last.length += 1;
    else runs.push({ start: start + index, length: 1, symbol, pitches: [...pitches], onset: true });
  }
  return runs;
}
