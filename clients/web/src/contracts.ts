/**
 * What the folders of this app agree on: `input/` tells notes, `sound/` follows a timeline, `after/` reads a session record. Pure.
 *
 * Every time is in seconds of `AudioContext.currentTime`, the only clock (G2). Ranges are half-open.
 */

// ---- input ----

export type NoteSource = "midi" | "keys" | "pointer" | "demo";

/** A key of any instrument going down or up. The pedal is settled in `input/midi`: a note under it goes up when the pedal does. */
export interface NoteInput {
  readonly pitch: number; // MIDI note number, 0..127
  readonly velocity: number; // 1..127; of a release it means nothing
  readonly on: boolean;
  readonly timeS: number; // when it happened, mapped from the event's own time stamp; never in the future
  readonly source: NoteSource;
}

export type NoteSink = (note: NoteInput) => void;

/** Audio time of a `performance.now()`-style event time stamp; `nowS` is the present. Made by `clock.ts`. */
export interface EventClock {
  nowS(): number;
  ofEventS(timeStampMs: number): number;
}

/** One way to play. `attach` begins to listen, `releaseAll` lifts every key it holds down, `detach` does both in reverse. */
export interface InputDevice {
  attach(): void;
  detach(): void;
  releaseAll(): void;
}

/** The computer keyboard (`input/keys.ts`): a piano of two rows. Never plays while the focus is in a field or a modifier is down. */
export interface KeyboardInput extends InputDevice {
  readonly octave: number; // of the lowest key; 4 begins at middle C (60)
  shiftOctave(by: number): void; // keys held down keep the pitch they began with
  labels(): ReadonlyMap<number, string>; // pitch -> what is printed on that key
  onOctave: ((octave: number) => void) | null;
}

export interface MidiPort {
  readonly id: string;
  readonly name: string;
}

export type MidiState =
  | { readonly kind: "off" } // not asked for yet
  | { readonly kind: "unsupported" }
  | { readonly kind: "refused" }
  | { readonly kind: "ready"; readonly ports: readonly MidiPort[]; readonly chosen: string | null }; // chosen null: all ports

/** MIDI (`input/midi.ts`): all channels, hot-plug, velocity, sustain pedal. */
export interface MidiInput extends InputDevice {
  readonly state: MidiState;
  readonly lastMessageS: number | null; // for the activity light
  open(): Promise<MidiState>; // asks the browser; call from a click
  choose(id: string | null): void; // lifts what the port before held
  onState: ((state: MidiState) => void) | null; // also on plug and unplug
}

/** Mouse and touch (`input/pointer.ts`): every finger glides over the keys on its own. */
export type PitchAt = (clientX: number, clientY: number) => { pitch: number; velocity: number } | null;

/** What `input/` exports, besides its pure parts. */
export interface Inputs {
  createKeyboardInput(target: Window, sink: NoteSink, clock: EventClock): KeyboardInput;
  createMidiInput(navigator: Navigator, sink: NoteSink, clock: EventClock): MidiInput;
  createPointerInput(element: HTMLElement, pitchAt: PitchAt, sink: NoteSink, clock: EventClock): InputDevice;
}

// ---- sound ----

export type Part = "melody" | "chords";
export type Channel = Part | "metronome" | "master";

export const INSTRUMENTS = [
  "piano",
  "epiano",
  "organ",
  "nylon_guitar",
  "steel_guitar",
  "jazz_guitar",
  "strings",
  "pad",
  "harp",
  "vibraphone",
  "bass",
  "choir",
] as const;
export type Instrument = (typeof INSTRUMENTS)[number];

/** At `timeS` everything the chords sounded ends and these pitches begin; no pitches: only the end. It lasts until the next one. */
export interface Strike {
  readonly timeS: number;
  readonly pitches: readonly number[];
  readonly velocity: number; // 1..127
}

export interface Click {
  readonly timeS: number;
  readonly accent: boolean; // a bar begins
}

export type InstrumentState = "loading" | "ready" | "failed";

