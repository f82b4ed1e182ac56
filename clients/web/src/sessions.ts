/** What can be done with a jam that is over: replay, files, new chords for its melody. Shell. */

import { type ChordRun, NO_CHORD } from "sideman-client";
import { replayTimeline } from "./after/replay.ts";
import type { App } from "./app.ts";
import type { NoteInput, ReplayTimeline, SessionRecord } from "./contracts.ts";
import { Grid } from "./jam/grid.ts";
import type { ChordSpan } from "./stage/scene.ts";

const REPLAY_IN_S = 0.3;

interface Replay {
  readonly timeline: ReplayTimeline;
  readonly notes: NoteInput[]; // still to be played, in order of time
}

export class Sessions {
  readonly #app: App;
  #replay: Replay | null = null;

  constructor(app: App) {
    this.#app = app;
  }

  /** Plays the record again, on the stage too. */
  async replay(): Promise<void> {
    const { record } = this.#app.store.state;
    if (record === null) return;
    await this.#app.wake();
    const atS = this.#app.clock.nowS() + REPLAY_IN_S;
    const timeline = replayTimeline(record, 0, atS);
    this.#replay = { timeline, notes: notesOf(timeline) };
    this.#app.sound.followChords(timeline.strikes);
    this.#app.picture.replayed = { grid: Grid.of(record.tempo, atS), chords: spansOf(record), metre: record.metre };
    this.#app.store.set({ isReplaying: true, dialog: "none" });
  }

  stopReplay(): void {
    this.#replay = null;
    this.#app.liftAll();
    this.#app.panic();
    this.#app.picture.replayed = null;
    this.#app.store.set({ isReplaying: false, dialog: "after" });
  }

  /** Called every few milliseconds. */
  advance(nowS: number): void {
    const replay = this.#replay;
    if (replay === null) return;
    while (replay.notes[0] !== undefined && replay.notes[0].timeS <= nowS) this.#app.play(replay.notes.shift() as NoteInput);
    if (nowS > replay.timeline.endS) this.stopReplay();
  }

  async exportAs(kind: "midi" | "json" | "wav"): Promise<void> {
    const { record } = this.#app.store.state;
    if (record === null) return;
    const name = `sideman-${record.startedAt.slice(0, 16).replace("T", "-").replace(":", "")}`;
    if (kind === "midi") {
      const { toMidi } = await import("./after/midi_file.ts");
      save(new Blob([toMidi(record)], { type: "audio/midi" }), `${name}.mid`);
    } else if (kind === "json") {
      const { toJson } = await import("./after/session.ts");
      save(new Blob([toJson(record)], { type: "application/json" }), `${name}.json`);
    } else {
      save(await this.#render(record), `${name}.wav`);
    }
  }

  async open(file: File): Promise<void> {
    const { parseSession, SessionUnreadable } = await import("./after/session.ts");
    try {
      this.#app.store.set({ record: parseSession(await file.text()), dialog: "after" });
    } catch (problem) {
      if (!(problem instanceof SessionUnreadable)) throw problem;
      this.#app.say(this.#app.store.state.texts.openFailed + problem.message, "bad");
    }
  }

  /** New chords under the melody of the record, from the model that hears all of it first (W). */
  async harmonize(): Promise<void> {
    const { record, texts } = this.#app.store.state;
    if (record === null || record.melody.length === 0) return this.#app.say(texts.emptyMelody);
    const onProgress = (decided: number, all: number) => this.#busy(texts.harmonizing(Math.round((100 * decided) / all)));
    onProgress(0, record.frames);
    try {
      const barLine = record.metre.at(-1)?.frame ?? 0;
      const chords = await this.#app.client.harmonize(record.melody, record.frames, { barLine, onProgress });
      this.#app.store.set({ record: { ...record, chords: chords.map(soundedChord) } });
      this.#app.say(texts.harmonized, "good");
    } catch (problem) {
      this.#app.say(texts.harmonizeFailed + (problem instanceof Error ? problem.message : String(problem)), "bad");
    } finally {
      this.#busy("");
    }
  }

  async #render(record: SessionRecord): Promise<Blob> {
    const { settings, texts } = this.#app.store.state;
    this.#busy(texts.exporting);
    try {
      const { toWav } = await import("./after/wav.ts");
      const volumes = { melody: settings.melodyVolume, chords: settings.chordsVolume };
      const onProgress = (share: number) => this.#busy(`${texts.exporting} ${Math.round(100 * share)} %`);
      return await toWav(record, { assets: "instruments/", volumes, onProgress });
    } finally {
      this.#busy("");
    }
  }

  #busy(busy: string): void {
    this.#app.store.set({ busy });
  }
}

function notesOf(timeline: ReplayTimeline): NoteInput[] {
  const source = "demo";
  return timeline.notes
    .flatMap(({ pitch, velocity, atS, untilS }): NoteInput[] => [
      { pitch, velocity, on: true, timeS: atS, source },
      { pitch, velocity, on: false, timeS: untilS, source },
    ])
    .sort((a, b) => a.timeS - b.timeS || Number(a.on) - Number(b.on));
}

function spansOf(record: SessionRecord): ChordSpan[] {
  return record.chords
    .filter((chord) => chord.symbol !== NO_CHORD)
    .map(({ start, length, symbol, pitches }) => ({ start, end: start + length, symbol, pitches, committed: true }));
}

function soundedChord({ start, length, symbol, pitches, onset }: ChordRun): SessionRecord["chords"][number] {
  return { start, length, symbol, pitches, onset };
}

function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000); // the browser has begun to read it by then
}
