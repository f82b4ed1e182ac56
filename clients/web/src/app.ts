/** Joins everything: inputs to sound and jam, jam to stage, gateway to both, and tells the store what to show. Shell. */

import { type Change, FRAMES_PER_BEAT, NO_CHORD, type SidemanClient } from "sideman-client";
import { calibrate } from "./calibrating.ts";
import { AudioClock } from "./clock.ts";
import type { KeyboardInput, MidiInput, NoteInput, Sound } from "./contracts.ts";
import { languageCode, textsFor } from "./i18n/texts.ts";
import { createKeyboardInput } from "./input/keys.ts";
import { createMidiInput } from "./input/midi.ts";
import { createPointerInput } from "./input/pointer.ts";
import { DEMO_BPM, Demo } from "./jam/demo.ts";
import { frameSeconds } from "./jam/grid.ts";
import { Performer, type Phase } from "./jam/performer.ts";
import { interruptedJam, isFirstVisit, keepJam, linkTo, loadSettings, saveSettings } from "./keep.ts";
import { TapTempo } from "./latency.ts";
import { Link } from "./link.ts";
import { Picture } from "./picture.ts";
import { Sessions } from "./sessions.ts";
import { type AppChange, type AppSettings, changed, DEFAULTS, protocolChange } from "./settings.ts";
import { createSound } from "./sound/sound.ts";
import type { Stage } from "./stage/stage.ts";
import { type Actions, type AppState, type Dialog, FIRST_STATE, type Toast } from "./state.ts";
import { Store } from "./store.ts";
import { applyTheme, onSystemChange } from "./theme.ts";

const NO_SOUND_MS = 2_000;
const TOAST_MS = 6_000;
const PREVIEW_S = 0.7;
const LATE_LIGHT_MS = 600;
const MIDI_LIGHT_S = 0.25;

export class App implements Actions {
  readonly store = new Store<AppState>({ ...FIRST_STATE, settings: loadSettings() });
  readonly context = new AudioContext({ latencyHint: "interactive" });
  readonly clock = new AudioClock(this.context);
  readonly sound: Sound = createSound(this.context, { assets: "instruments/" });
  readonly client: SidemanClient;
  readonly performer: Performer;
  readonly keyboard: KeyboardInput;
  readonly midi: MidiInput;
  readonly picture: Picture;
  readonly #link: Link;
  readonly #sessions: Sessions;
  readonly #taps = new TapTempo();
  #demo: Demo | null = null;
  #nextToast = 1;

