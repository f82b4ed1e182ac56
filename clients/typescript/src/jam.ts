/**
 * The client's side of one jam: what was played, what sounds now, what to tell the gateway. Pure.
 *
 * A client calls, in this order, at the start of every frame f by its own clock: `note` for every note event that happened
 * before, `beginFrame(f)` for the chord that sounds in f, `tick(f)` for the message to send; and `receive` whenever a message
 * comes in. What a frame sounded is decided once, when it begins, from the newest plan there is (P3), and never changes.
 *
 * `note` keeps only events that count on a monophonic grid (G3), so a frame reports three at most: a note ends, one begins, it ends.
 */

import { EventOutOfOrder } from "./errors.ts";
import { Frames, type Sounding } from "./frames.ts";
import { NO_CHORD } from "./generated/chords.ts";
import {
  type Applied,
  type ChordRun,
  DEFAULT_SETTINGS,
  FRAMES_PER_BEAT,
  type GatewayMessage,
  type History,
  MAX_HISTORY_FRAMES,
  type MelodyRun,
  type NoteEvent,
  type PendingPlan,
  type Plan,
  type Settings,
  type SymbolRun,
  type Tick,
} from "./generated/messages.ts";

const MAX_JUMP_FRAMES = 256; // T4
const MAX_TICK_EVENTS = 64;
const REPORTED_EVENTS = 256; // kept at most: a jam may last for hours
const PLANS_BEGIN_FRAMES = 4; // from the first plan's first frame to the end of the initial silence (P7)

/** A note of the melody over the frames [start, end); `end` is null while it sounds. */
export interface Note {
  readonly start: number;
  readonly end: number | null;
  readonly pitch: number;
}

/** What is needed of a jam to go on with it elsewhere: everything that sounded, from frame 0 on without gaps. */
export interface KeptJam {
  readonly settings: Settings;
  readonly seed: number | null;
  readonly barLine: number;
  readonly warmStart: readonly SymbolRun[];
  readonly chords: readonly ChordRun[];
  readonly melody: readonly MelodyRun[];
  readonly lateFrames: number;
}

const BEFORE_ALL: Sounding = { frame: -1, symbol: NO_CHORD, pitches: [], struck: false, planned: false, late: false };

/** The run of the plan that holds this frame, if there is one. */
export function runAt(plan: Plan | null, frame: number): ChordRun | null {
  return plan?.chords.find((run) => run.start <= frame && frame < run.start + run.length) ?? null;
}

/** First frame the plan says nothing about. */
export function endFrame(plan: Plan): number {
  const last = plan.chords.at(-1);
  return last === undefined ? plan.first_frame : last.start + last.length;
}

/** State of one jam; frames count from the bar line on which its grid starts. */
export class Jam {
  settings: Settings;
  seed: number | null = null;
  barLine = 0;
  plan: Plan | null = null;
  warmStart: readonly SymbolRun[] = []; // never sounds: for the gateway that has to go on (P10, H8)
  readonly frames = new Frames(); // every frame that has begun, from frame 0
  readonly melody: Note[] = [];
  lateFrames = 0;
  #events: NoteEvent[] = [];
  #unsentIndex = 0;
  #carried: NoteEvent[] = []; // releases that a history cannot express
  #lastTick: Tick | null = null;
  #sparedSeq: number | null = null;
  #applied: Applied | null = null;
  #standIn: readonly ChordRun[] = []; // see `improvise`
  #strayedFrame: number | null = null; // where a chord of our own was struck that the gateway does not know of
  #newestSeq = 0; // of the plans taken
  #nextSeq = 1;

  constructor(settings: Settings = DEFAULT_SETTINGS) {
    this.settings = settings;
  }

