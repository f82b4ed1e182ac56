/**
 * One jam after the other, driven by `advance` every few milliseconds of the audio clock. Shell: client and sound are behind it.
 *
 *     idle --start--> armed --first note--> listening --silence over--> playing --stop--> idle
 *
 * `armed`: the metronome runs, nothing is sent. The first note sets the grid: frame 0 is the bar line at or before it, or that note
 * itself when nothing clicks (G1). From then on every frame is decided shortly before it begins, so that its chord can be given
 * to the audio clock in time, and reported by one tick at its start. What a plan commits to goes to the audio clock as it arrives.
 */

import { DEFAULT_SETTINGS, FRAMES_PER_BEAT, type GatewayMessage, Jam, type Settings, type SidemanClient } from "sideman-client";
import type { MetreMark, NoteInput, SessionRecord, Sound } from "../contracts.ts";
import type { AppSettings } from "../settings.ts";
import { barLineAtOrBefore, standIn } from "./fallback.ts";
import { frameSeconds, Grid } from "./grid.ts";
import { clicks } from "./metronome.ts";
import { type KeptSession, Performance, recordOf } from "./record.ts";
import { strikesOf } from "./strikes.ts";

const DECIDE_AHEAD_S = 0.02; // before a frame begins: timers come late by some milliseconds
const DECIDE_AHEAD_SHARE = 0.2; // of a frame, at tempi where the above would cost the plan too much of its time
const CLICKS_AHEAD_S = 1.5; // a hidden page wakes up once a second
const EARLY_S = 0.06; // the first note this much before a bar line means that bar line
const COUNT_IN_S = 0.15; // from start to the first click

export type Phase = "idle" | "armed" | "listening" | "playing";
export type Timed = Pick<Sound, "followChords" | "followClicks" | "allNotesOff">;
export type Session = Pick<SidemanClient, "jam" | "sendTick" | "reset" | "configure">;

export class Performer {
  phase: Phase = "idle";
  grid: Grid | null = null; // of the jam, or of the metronome while armed
  performance = new Performance();
  onPhase: (phase: Phase) => void = () => {};
  #settings: AppSettings;
  #metre: MetreMark[] = [];
  #tickedFrame = -1;
  #clickedUntilS = 0;
  #startedAt = "";
  #usedBefore = false;
  readonly #session: Session;
  readonly #sound: Timed;

  constructor(session: Session, sound: Timed, settings: AppSettings) {
    this.#session = session;
    this.#sound = sound;
    this.#settings = settings;
  }

  get jam(): Jam {
    return this.#session.jam;
  }

  get barFrames(): number {
    return this.#settings.beats_per_bar * FRAMES_PER_BEAT;
  }

  /** The newest frame of the jam that has begun, or -1. */
  get frame(): number {
    return this.#tickedFrame;
  }