  constructor(stage: Stage, playable: readonly HTMLElement[]) {
    const { settings } = this.store.state;
    this.#link = new Link(
      this.store,
      (text, kind) => this.say(text, kind),
      (message) => this.performer.receive(message, this.clock.nowS()),
    );
    this.client = this.#link.client;
    this.performer = new Performer(this.client, this.sound, settings);
    this.performer.onPhase = (phase) => this.#entered(phase);
    this.keyboard = createKeyboardInput(window, this.play, this.clock);
    this.midi = createMidiInput(navigator, this.play, this.clock);
    this.picture = new Picture(this, stage);
    this.#sessions = new Sessions(this);
    const pitchAt = (x: number, y: number) => stage.pitchAt(x, y);
    for (const input of [this.keyboard, this.midi, ...playable.map((each) => createPointerInput(each, pitchAt, this.play, this.clock))]) {
      input.attach();
    }
    this.#listen(stage);
    this.#applySettings(settings, null);
    if (isFirstVisit()) this.show("guide");
  }

  get #texts() {
    return this.store.state.texts;
  }

  /** Every note of every input comes through here; it sounds before anything else is done with it. */
  readonly play = (note: NoteInput): void => {
    if (note.on) this.sound.noteOn(note.pitch, note.velocity);
    else this.sound.noteOff(note.pitch);
    if (this.context.state !== "running") void this.wake();
    this.performer.note(note);
    this.picture.note(note);
    if (note.source === "midi") this.store.set({ midiLight: true });
  };

  toggle(): void {
    if (this.store.state.isReplaying) this.#sessions.stopReplay();
    else if (this.performer.phase === "idle") void this.#start();
    else this.#stop();
  }

  demo(): void {
    if (this.performer.phase !== "idle") this.#stop();
    this.#demo = new Demo();
    if (this.store.state.settings.bpm !== DEMO_BPM) this.change({ bpm: DEMO_BPM, beats_per_bar: 4 });
    this.store.set({ isDemo: true, dialog: "none" });
    void this.#start();
  }

  resume(): void {
    void this.#resume();
  }

  change(change: AppChange): void {
    const before = this.store.state.settings;
    const settings = changed(before, change);
    this.store.set({ settings });
    saveSettings(settings);
    this.performer.configure(settings, this.clock.nowS());
    this.#applySettings(settings, before);
    this.#link.configureSoon(protocolChange(before, settings) as Change);
  }

  resetSettings(): void {
    this.change({ ...DEFAULTS, language: this.store.state.settings.language });
  }

  tap(): void {
    const bpm = this.#taps.tap(performance.now());
    if (bpm !== null) this.change({ bpm });
  }

  panic(): void {
    for (const input of [this.keyboard, this.midi]) input.releaseAll();
    this.sound.allNotesOff();
    this.picture.lights.clear();
  }

  /** Ends every note that a demo or a replay holds down, on the stage and in the ear. */
  liftAll(): void {
    const timeS = this.clock.nowS();
    for (const pitch of [...this.picture.lights]) this.play({ pitch, velocity: 1, on: false, timeS, source: "demo" });
  }

  shiftOctave(by: number): void {
    this.keyboard.shiftOctave(by);
  }

  openMidi(): void {
    void this.midi.open().then((midi) => this.store.set({ midi }));
  }

  copyLink(): void {
    void navigator.clipboard.writeText(linkTo(this.store.state.settings)).then(() => this.say(this.#texts.shared, "good"));
  }

  show(dialog: Dialog): void {
    this.store.set({ dialog });
  }

  say(text: string, kind: Toast["kind"] = "info"): void {
    const toast = { id: this.#nextToast++, text, kind };
    this.store.set({ toasts: [...this.store.state.toasts.filter((other) => other.text !== text), toast].slice(-3) });
    setTimeout(() => this.dismiss(toast.id), TOAST_MS);
  }

  dismiss(id: number): void {
    this.store.set({ toasts: this.store.state.toasts.filter((toast) => toast.id !== id) });
  }

  calibrate(): void {
    void this.#calibrate();
  }

  exportAs(kind: "midi" | "json" | "wav"): void {
    void this.#sessions.exportAs(kind);
  }

  openSession(file: File): void {
    void this.#sessions.open(file);
  }

  replay(): void {
    void this.#sessions.replay();
  }

  harmonize(): void {
    void this.#sessions.harmonize();
  }

  /** Called every few milliseconds. */
  advance(): void {
    if (this.context.state !== "running") return;
    const nowS = this.clock.nowS();
    if (this.#demo !== null && this.performer.grid !== null) {
      for (const note of this.#demo.due(this.performer.grid, nowS)) this.play(note);
      if (this.#demo.isOver && this.performer.phase === "playing") this.#endDemoLater();
    }
    this.performer.advance(nowS);
    this.#sessions.advance(nowS);
  }

  /** Lets the page sound: browsers want a gesture first, and some never answer. */
  async wake(): Promise<void> {
    const resumed = this.context.resume().then(() => true);
    const isIn = await Promise.race([resumed, new Promise<boolean>((resolve) => setTimeout(() => resolve(false), NO_SOUND_MS))]);
    if (!isIn && this.context.state !== "running") this.say(this.#texts.noSound, "bad");
  }

  async #start(): Promise<void> {
    await this.wake();
    if (this.context.state !== "running") return;
    this.store.set({ dialog: "none", record: null, interrupted: null });
    this.performer.start(this.clock.nowS());
    if (this.client.state !== "open") this.say(this.#texts.noServer);
  }

  async #resume(): Promise<void> {
    const { interrupted } = this.store.state;
    await this.wake();
    if (interrupted === null || this.context.state !== "running") return;
    this.store.set({ interrupted: null, dialog: "none" });
    this.performer.resume(interrupted, this.clock.nowS());
  }

  #stop(): void {
    keepJam(null);
    if (this.#demo !== null) this.liftAll();
    const record = this.performer.stop(this.clock.nowS());
    this.#demo = null;
    this.store.set({ isDemo: false, record, ...(record !== null && { dialog: "after" }) });
  }

  #endDemoLater(): void {
    this.#demo = null;
    setTimeout(() => {
      if (this.store.state.isDemo) this.#stop();
    }, 1_500);
  }

  #entered(phase: Phase): void {
    this.store.set({ phase, lateFrames: 0, chord: NO_CHORD, next: null });
    if (phase === "idle") this.store.set({ beat: null, isImprovising: false });
  }

  #applySettings(settings: AppSettings, before: AppSettings | null): void {
    const differs = (name: keyof AppSettings) => before === null || before[name] !== settings[name];
    for (const part of ["melody", "chords"] as const) {
      if (differs(`${part}Instrument`)) void this.#load(part, settings).then(() => before !== null && this.#preview(part));
    }
    const loud = settings.muted ? 0 : 1;
    this.sound.setVolume("master", loud);
    this.sound.setVolume("melody", settings.melodyVolume);
    this.sound.setVolume("chords", settings.chordsVolume);
    this.sound.setVolume("metronome", settings.metronomeVolume);
    this.sound.calibrationS = settings.outputOffsetMs / 1000;
    if (differs("midiPort")) this.midi.choose(settings.midiPort || null);
    if (differs("language")) {
      this.store.set({ texts: textsFor(settings.language, navigator.languages) });
      document.documentElement.lang = languageCode(settings.language, navigator.languages);
    }
    if (differs("theme")) {
      applyTheme(settings.theme);
      this.picture.repaint();
    }
    this.store.set({ budgetMs: frameSeconds(settings.bpm) * 1000 });
  }

  async #calibrate(): Promise<void> {
    await this.wake();
    const shown = { clicked: 0, result: null, failed: false };
    this.store.set({ calibration: shown });
    const result = await calibrate(this.sound, this.clock, (clicked) => this.store.set({ calibration: { ...shown, clicked } }));
    this.store.set({ calibration: { clicked: 0, result, failed: result === null } });
    if (result !== null) this.change({ outputOffsetMs: result });
  }

  async #load(part: "melody" | "chords", settings: AppSettings): Promise<void> {
    await this.sound.setInstrument(part, part === "melody" ? settings.melodyInstrument : settings.chordsInstrument).catch(() => {
      this.say(this.#texts.instrumentFailed, "bad");
    });
  }

  /** A taste of an instrument that was just chosen, while nothing else plays. */
  #preview(part: "melody" | "chords"): void {
    if (this.performer.phase !== "idle" || this.store.state.isReplaying || this.context.state !== "running") return;
    const nowS = this.context.currentTime;
    if (part === "chords") {
      const chord = { timeS: nowS, pitches: [48, 60, 64, 67], velocity: 78 };
      this.sound.followChords([chord, { timeS: nowS + PREVIEW_S, pitches: [], velocity: 78 }]);
    } else {
      this.sound.noteOn(72, 84, nowS);
      this.sound.noteOff(72, nowS + PREVIEW_S);
    }
  }

  #listen(stage: Stage): void {
    this.sound.onInstrument = (part, state) => this.store.set({ instruments: { ...this.store.state.instruments, [part]: state } });
    this.midi.onState = (midi) => this.store.set({ midi });
    this.keyboard.onOctave = (octave) => {
      stage.showHandsFrom(12 * (octave + 1));
      this.store.set({ octave });
    };
    this.store.set({ octave: this.keyboard.octave });
    stage.onResize = () => this.store.set({ isNarrow: stage.isNarrow });
    this.store.set({ isNarrow: stage.isNarrow });
    onSystemChange(() => {
      applyTheme(this.store.state.settings.theme);
      this.picture.repaint();
    });
    addEventListener("pagehide", () => {
      if (this.performer.phase !== "idle") keepJam(this.performer.kept(this.clock.nowS()));
      this.client.leave();
    });
    addEventListener("pageshow", (event) => event.persisted && location.reload()); // a page from the back button has said goodbye
    void mayUseMidi().then((may) => may && this.openMidi());
    void interruptedJam().then((interrupted) => this.store.set({ interrupted }));
    setInterval(() => this.#tell(), 50);
  }

  /** What changes from beat to beat; told a few times a second, so that nothing is drawn twice for one frame. */
  #tell(): void {
    const { performer } = this;
    const lastMidiS = this.midi.lastMessageS;
    const midiLight = lastMidiS !== null && this.clock.nowS() - lastMidiS < MIDI_LIGHT_S;
    this.store.set({ midiLight, outputMs: Math.round(this.sound.outputDelayS() * 1000) });
    if (this.store.state.isReplaying) this.store.set(this.picture.told());
    if (performer.phase === "idle" || performer.grid === null) return;
    const lateFrames = performer.jam.lateFrames;
    if (lateFrames > this.store.state.lateFrames) this.#lightLate();
    const newest = performer.jam.frames.at(-1);
    const isImprovising = newest !== undefined && !newest.planned && newest.symbol !== NO_CHORD && this.#isFarBehind();
    if (isImprovising && !this.store.state.isImprovising) this.say(this.#texts.fallback);
    this.store.set({ lateFrames, isImprovising, beatsLeft: Math.ceil(performer.silenceLeft / FRAMES_PER_BEAT), ...this.picture.told() });
  }

  #isFarBehind(): boolean {
    const { jam, barFrames } = this.performer;
    return jam.frames.length - jam.frames.findLastIndex((each) => each.planned) > barFrames;
  }

  #lightLate(): void {
    this.store.set({ lateLight: true });
    setTimeout(() => this.store.set({ lateLight: false }), LATE_LIGHT_MS);
  }
}

/** Whether MIDI was allowed on an earlier visit, so that nobody has to be asked again. */
async function mayUseMidi(): Promise<boolean> {
  try {
    return (await navigator.permissions.query({ name: "midi" as PermissionName })).state === "granted";
  } catch {
    return false; // a browser that knows no such permission asks when MIDI is opened
  }
}
