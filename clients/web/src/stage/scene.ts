/** What there is to draw: chords and notes as spans of frames, from the jam's own state. Pure. */

import { NO_CHORD, type Sounding } from "sideman-client";
import type { Begun } from "../jam/fallback.ts";

/** One chord over the frames [start, end). */
export interface ChordSpan {
  readonly start: number;
  readonly end: number;
  readonly symbol: string;
  readonly pitches: readonly number[];
  readonly committed: boolean; // may no longer change
}

/** A note as played, in seconds; `endS` is null while it sounds. */
export interface NoteSpan {
  readonly pitch: number;
  readonly startS: number;
  readonly endS: number | null;
}

/** Chords from `first` on: what sounded, then what the plan says. A chord that is committed up to some frame is two spans there. */
export function chordSpans(frames: Begun, ahead: readonly Sounding[], committedUntil: number, first: number): ChordSpan[] {
  const spans: { -readonly [K in keyof ChordSpan]: ChordSpan[K] }[] = [];
  const begun = frames.length;
  const take = (each: Sounding) => {
    const committed = each.frame < Math.max(begun, committedUntil);
    const last = spans.at(-1);
    const goesOn = last !== undefined && !each.struck && last.symbol === each.symbol && last.committed === committed;
    if (goesOn) last.end = each.frame + 1;
    else spans.push({ start: each.frame, end: each.frame + 1, symbol: each.symbol, pitches: each.pitches, committed });
  };
  for (const each of frames.slice(Math.max(0, first))) take(each);
  for (const each of ahead) take(each);
  return spans.filter((span) => span.symbol !== NO_CHORD);
}

/** Whether this span goes on with the chord of the one before, so that its symbol need not be written again. */
export function continues(before: ChordSpan | undefined, span: ChordSpan): boolean {
  return before !== undefined && before.end === span.start && before.symbol === span.symbol && before.committed !== span.committed;
}

/** The first of these chords that begins at `frame` or later and is another one, and in how many frames; null if nothing changes. */
export function comingNext(
  chords: readonly { readonly start: number; readonly symbol: string }[],
  frame: number,
  running: string,
): { readonly symbol: string; readonly inFrames: number } | null {
  const coming = chords.find((each) => each.start >= frame && each.symbol !== running && each.symbol !== NO_CHORD);
  return coming === undefined ? null : { symbol: coming.symbol, inFrames: coming.start - frame + 1 };
}
