/** Every strike and note of a record on the audio clock, for a replay that starts anywhere in it, at any speed. Pure. */

import type { ReplayTimeline, SessionRecord, Strike } from "../contracts.ts";
import { struckChords, timeSOfFrame } from "./timeline.ts";

const CHORD_VELOCITY = 78;

/** How long a record lasts, in seconds at its own speed. */
export function durationS(record: SessionRecord): number {
  return timeSOfFrame(record.tempo, record.frames);
}

/** The part of `record` from `fromS` on, beginning at `atS` of the audio clock; `speed` 0.5 takes twice as long. What sounds at `fromS` is struck there. */
export function replayTimeline(record: SessionRecord, fromS: number, atS: number, speed = 1): ReplayTimeline {
  const onClock = (timeS: number) => atS + (Math.max(timeS, fromS) - fromS) / speed;
  const lastsS = durationS(record);
  const chords = struckChords(record).map(({ frame, untilFrame, pitches }) => ({
    pitches,
    startS: timeSOfFrame(record.tempo, frame),
    endS: timeSOfFrame(record.tempo, untilFrame),
  }));
  const strikes = chords
    .filter((chord) => chord.endS > fromS)
    .map(({ startS, pitches }): Strike => ({ timeS: onClock(startS), pitches, velocity: CHORD_VELOCITY }));
  const endS = onClock(lastsS);
  return {
    strikes: [...strikes, { timeS: endS, pitches: [], velocity: CHORD_VELOCITY }],
    notes: record.notes
      .filter((note) => note.endS > fromS)
      .map((note) => ({ ...note, atS: onClock(note.startS), untilS: onClock(note.endS) })),
    endS,
  };
}
