/**
 * What has sounded in a jam, frame by frame, as the gateway keeps it (`gateway/jam.py`, `gateway/resume.py`). Pure.
 *
 * A jam is a value: a tick makes a new one. It keeps the last WINDOW_FRAMES frames. The melody of `frame` itself is open: its notes so
 * far are in `events`, and the next tick may add to them (T2).
 */

import type { History, MelodyRun, NoteEvent, SymbolRun } from "sideman-client";
import { WINDOW_FRAMES } from "./network.ts";
import type { Symbols } from "./symbols.ts";
import { held, isOnset, mayFollow, NOTHING, NUM_PITCHES, soundOf } from "./values.ts";

const MAX_JUMP_FRAMES = 256; // T4

/** A plan as it was sent: values and pitches, one entry per frame from `firstFrame` on. */
export interface SentPlan {
  readonly seq: number;
  readonly firstFrame: number;
  readonly committedUntil: number;
  readonly chords: readonly number[];
  readonly pitches: readonly (readonly number[])[];
}

/** Chord values from `firstFrame` on that stand for the silence and never sound (P10). */
export interface WarmStart {
  readonly firstFrame: number;
  readonly chords: readonly number[];
}

/** The newest chord is that of `frame`, the newest melody that before it. */
export interface Jam {
  readonly frame: number;
  readonly chords: readonly number[];
  readonly melody: readonly number[];
  readonly events: readonly NoteEvent[];
  readonly melodyBefore: number; // what a note held into `frame` continues; nothing if the frame before released its own note
  readonly voicing: readonly number[]; // of the last chord struck
  readonly warmStart: WarmStart | null;
}

/** The jam before its first tick, which is for `frame`. */
export function begin(frame: number): Jam {
  const first = Math.max(0, frame - MAX_JUMP_FRAMES);
  return { frame: first, chords: [NOTHING], melody: [], events: [], melodyBefore: NOTHING, voicing: [], warmStart: null };
}

/** The earliest frame that is still known. */
export function firstFrameOf(jam: Jam): number {
  return jam.frame - jam.melody.length;
}

/** The chord value of the newest frame. */
export function runningOf(jam: Jam): number {
  return jam.chords.at(-1) ?? NOTHING;
}

/** The jam at a tick for `frame`: every frame below it is complete; `planAt` gives the plan that is followed in a frame. */
export function play(
  jam: Jam,
  frame: number,
  events: readonly NoteEvent[],
  planAt: (frame: number) => SentPlan | null,
  numChords: number,
): Jam {
  const melody = [...jam.melody];
  let melodyBefore = jam.melodyBefore;
  const at = (wanted: number) => [...(wanted === jam.frame ? jam.events : []), ...events.filter((event) => event.frame === wanted)];
  for (let complete = jam.frame; complete < frame; complete++) {
    melody.push(advance(melodyBefore, at(complete)));
    melodyBefore = isReleased(at(complete)) ? NOTHING : (melody.at(-1) ?? NOTHING);
  }
  const chords = [...jam.chords];
  let voicing = jam.voicing;
  for (let current = jam.frame + 1; current <= frame; current++) {
    const plan = planAt(current);
    const chord = soundIn(plan, current, chords.at(-1) ?? NOTHING, numChords);
    chords.push(chord);
    if (plan !== null && isOnset(chord, numChords)) voicing = plan.pitches[current - plan.firstFrame] ?? [];
  }
  return {
    frame,
    chords: chords.slice(-WINDOW_FRAMES),
    melody: melody.slice(-(WINDOW_FRAMES - 1)),
    events: at(frame),
    melodyBefore,
    voicing,
    warmStart: jam.warmStart,
  };
}

/** What sounds in `frame` under `plan` after `running`; without a planned chord the running one continues (P5). */
export function soundIn(plan: SentPlan | null, frame: number, running: number, numChords: number): number {
  const planned = plan?.chords[frame - plan.firstFrame];
  if (planned === undefined) return held(running, numChords);
  return mayFollow(running, planned, numChords) ? planned : planned - numChords;
}

/** The melody value of `frame`, if it cannot change any more: the first note that begins in a frame wins (G3). */
export function openMelody(jam: Jam): readonly number[] {
  return jam.events.some((event) => event.on) ? [advance(jam.melodyBefore, jam.events)] : [];
}

/** The value of a frame, given that of the frame before and the events inside it, in order of time. */
function advance(previous: number, events: readonly NoteEvent[]): number {
  let onset: number | null = null;
  let sounding = soundOf(previous, NUM_PITCHES);
  for (const event of events) {
    if (event.on) onset ??= 1 + event.pitch;
    else if (event.pitch === sounding) sounding = null;
  }
  if (onset !== null) return onset;
  return sounding === null ? NOTHING : held(previous, NUM_PITCHES);
}

/** Whether the note that began in this frame was also released in it, so that the next frame does not hold it. */
function isReleased(events: readonly NoteEvent[]): boolean {
  const began = events.findIndex((event) => event.on);
  return began >= 0 && events.slice(began).some((event) => !event.on && event.pitch === events[began]?.pitch);
}

/** The jam a client's history tells (H1, H2). Throws UnknownWord. */
export function resumed(history: History, symbols: Symbols, voiced: (value: number) => readonly number[]): Jam {
  const { frame, first_frame: first } = history;
  const chords = chordValues(history.chords ?? [], symbols);
  const melody = melodyValues(history.melody ?? [], first, frame);
  const told = history.warm_start ?? [];
  return {
    frame,
    chords: chords.slice(-WINDOW_FRAMES),
    melody: melody.slice(-(WINDOW_FRAMES - 1)),
    events: [],
    melodyBefore: melody.at(-1) ?? NOTHING,
    voicing: voiced(chords.at(-1) ?? NOTHING),
    warmStart: told[0] === undefined ? null : { firstFrame: told[0].start, chords: chordValues(told, symbols) },
  };
}

/** The values of adjoining runs, frame by frame. Throws UnknownWord. */
export function chordValues(runs: readonly SymbolRun[], symbols: Symbols): number[] {
  return runs.flatMap((run) => {
    const value = symbols.valueFor(run.symbol, run.onset ?? true);
    return Array.from({ length: run.length }, (_, index) => (index === 0 ? value : held(value, symbols.numChords)));
  });
}

function melodyValues(runs: readonly MelodyRun[], first: number, end: number): number[] {
  const values = new Array<number>(end - first).fill(NOTHING);
  for (const { start, length, pitch } of runs) {
    for (let frame = start; frame < start + length; frame++) values[frame - first] = (frame === start ? 1 : 1 + NUM_PITCHES) + pitch;
  }
  return values;
}
