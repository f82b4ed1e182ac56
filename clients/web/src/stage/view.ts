/** Everything one picture of the stage depends on. Pure. */

import type { ChordSpan, NoteSpan } from "./scene.ts";

export interface StageView {
  readonly nowS: number; // of what is heard now: the audio clock less what the hardware delays
  readonly position: number | null; // of that moment on the grid of the jam or of the metronome; null: nothing moves
  readonly bpm: number;
  readonly barFrames: number;
  readonly barLine: number;
  readonly isCounting: boolean; // bars have numbers: the jam has begun
  readonly lookaheadFrames: number;
  readonly commitFrames: number;
  readonly chords: readonly ChordSpan[];
  readonly notes: readonly NoteSpan[]; // on the audio clock
  readonly showChords: boolean;
  readonly calmMotion: boolean;
  readonly commitText: string;
}

/** Keys that are lit, and by whom. */
export interface Lights {
  readonly player: ReadonlySet<number>;
  readonly agent: ReadonlySet<number>;
}

/** Pitches of the chord that sounds at a place of the grid. */
export function soundingAt(chords: readonly ChordSpan[], position: number): readonly number[] {
  return chords.find((span) => span.start <= position && position < span.end)?.pitches ?? [];
}