  /** The jam that was kept; the gateway hears of it by `history` before the next tick. */
  static resumed(kept: KeptJam): Jam {
    const jam = new Jam(kept.settings);
    jam.seed = kept.seed;
    jam.barLine = kept.barLine;
    jam.warmStart = kept.warmStart;
    jam.lateFrames = kept.lateFrames;
    for (const { start, length, symbol, pitches, onset } of kept.chords) {
      for (let frame = start; frame < start + length; frame++) {
        jam.frames.push({ symbol, pitches, struck: onset && frame === start && symbol !== NO_CHORD, planned: true, late: false });
      }
    }
    for (const { start, length, pitch } of kept.melody) jam.melody.push({ start, end: start + length, pitch });
    jam.#strayedFrame = jam.frames.length > 0 ? jam.frames.length - 1 : null;
    return jam;
  }

  /** The frame of the last tick, or null. */
  get tickedFrame(): number | null {
    return this.#lastTick?.frame ?? null;
  }

  /** Length of the initial silence. */
  get silenceFrames(): number {
    return this.settings.silence_beats * FRAMES_PER_BEAT;
  }

  /** Takes one note event; events come in order of time, none older than the last tick. Throws EventOutOfOrder. */
  note(event: NoteEvent): void {
    const oldest = Math.max(this.#events.at(-1)?.frame ?? 0, this.tickedFrame ?? 0);
    if (event.frame < oldest) {
      const advice = "stamp a note with the frame in which it happens, and report it at the next tick";
      throw new EventOutOfOrder({ expected: `note events of frame ${oldest} or later`, got: `one of frame ${event.frame}`, advice });
    }
    const last = this.melody.at(-1);
    if (event.on) {
      if (last?.start === event.frame) return;
      if (last !== undefined && last.end === null) this.melody[this.melody.length - 1] = { ...last, end: event.frame };
      this.melody.push({ start: event.frame, end: null, pitch: event.pitch });
    } else {
      if (last === undefined || last.end !== null || last.pitch !== event.pitch) return;
      this.melody[this.melody.length - 1] = { ...last, end: Math.max(event.frame, last.start + 1) };
    }
    this.#events.push(event);
  }

  /** Takes what the gateway said; what is no concern of the jam is ignored. */
  receive(message: GatewayMessage): void {
    if (message.type === "plan" && message.seq > this.#newestSeq) {
      this.plan = message;
      this.#newestSeq = message.seq;
      if (message.warm_start !== undefined && message.warm_start.length > 0) this.warmStart = message.warm_start;
    } else if (message.type === "keep" && (message.reason === "listening" || message.reason === "busy")) {
      this.#sparedSeq = message.seq;
    }
  }

  /**
   * Chords of the client's own for frames of which no plan says anything, instead of holding the last chord for ever. What sounds
   * enters the history, as always; the gateway is told by `history` before the next tick.
   */
  improvise(runs: readonly ChordRun[]): void {
    this.#standIn = runs;
  }

  /**
   * Takes new settings, asked for after the tick of `askedFrame` (null: before any), or all settings of a new connection.
   * G4: where the bar changes its length, the last bar line before stays one.
   */
  followSettings(settings: Settings, askedFrame: number | null): void {
    if (askedFrame !== null && settings.beats_per_bar !== this.settings.beats_per_bar) {
      const bar = this.settings.beats_per_bar * FRAMES_PER_BEAT;
      this.barLine = askedFrame - modulo(askedFrame - this.barLine, bar);
    }
    this.settings = settings;
  }

  /** What sounds in `frame`, decided now for it and every frame before it that was skipped. The same answer ever after. */
  beginFrame(frame: number): Sounding {
    while (this.frames.length <= frame) {
      const sounding = this.#decide(this.frames.length);
      this.frames.push(sounding);
      if (sounding.planned) this.#apply(sounding.frame);
      else if (sounding.struck || sounding.symbol !== (this.frames.at(-2)?.symbol ?? NO_CHORD)) this.#strayedFrame = sounding.frame;
      if (sounding.late) this.lateFrames += 1;
    }
    return this.frames.get(frame) as Sounding; // the loop just made it
  }

  /** What the frames that have not begun yet, up to `until`, will sound if no other plan comes. Decides nothing. */
  ahead(until: number): Sounding[] {
    const ahead: Sounding[] = [];
    for (let frame = this.frames.length; frame < until; frame++) {
      ahead.push(this.#sound(frame, ahead.at(-1) ?? this.frames.at(-1) ?? BEFORE_ALL, false));
    }
    return ahead;
  }

  /** Whether a tick for `frame` alone would be refused, so that `history(frame - 1)` must be sent before it (T4). */
  needsHistory(frame: number): boolean {
    const jump = frame - (this.tickedFrame ?? 0);
    const pending = this.#due(frame) - this.#unsentIndex + this.#carried.length;
    const strayed = this.#strayedFrame !== null && this.#strayedFrame < frame;
    return frame > 0 && (jump > MAX_JUMP_FRAMES || pending > MAX_TICK_EVENTS || strayed);
  }

  /** The next tick, for a frame that has begun; what it reports will not be reported again. */
  tick(frame: number, roundTripMs: number | null = null): Tick {
    this.beginFrame(frame);
    const due = this.#due(frame);
    const events = [...this.#carried, ...this.#events.slice(this.#unsentIndex, due)].slice(0, MAX_TICK_EVENTS);
    const message: Tick = {
      type: "tick",
      seq: this.#nextSeq,
      frame,
      ...(events.length > 0 && { events }),
      ...(this.#applied !== null && { applied: this.#applied }),
      ...(roundTripMs !== null && { round_trip_ms: roundTripMs }),
    };
    this.#carried = [];
    this.#unsentIndex = due;
    if (due > REPORTED_EVENTS) this.#forgetReported(frame);
    this.#lastTick = message;
    this.#nextSeq += 1;
    return message;
  }

  /** The jam up to `frame`'s chord, a frame that has begun (H1 to H4). The next tick is for a later frame. */
  history(frame: number, maxFrames: number = MAX_HISTORY_FRAMES): History {
    const first = Math.max(0, frame + 1 - maxFrames);
    const unsent = this.#events.findIndex((event) => event.frame >= frame);
    this.#unsentIndex = unsent < 0 ? this.#events.length : unsent;
    this.#carried = this.melody
      .filter((note) => note.end === frame && frame > note.start)
      .map((note) => ({ frame, pitch: note.pitch, on: false }));
    const plan = this.#pendingPlan(frame);
    if (this.#strayedFrame !== null && this.#strayedFrame <= frame) this.#strayedFrame = null;
    if (plan === null || this.#applied?.seq !== plan.seq) this.#applied = null;
    const warmStart = this.warmStart.some((run) => run.start + run.length > first) ? this.warmStart : [];
    return {
      type: "history",
      frame,
      first_frame: first,
      melody: this.melodyRuns(first, frame),
      chords: this.chordRuns(first, frame + 1),
      ...(plan !== null && { plan }),
      ...(this.seed !== null && { seed: this.seed }),
      ...(this.barLine !== 0 && { bar_line: this.barLine }),
      ...(warmStart.length > 0 && { warm_start: warmStart }),
    };
  }

  /** The melody inside the frames [first, end); a note that still sounds is cut at `end`. */
  melodyRuns(first: number, end: number): MelodyRun[] {
    return this.melody.flatMap((note) => {
      const start = Math.max(note.start, first);
      const stop = note.end === null ? end : Math.min(note.end, end);
      return start < stop ? [{ start, length: stop - start, pitch: note.pitch }] : [];
    });
  }

  /** The chords that sounded in the frames [first, end), without gaps. */
  chordRuns(first: number, end: number): SymbolRun[] {
    const runs: { start: number; length: number; symbol: string; onset: boolean }[] = [];
    for (const { frame, symbol } of this.frames.slice(first, end)) {
      const last = runs.at(-1);
      const changes = this.#changes(frame);
      if (last === undefined || changes) runs.push({ start: frame, length: 1, symbol, onset: frame === 0 || changes });
      else last.length += 1;
    }
    return runs;
  }

  /** The first run of the plan that begins after the newest frame. */
  nextChord(): ChordRun | null {
    return this.plan?.chords.find((run) => run.start >= this.frames.length) ?? null;
  }

  /** The jam after a `reset`: melody, chords and plans are gone, settings and seed stay (S4). */
  forgotten(): Jam {
    const fresh = new Jam(this.settings);
    fresh.seed = this.seed;
    fresh.#nextSeq = this.#nextSeq;
    fresh.#newestSeq = this.#nextSeq - 1;
    return fresh;
  }

  #decide(frame: number): Sounding {
    return this.#sound(frame, this.frames.at(-1) ?? BEFORE_ALL, this.#isLate(frame));
  }

  /** P3 to P5: the plan's chord; struck where it begins or was not sounding; without one our own, or the running chord. */
  #sound(frame: number, before: Sounding, late: boolean): Sounding {
    const planned = runAt(this.plan, frame);
    const run = planned ?? this.#standIn.find((each) => each.start <= frame && frame < each.start + each.length) ?? null;
    const about = { frame, planned: planned !== null, late };
    if (run === null || (run.symbol === before.symbol && !(run.onset && run.start === frame))) {
      return { ...about, symbol: before.symbol, pitches: before.pitches, struck: false };
    }
    return { ...about, symbol: run.symbol, pitches: run.pitches, struck: run.symbol !== NO_CHORD };
  }

  #apply(frame: number): void {
    if (this.plan !== null && this.#applied?.seq !== this.plan.seq) this.#applied = { seq: this.plan.seq, from_frame: frame };
  }

  /** Whether a plan was due for this frame (its tick is the one before, P1) and a newer one than we have was to be expected. */
  #isLate(frame: number): boolean {
    if (frame === 0 || frame < this.silenceFrames - PLANS_BEGIN_FRAMES) return false;
    if (this.#lastTick !== null && this.#sparedSeq === this.#lastTick.seq) return false;
    return this.plan === null || this.plan.first_frame < frame;
  }

  /** Index behind the last event that a tick for `frame` reports. */
  #due(frame: number): number {
    let index = this.#events.length;
    while (index > this.#unsentIndex && (this.#events[index - 1]?.frame ?? 0) > frame) index -= 1;
    return index;
  }

  /** Events before `frame` will never be reported again: `history` brings those from its own frame on, and that is a later one (H7). */
  #forgetReported(frame: number): void {
    const kept = this.#events.findIndex((event, index) => index >= this.#unsentIndex || event.frame >= frame);
    const count = kept < 0 ? this.#events.length : kept;
    this.#events.splice(0, count);
    this.#unsentIndex -= count;
  }

  #changes(frame: number): boolean {
    const here = this.frames.get(frame);
    return frame === 0 || here === undefined || here.struck || here.symbol !== this.frames.get(frame - 1)?.symbol;
  }

  /** The plan from `frame + 1` on, as it will sound; null if it has nothing more to say. */
  #pendingPlan(frame: number): PendingPlan | null {
    const plan = this.plan;
    if (plan === null || endFrame(plan) <= frame + 1) return null;
    const chords: SymbolRun[] = [];
    let running = this.frames.get(frame)?.symbol ?? NO_CHORD;
    for (const run of plan.chords) {
      const start = Math.max(run.start, frame + 1);
      const length = run.start + run.length - start;
      if (length <= 0) continue;
      chords.push({ start, length, symbol: run.symbol, onset: run.symbol !== running || (run.onset && start === run.start) });
      running = run.symbol;
    }
    return { seq: plan.seq, committed_until: plan.committed_until, chords };
  }
}

function modulo(value: number, by: number): number {
  return ((value % by) + by) % by;
}
