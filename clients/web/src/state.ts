/** What the page shows: one record, changed by the app, read by every element. Pure. */

import type { State as ConnectionState, Timing } from "sideman-client";
import type { InstrumentState, MidiState, Part, SessionRecord } from "./contracts.ts";
import { en, type Texts } from "./i18n/en.ts";
import type { Phase } from "./jam/performer.ts";
import type { KeptSession } from "./jam/record.ts";
import { type AppSettings, DEFAULTS } from "./settings.ts";

export type Dialog = "none" | "settings" | "help" | "guide" | "calibrate" | "after";

export interface Toast {
  readonly id: number;
  readonly text: string;
  readonly kind: "info" | "good" | "bad";
}

export interface Calibration {
  readonly clicked: number; // of eight
  readonly result: number | null; // ms
  readonly failed: boolean;
}

export interface AppState {
  readonly settings: AppSettings;
  readonly texts: Texts;
  readonly phase: Phase;
  readonly beatsLeft: number; // of the silence, while listening
  readonly beat: { readonly bar: number; readonly beat: number } | null;
  readonly chord: string; // "N" is none
  readonly next: { readonly symbol: string; readonly inBeats: number } | null;
  readonly connection: ConnectionState;
  readonly models: readonly string[];
  readonly roundTripMs: number | null;
  readonly p95Ms: number | null;
  readonly budgetMs: number;
  readonly timing: Timing | null;
  readonly outputMs: number;
  readonly lateFrames: number;
  readonly lateLight: boolean;
  readonly reconnects: number;
  readonly isOnPage: boolean; // no service answers: the page plans by itself
  readonly isPrepared: boolean; // it could at once
  readonly isImprovising: boolean; // no plan: the last bar repeats
  readonly midi: MidiState;
  readonly midiLight: boolean;
  readonly octave: number;
  readonly instruments: Readonly<Record<Part, InstrumentState>>;
  readonly dialog: Dialog;
  readonly toasts: readonly Toast[];
  readonly record: SessionRecord | null;
  readonly interrupted: KeptSession | null; // by a reload: can be gone on with
  readonly isReplaying: boolean;
  readonly isDemo: boolean;
  readonly isNarrow: boolean;
  readonly busy: string; // what takes a while, or ""
  readonly calibration: Calibration | null;
}

export const FIRST_STATE: AppState = {
  settings: DEFAULTS,
  texts: en,
  phase: "idle",
  beatsLeft: 0,
  beat: null,
  chord: "N",
  next: null,
  connection: "connecting",
  models: [],
  roundTripMs: null,
  p95Ms: null,
  budgetMs: 125,
  timing: null,
  outputMs: 0,
  lateFrames: 0,
  lateLight: false,
  reconnects: 0,
  isOnPage: false,
  isPrepared: false,
  isImprovising: false,
  midi: { kind: "off" },
  midiLight: false,
  octave: 4,
  instruments: { melody: "loading", chords: "loading" },
  dialog: "none",
  toasts: [],
  record: null,
  interrupted: null,
  isReplaying: false,
  isDemo: false,
  isNarrow: false,
  busy: "",
  calibration: null,
};

/** What the elements may ask for. */
export interface Actions {
  toggle(): void; // start, stop
  demo(): void;
  resume(): void;
  change(change: Partial<AppSettings>): void;
  resetSettings(): void;
  tap(): void;
  panic(): void;
  shiftOctave(by: number): void;
  openMidi(): void;
  copyLink(): void;
  show(dialog: Dialog): void;
  dismiss(toast: number): void;
  calibrate(): void;
  exportAs(kind: "midi" | "json" | "wav"): void;
  openSession(file: File): void;
  replay(): void;
  harmonize(): void;
}