/** The sounding part of the app (`sound/sound.ts`). `noteOn` sounds at once, before any network. */
export interface Sound {
  readonly context: BaseAudioContext;
  noteOn(pitch: number, velocity: number, timeS?: number): void; // melody; without a time: now
  noteOff(pitch: number, timeS?: number): void;
  /** From now on the chords are exactly these strikes, in order of time. What already sounds and is not contradicted is left
   * alone, the same strike given again is not struck again; future strikes that are missing here are taken back. */
  followChords(strikes: readonly Strike[]): void;
  /** The same for clicks: those of the next second or two, given again and again. */
  followClicks(clicks: readonly Click[]): void;
  allNotesOff(): void; // panic: silence within 50 ms, also of what is scheduled
  /** The old one plays on until the new one is there, at first a plain tone. Rejects with one sentence when it cannot be had; the old one stays. */
  setInstrument(part: Part, instrument: Instrument): Promise<void>;
  setVolume(channel: Channel, volume: number): void; // 0..1, 0 is silent
  instrumentState(part: Part): InstrumentState;
  onInstrument: ((part: Part, state: InstrumentState) => void) | null;
  /** What the hardware adds before a sound is heard, in seconds: reported by the browser, plus the calibrated offset. */
  outputDelayS(): number;
  /** The calibrated offset: how much later than the browser reports a sound is heard; see `sound/calibration.ts`. */
  calibrationS: number;
}

export interface SoundOptions {
  readonly assets: string; // URL of the folder with the baked instruments, ending in "/"
}

/** `sound/sound.ts` exports `createSound(context, options): Sound`; what it needs of a context an OfflineAudioContext has too. */
export type CreateSound = (context: BaseAudioContext, options: SoundOptions) => Sound;

/** Tapping along to eight clicks (`sound/calibration.ts`), pure: what was clicked and tapped -> median offset, or null if too few fit. */
export type CalibratedOffsetS = (clicksS: readonly number[], tapsS: readonly number[]) => number | null;

// ---- after ----

export interface PlayedNote {
  readonly pitch: number;
  readonly velocity: number;
  readonly startS: number; // from frame 0
  readonly endS: number;
}

export interface GridNote {
  readonly start: number; // frames
  readonly length: number;
  readonly pitch: number;
}

export interface SoundedChord {
  readonly start: number; // frames
  readonly length: number;
  readonly symbol: string; // "N" is no chord
  readonly pitches: readonly number[]; // bass first
  readonly onset: boolean;
}

/** From `frame` on, which began `timeS` seconds after frame 0, a minute has `bpm` beats of four frames each. */
export interface TempoMark {
  readonly frame: number;
  readonly timeS: number;
  readonly bpm: number;
}

/** From `frame` on, a bar line, bars have so many beats. */
export interface MetreMark {
  readonly frame: number;
  readonly beatsPerBar: number;
}

/** One jam as it was: what export and replay read, and what the JSON export holds. Times count from frame 0. */
export interface SessionRecord {
  readonly format: "sideman-session";
  readonly version: 1;
  readonly startedAt: string; // ISO 8601
  readonly frames: number;
  readonly tempo: readonly TempoMark[]; // the first is frame 0
  readonly metre: readonly MetreMark[]; // the first is frame 0
  readonly notes: readonly PlayedNote[]; // as played, any number at once
  readonly melody: readonly GridNote[]; // as the model heard it, one at a time
  readonly chords: readonly SoundedChord[]; // adjoining from frame 0 to `frames`
  readonly settings: Readonly<Record<string, string | number>>; // of the protocol, at the end
  readonly instruments: Readonly<Record<Part, Instrument>>;
  readonly lateFrames: number;
}

/** What `after/` exports: `toMidi(record): Uint8Array`, `toJson(record): string`, `parseSession(text): SessionRecord` (throws
 * SessionUnreadable: expected, got, what to do), `toWav(record, options): Promise<Blob>` (offline render of the same sound). */
export interface WavOptions extends SoundOptions {
  readonly volumes: Readonly<Record<Part, number>>;
  readonly onProgress?: (share: number) => void;
}

/** `after/replay.ts`, pure: every strike and note of a record on the audio clock, for a replay that starts `fromS` into it at `atS`. */
export interface ReplayTimeline {
  readonly strikes: readonly Strike[];
  readonly notes: readonly (PlayedNote & { readonly atS: number; readonly untilS: number })[];
  readonly endS: number;
}
