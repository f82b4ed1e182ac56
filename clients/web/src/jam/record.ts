/** Keeps what happened in a jam and tells it as one record. Pure. */

import { DEFAULT_SETTINGS, type Jam, type SymbolRun } from "sideman-client";
import type { MetreMark, NoteInput, PlayedNote, SessionRecord, SoundedChord, TempoMark } from "../contracts.ts";
import type { AppSettings } from "../settings.ts";
import type { Grid } from "./grid.ts";

interface OpenNote {
  readonly pitch: number;
  readonly velocity: number;
  readonly startS: number; // on the audio clock
  endS: number | null;
}

/** Notes as played, any number at once, on the audio clock. A key struck again while it is down ends its first note. */
export class Performance {
  readonly notes: OpenNote[];
  readonly #sounding = new Map<number, OpenNote>();

  /** Begins with notes of before, whose times count from `originS`. */
  constructor(notes: readonly PlayedNote[] = [], originS = 0) {
    this.notes = notes.map((note) => ({ ...note, startS: note.startS + originS, endS: note.endS + originS }));
  }

  take(input: NoteInput): void {
    const open = this.#sounding.get(input.pitch);
    if (open !== undefined) open.endS = input.timeS;
    this.#sounding.delete(input.pitch);
    if (!input.on) return;
    const note: OpenNote = { pitch: input.pitch, velocity: input.velocity, startS: input.timeS, endS: null };
    this.notes.push(note);
    this.#sounding.set(input.pitch, note);
  }

  /** Notes that have ended before `beforeS` and that nobody will need again. */
  forget(beforeS: number): void {
    while (this.notes[0] !== undefined && (this.notes[0].endS ?? Number.POSITIVE_INFINITY) < beforeS) this.notes.shift();
  }

  /** Notes that sounded between two moments, seconds counted from the first of them. */
  between(fromS: number, untilS: number): PlayedNote[] {
    return this.notes
      .filter((note) => note.startS < untilS && (note.endS ?? untilS) > fromS)
      .map(({ pitch, velocity, startS, endS }) => {
        return { pitch, velocity, startS: Math.max(0, startS - fromS), endS: Math.min(endS ?? untilS, untilS) - fromS };
      });
  }
}

/** A jam that is not over: its record, and what only the gateway needs of it. */
export interface KeptSession {
  readonly record: SessionRecord;
  readonly seed: number | null;
  readonly warmStart: readonly SymbolRun[];
}

export interface Recorded {
  readonly jam: Jam;
  readonly grid: Grid;
  readonly performance: Performance;
  readonly metre: readonly MetreMark[];
  readonly settings: AppSettings;
  readonly startedAt: string;
}

/** The jam so far, over the frames [0, frames). */
export function recordOf({ jam, grid, performance, metre, settings, startedAt }: Recorded, frames: number): SessionRecord {
  return {
    format: "sideman-session",
    version: 1,
    startedAt,
    frames,
    tempo: tempoMarks(grid, frames),
    metre: metre.filter((mark) => mark.frame < frames || mark.frame === 0),
    notes: performance.between(grid.originS, grid.timeS(frames)),
    melody: jam.melodyRuns(0, frames),
    chords: soundedChords(jam, frames),
    settings: Object.fromEntries(Object.keys(DEFAULT_SETTINGS).map((name) => [name, settings[name as keyof typeof DEFAULT_SETTINGS]])),
    instruments: { melody: settings.melodyInstrument, chords: settings.chordsInstrument },
    lateFrames: jam.lateFrames,
  };
}

function tempoMarks(grid: Grid, frames: number): TempoMark[] {
  return grid.stretches
    .filter((stretch) => stretch.frame < frames || stretch.frame === 0)
    .map(({ frame, timeS, bpm }) => ({ frame, timeS: timeS - grid.originS, bpm }));
}

function soundedChords(jam: Jam, frames: number): SoundedChord[] {
  return jam.chordRuns(0, frames).map((run) => ({ ...run, pitches: jam.frames.get(run.start)?.pitches ?? [], onset: run.onset ?? true }));
}