  /** Frames of silence that are still to come; 0 when it is over. */
  get silenceLeft(): number {
    return this.phase === "listening" ? Math.max(0, this.jam.silenceFrames - Math.max(0, this.#tickedFrame)) : 0;
  }

  isBarLine(frame: number): boolean {
    return (frame - this.jam.barLine) % this.barFrames === 0;
  }

  start(nowS: number): void {
    if (this.phase !== "idle") return;
    if (this.#usedBefore) void this.#session.reset().catch(() => {}); // a lost session tells so itself
    this.#usedBefore = true;
    this.performance = new Performance();
    this.#tickedFrame = -1;
    this.#clickedUntilS = 0;
    this.#metre = [];
    this.grid = Grid.from(nowS + COUNT_IN_S, this.#settings.bpm);
    this.#enter("armed");
  }

  /** Goes on with a jam that was left, from its next bar line on: the bar until there holds the last chord. */
  resume({ record, seed, warmStart }: KeptSession, nowS: number): void {
    if (this.phase !== "idle") return;
    const { melody, chords, lateFrames } = record;
    const barLine = record.metre.at(-1)?.frame ?? 0;
    const settings = { ...this.jam.settings, ...this.#protocolSettings() };
    this.#session.jam = Jam.resumed({ settings, seed, barLine, warmStart, chords, melody, lateFrames });
    const next = barLineAtOrBefore(this.jam.frames.length - 1, barLine, this.barFrames) + this.barFrames;
    this.jam.beginFrame(next - 1);
    const atZero = Grid.of(record.tempo, 0);
    this.grid = Grid.of(record.tempo, nowS + COUNT_IN_S - atZero.timeS(next)).withTempo(next, this.#settings.bpm);
    this.performance = new Performance(record.notes, this.grid.originS);
    this.#tickedFrame = next - 1;
    this.#clickedUntilS = 0;
    this.#metre = [...record.metre];
    this.#startedAt = record.startedAt;
    this.#usedBefore = true;
    this.#enter(next >= this.jam.silenceFrames ? "playing" : "listening");
  }

  /** Everything needed to go on after the page has gone, or null. */
  kept(nowS: number): KeptSession | null {
    const record = this.record(nowS);
    return record === null ? null : { record, seed: this.jam.seed, warmStart: this.jam.warmStart };
  }

  /** Ends the jam; the record of it, or null if none had begun. */
  stop(nowS: number): SessionRecord | null {
    const record = this.record(nowS);
    this.#sound.followClicks([]);
    this.#sound.followChords([{ timeS: nowS, pitches: [], velocity: 1 }]);
    this.#enter("idle");
    return record;
  }

  record(nowS: number): SessionRecord | null {
    if (this.grid === null || this.phase === "armed" || this.phase === "idle") return null;
    const frames = Math.min(this.jam.frames.length, Math.max(0, this.grid.frame(nowS)) + 1);
    const { jam, grid, performance } = this;
    return recordOf({ jam, grid, performance, metre: this.#metre, settings: this.#settings, startedAt: this.#startedAt }, frames);
  }

  /** Takes a note that has already been given to the sound. */
  note(input: NoteInput): void {
    this.performance.take(input);
    if (this.phase === "idle") {
      this.performance.forget(input.timeS - 30);
      return;
    }
    if (this.phase === "armed" && input.on) this.#open(input.timeS);
    if (this.grid === null || this.phase === "armed") return;
    const frame = Math.max(this.grid.frame(input.timeS), this.#tickedFrame, 0); // an event that comes late belongs to the open frame (T2)
    this.jam.note({ frame, pitch: input.pitch, on: input.on, velocity: input.velocity });
  }

  /** Takes changed settings; what concerns the gateway is told by the caller. */
  configure(settings: AppSettings, nowS: number): void {
    const before = this.#settings;
    this.#settings = settings;
    if (this.grid === null || this.phase === "idle") return;
    if (settings.bpm !== before.bpm) {
      const next = Math.max(0, Math.floor(this.grid.position(nowS)) + 1, this.jam.frames.length);
      this.grid = this.phase === "armed" ? this.#beatOn(nowS, settings.bpm) : this.grid.withTempo(next, settings.bpm);
    }
    if (settings.beats_per_bar !== before.beats_per_bar && this.phase !== "armed") {
      this.jam.followSettings({ ...this.jam.settings, beats_per_bar: settings.beats_per_bar }, this.jam.tickedFrame);
      this.#metre = [...this.#metre.filter((mark) => mark.frame < this.jam.barLine), this.#metreMark()];
    }
    this.#clickedUntilS = 0;
    this.#follow(nowS, this.jam.frames.length - 1);
  }

  /** Takes what the gateway said; the client's jam has it already. */
  receive(message: GatewayMessage, nowS: number): void {
    if (message.type === "plan" && this.phase !== "idle") this.#follow(nowS, this.jam.frames.length - 1);
  }

  /** Does whatever is due. Called every few milliseconds. */
  advance(nowS: number): void {
    if (this.grid === null || this.phase === "idle") return;
    this.#click(nowS, this.grid);
    if (this.phase === "armed") return;
    const aheadS = Math.min(DECIDE_AHEAD_S, frameSeconds(this.grid.bpm) * DECIDE_AHEAD_SHARE);
    const begun = this.jam.frames.length;
    const due = this.grid.frame(nowS + aheadS);
    if (due >= begun) {
      this.jam.improvise(standIn(this.jam.frames, this.jam.barLine, this.barFrames));
      this.jam.beginFrame(due);
      this.#follow(nowS, begun - 1);
    }
    const frame = this.grid.frame(nowS);
    if (frame > this.#tickedFrame) {
      this.#tickedFrame = frame;
      this.#session.sendTick(frame);
      if (this.phase === "listening" && frame >= this.jam.silenceFrames) this.#enter("playing");
    }
  }

  /** Gives the audio clock everything that can no longer change, from the frame after `lastKnown` on. */
  #follow(nowS: number, lastKnown: number): void {
    if (this.grid === null || this.phase === "armed") return;
    const { jam, grid } = this;
    const until = Math.max(jam.frames.length, jam.plan?.committed_until ?? 0);
    const first = Math.max(0, Math.min(lastKnown, grid.frame(nowS) - 1));
    const frames = [...jam.frames.slice(first), ...jam.ahead(until)];
    this.#sound.followChords(strikesOf(frames, jam.frames.get(first - 1), grid, (frame) => this.isBarLine(frame)));
  }

  /** The count-in clicks until the first note, whether or not the metronome goes on after it. */
  get #isClicking(): boolean {
    return this.#settings.metronome || (this.#settings.countIn && this.phase === "armed");
  }

  #click(nowS: number, grid: Grid): void {
    if (this.#clickedUntilS - nowS > CLICKS_AHEAD_S * 0.8) return;
    this.#clickedUntilS = nowS + CLICKS_AHEAD_S;
    if (!this.#isClicking) {
      this.#sound.followClicks([]);
      return;
    }
    const bar = { line: this.phase === "armed" ? 0 : this.jam.barLine, beats: this.#settings.beats_per_bar };
    this.#sound.followClicks(clicks(grid, bar, nowS, this.#clickedUntilS, this.phase === "armed" ? 0 : Number.NEGATIVE_INFINITY));
  }

  /** G1: the first note opens the silence. */
  #open(timeS: number): void {
    const { bpm } = this.#settings;
    let originS = timeS;
    if (this.#isClicking && this.grid !== null) {
      const frame = this.grid.frame(timeS + EARLY_S);
      originS = this.grid.timeS(barLineAtOrBefore(frame, 0, this.barFrames));
    }
    this.grid = Grid.from(originS, bpm);
    this.#clickedUntilS = 0;
    this.#metre = [this.#metreMark()];
    this.#startedAt = new Date().toISOString();
    this.#enter("listening");
  }

  #metreMark(): MetreMark {
    return { frame: this.jam.barLine, beatsPerBar: this.#settings.beats_per_bar };
  }

  #protocolSettings(): Settings {
    const names = Object.keys(DEFAULT_SETTINGS) as (keyof Settings)[];
    return Object.fromEntries(names.map((name) => [name, this.#settings[name]])) as unknown as Settings;
  }

  /** A metronome of another tempo that goes on from the beat it is in. */
  #beatOn(nowS: number, bpm: number): Grid {
    const position = this.grid?.position(nowS) ?? 0;
    return Grid.from(nowS - position * frameSeconds(bpm), bpm);
  }

  #enter(phase: Phase): void {
    this.phase = phase;
    this.onPhase(phase);
  }
}
