/** Gathers what the stage shows from the jam, the notes and the clock, once per picture. Shell. */

import { endFrame, FRAMES_PER_BEAT, type Jam, NO_CHORD, type Plan } from "sideman-client";
import type { AudioClock } from "./clock.ts";
import type { KeyboardInput, NoteInput, SessionRecord, Sound } from "./contracts.ts";
import { barAt, frameSeconds, type Grid } from "./jam/grid.ts";
import type { Performer } from "./jam/performer.ts";
import type { Painted } from "./stage/paint.ts";
import { type ChordSpan, chordSpans, comingNext, type NoteSpan } from "./stage/scene.ts";
import type { Stage } from "./stage/stage.ts";
import { type StageView, soundingAt } from "./stage/view.ts";
import type { AppState } from "./state.ts";
import type { Store } from "./store.ts";
import { wantsCalm } from "./theme.ts";

const SEEN_NOTES = 64; // more than fit between the keys and the top
const SEEN_FRAMES = 40; // from the keys to the top at the longest lookahead, and some
const PAST_FRAMES = 64; // of chords to look at: the longest that may still sound

/** What a picture is made of. */
export interface Scene {
  readonly store: Store<AppState>;
  readonly clock: AudioClock;
  readonly sound: Sound;
  readonly performer: Performer;
  readonly keyboard: KeyboardInput;
}

export interface Shown {
  readonly chords: readonly ChordSpan[];
  readonly lit: readonly number[];
  readonly nowS: number; // the moment it was drawn for
  readonly isCalm: boolean;
}

export interface Replayed {
  readonly grid: Grid;
  readonly chords: readonly ChordSpan[];
  readonly metre: SessionRecord["metre"];
}

/** Chords to draw, and all that they depend on. */
interface Made {
  readonly jam: Jam | null;
  readonly begun: number;
  readonly plan: Plan | null;
  readonly frame: number;
  readonly spans: readonly ChordSpan[];
}

export class Picture {
  readonly lights = new Set<number>(); // pitches the player holds down
  replayed: Replayed | null = null; // a record instead of the jam
  shown: Shown = { chords: [], lit: [], nowS: 0, isCalm: false }; // what the last picture had, for whoever checks
  readonly #scene: Scene;
  readonly #stage: Stage;
  #made: Made = { jam: null, begun: 0, plan: null, frame: 0, spans: [] };

  constructor(scene: Scene, stage: Stage) {
    this.#scene = scene;
    this.#stage = stage;
  }

  /** How painting went lately. */
  get painted(): Painted {
    return this.#stage.painted;
  }

  repaint(): void {
    this.#stage.repaint();
  }

  note(note: NoteInput): void {
    if (note.on) this.lights.add(note.pitch);
    else this.lights.delete(note.pitch);
  }

  draw(): void {
    const view = this.#view();
    const lit = view.position === null ? [] : soundingAt(view.chords, view.position);
    const { settings } = this.#scene.store.state;
    const computer = settings.keyLabels === "keys" && !this.#stage.isNarrow ? this.#scene.keyboard.labels() : new Map<number, string>();
    const notes = settings.keyLabels === "all" ? "all" : settings.keyLabels === "off" ? "none" : "c";
    this.#stage.draw(view, { player: this.lights, agent: new Set(lit) }, { computer, notes });
    this.shown = { chords: view.chords, lit, nowS: view.nowS, isCalm: view.calmMotion };
  }

