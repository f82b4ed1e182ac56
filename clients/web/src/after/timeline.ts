/** Frames and seconds of a session record, through all its changes of tempo. Pure. */

import type { SessionRecord, SoundedChord, TempoMark } from "../contracts.ts";

/** Seconds from frame 0 to a frame, which may have a fraction. */
export function timeSOfFrame(tempo: readonly TempoMark[], frame: number): number {
  const mark = markBefore(tempo, (each) => each.frame <= frame);
  return mark.timeS + (frame - mark.frame) * frameS(mark);
}

/** The frame, with its fraction, so many seconds after frame 0. */
export function frameAtS(tempo: readonly TempoMark[], timeS: number): number {
  const mark = markBefore(tempo, (each) => each.timeS <= timeS);
  return mark.frame + (timeS - mark.timeS) / frameS(mark);
}

export interface Struck {
  readonly frame: number;
  readonly untilFrame: number;
  readonly symbol: string;
  readonly pitches: readonly number[]; // none of no chord
}

/** Where chords begin: a run that only continues the one before belongs to it. */
export function struckChords(record: SessionRecord): Struck[] {
  const begins = record.chords.filter((chord, i) => chord.onset || chord.symbol !== record.chords[i - 1]?.symbol);
  return begins.map((chord, i) => ({
    frame: chord.start,
    untilFrame: begins[i + 1]?.start ?? record.frames,
    symbol: chord.symbol,
    pitches: isChord(chord) ? chord.pitches : [],
  }));
}

function isChord(chord: SoundedChord): boolean {
  return chord.symbol !== "N";
}

function frameS(mark: TempoMark): number {
  return 15 / mark.bpm;
}

function markBefore(tempo: readonly TempoMark[], isBefore: (mark: TempoMark) => boolean): TempoMark {
  const mark = tempo.findLast(isBefore) ?? tempo[0];
  if (!mark) throw new Error("expected a record with a tempo at frame 0, got none: parseSession lets no such record through");
  return mark;
}