  /** The read-out: what sounds, what comes, where we are. */
  told(): Pick<AppState, "chord" | "next" | "beat"> {
    const { performer } = this.#scene;
    if (this.replayed !== null) return this.#toldOf(this.replayed);
    if (performer.phase === "armed" || performer.grid === null) return { chord: NO_CHORD, next: null, beat: this.#countIn() };
    const { jam } = performer;
    const chord = jam.frames.get(performer.frame)?.symbol ?? NO_CHORD;
    const coming = comingNext(jam.plan?.chords ?? [], performer.frame + 1, chord);
    return { chord, next: this.#next(coming), beat: this.#beat(performer.frame) };
  }

  #toldOf({ grid, chords, metre }: Replayed): Pick<AppState, "chord" | "next" | "beat"> {
    const frame = Math.max(0, grid.frame(this.#scene.clock.nowS()));
    const chord = chords.find((span) => span.start <= frame && frame < span.end)?.symbol ?? NO_CHORD;
    const coming = comingNext(chords, frame + 1, chord);
    const { line, frames } = barAt(metre, frame);
    const beat = { bar: Math.floor((frame - line) / frames) + 1, beat: Math.floor(((frame - line) % frames) / FRAMES_PER_BEAT) + 1 };
    return { chord, next: this.#next(coming), beat: this.#same(beat) };
  }

  /** The object told before if it says the same, so that nobody draws it again. */
  #next(coming: ReturnType<typeof comingNext>): AppState["next"] {
    const next = coming === null ? null : { symbol: coming.symbol, inBeats: Math.ceil(coming.inFrames / FRAMES_PER_BEAT) };
    const same = this.#scene.store.state.next;
    return same?.symbol === next?.symbol && same?.inBeats === next?.inBeats ? same : next;
  }

  #same(beat: { bar: number; beat: number }): AppState["beat"] {
    const same = this.#scene.store.state.beat;
    return same?.bar === beat.bar && same.beat === beat.beat ? same : beat;
  }

  #countIn(): AppState["beat"] {
    const { performer, clock } = this.#scene;
    const position = performer.grid?.position(clock.nowS()) ?? 0;
    return position < 0 ? null : this.#beat(Math.floor(position));
  }

  #beat(frame: number): AppState["beat"] {
    const { performer } = this.#scene;
    if (frame < 0) return null;
    const inJam = performer.phase === "armed" ? frame : frame - performer.jam.barLine;
    const bar = Math.floor(inJam / performer.barFrames) + 1;
    const beat = Math.floor((((inJam % performer.barFrames) + performer.barFrames) % performer.barFrames) / FRAMES_PER_BEAT) + 1;
    return this.#same({ bar, beat });
  }

  #view(): StageView {
    const { performer, clock, sound, store } = this.#scene;
    const { settings, texts } = store.state;
    const isJam = performer.phase === "listening" || performer.phase === "playing";
    const nowS = clock.nowS() - sound.outputDelayS();
    const { replayed } = this;
    const grid = replayed?.grid ?? (performer.phase === "idle" ? null : performer.grid);
    const bpm = grid?.bpm ?? settings.bpm;
    const jamBar = { line: isJam ? performer.jam.barLine : 0, frames: performer.barFrames };
    const bar = replayed === null ? jamBar : barAt(replayed.metre, replayed.grid.frame(nowS));
    return {
      nowS,
      position: grid === null ? null : grid.position(nowS),
      bpm,
      barFrames: bar.frames,
      barLine: bar.line,
      isCounting: isJam || replayed !== null,
      lookaheadFrames: settings.lookahead_beats * FRAMES_PER_BEAT,
      commitFrames: settings.commit_beats * FRAMES_PER_BEAT,
      chords: replayed?.chords ?? (isJam ? this.#chords() : []),
      notes: this.#notes(nowS - SEEN_FRAMES * frameSeconds(bpm)),
      showChords: settings.showChords,
      calmMotion: settings.calmMotion || wantsCalm(),
      commitText: texts.commitLine,
    };
  }

  /** Notes that may still be in sight. */
  #notes(sinceS: number): NoteSpan[] {
    const recent = this.#scene.performer.performance.notes.slice(-SEEN_NOTES);
    return recent.filter(({ endS }) => endS === null || endS > sinceS);
  }

  /** Made anew when a frame begins or a plan comes, some ten times a second, and not for every picture. */
  #chords(): readonly ChordSpan[] {
    const { jam, frame } = this.#scene.performer;
    const made = this.#made;
    if (made.jam === jam && made.begun === jam.frames.length && made.plan === jam.plan && made.frame === frame) return made.spans;
    const end = jam.plan === null ? jam.frames.length : endFrame(jam.plan);
    const spans = chordSpans(jam.frames, jam.ahead(end), jam.plan?.committed_until ?? 0, frame - PAST_FRAMES);
    this.#made = { jam, begun: jam.frames.length, plan: jam.plan, frame, spans };
    return spans;
  }
}
