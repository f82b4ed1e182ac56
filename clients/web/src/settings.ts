/** Everything a player can choose: defaults, ranges, presets, and how it is kept and shared. Pure. */

import { DEFAULT_SETTINGS, DENSITIES, type Density, SETTING_RANGES, STYLES, type Style, VOICINGS, type Voicing } from "sideman-client";
import { INSTRUMENTS, type Instrument } from "./contracts.ts";

export const THEMES = ["system", "dark", "light", "contrast"] as const;
export const LANGUAGES = ["system", "en", "de"] as const;
export const KEY_LABELS = ["keys", "c", "all", "off"] as const;
export type Theme = (typeof THEMES)[number];
export type Language = (typeof LANGUAGES)[number];
export type KeyLabels = (typeof KEY_LABELS)[number];

export interface AppSettings {
  // of the protocol
  readonly bpm: number;
  readonly beats_per_bar: number;
  readonly model: string; // "" is the gateway's own choice
  readonly temperature: number;
  readonly lookahead_beats: number;
  readonly commit_beats: number;
  readonly silence_beats: number;
  readonly density: Density;
  readonly style: Style;
  readonly voicing: Voicing;
  // of this page
  readonly metronome: boolean;
  readonly countIn: boolean; // a bar of clicks before the grid may begin
  readonly showChords: boolean;
  readonly melodyInstrument: Instrument;
  readonly chordsInstrument: Instrument;
  readonly melodyVolume: number; // 0..1
  readonly chordsVolume: number;
  readonly metronomeVolume: number;
  readonly muted: boolean;
  readonly keyLabels: KeyLabels;
  readonly theme: Theme;
  readonly language: Language;
  readonly calmMotion: boolean; // a ladder of chords instead of falling blocks
  readonly outputOffsetMs: number; // calibrated: what the hardware adds beyond what the browser reports
  readonly midiPort: string; // "" is all ports
}

export type Setting = keyof AppSettings;
export type AppChange = Partial<AppSettings>;

/** What `configure` takes; the order in which a change is told. */
export const PROTOCOL_SETTINGS = [
  "bpm",
  "beats_per_bar",
  "model",
  "temperature",
  "lookahead_beats",
  "commit_beats",
  "silence_beats",
  "density",
  "style",
  "voicing",
] as const satisfies readonly Setting[];

export const DEFAULTS: AppSettings = {
  ...DEFAULT_SETTINGS,
  bpm: 96,
  metronome: true,
  countIn: true,
  showChords: true,
  melodyInstrument: "piano",
  chordsInstrument: "epiano",
  melodyVolume: 0.9,
  chordsVolume: 0.7,
  metronomeVolume: 0.5,
  muted: false,
  keyLabels: "keys",
  theme: "system",
  language: "system",
  calmMotion: false,
  outputOffsetMs: 0,
  midiPort: "",
};

export const RANGES: Readonly<Partial<Record<Setting, readonly [number, number]>>> = {
  ...SETTING_RANGES,
  melodyVolume: [0, 1],
  chordsVolume: [0, 1],
  metronomeVolume: [0, 1],
  outputOffsetMs: [-200, 500],
};

const WHOLE: readonly Setting[] = ["beats_per_bar", "lookahead_beats", "commit_beats", "silence_beats", "outputOffsetMs"];
const CHOICES: Readonly<Partial<Record<Setting, readonly string[]>>> = {
  density: DENSITIES,
  style: STYLES,
  voicing: VOICINGS,
  melodyInstrument: INSTRUMENTS,
  chordsInstrument: INSTRUMENTS,
  keyLabels: KEY_LABELS,
  theme: THEMES,
  language: LANGUAGES,
};
/** What a link carries: the set-up of a jam, not the habits of a person. */
const SHARED: readonly Setting[] = [...PROTOCOL_SETTINGS, "metronome", "countIn", "showChords", "melodyInstrument", "chordsInstrument"];

export type Preset = "balanced" | "calm" | "busy" | "follow" | "surprise";
export const PRESETS: Readonly<Record<Preset, AppChange>> = {
  balanced: { temperature: DEFAULTS.temperature, lookahead_beats: 4, commit_beats: 2, density: "unspecified" },
  calm: { temperature: 0.5, lookahead_beats: 8, commit_beats: 4, density: "calm" },
  busy: { temperature: 0.8, lookahead_beats: 4, commit_beats: 1, density: "busy" },
  follow: { temperature: 0.6, lookahead_beats: 4, commit_beats: 0, density: "unspecified" },
  surprise: { temperature: 1.4, lookahead_beats: 4, commit_beats: 2, density: "lively" },
};

/** The preset these settings are, if they are one. */
export function presetOf(settings: AppSettings): Preset | null {
  const names = Object.keys(PRESETS) as Preset[];
  return names.find((name) => Object.entries(PRESETS[name]).every(([key, value]) => settings[key as Setting] === value)) ?? null;
}

/** The settings after a change; values out of range go to the nearest one, lookahead and commit move each other (S2). */
export function changed(settings: AppSettings, change: AppChange): AppSettings {
  const next = { ...settings, ...accepted(change) };
  if (next.commit_beats <= next.lookahead_beats) return next;
  return change.commit_beats === undefined
    ? { ...next, commit_beats: next.lookahead_beats }
    : { ...next, lookahead_beats: next.commit_beats };
}

/** The part of the protocol in which two settings differ. */
export function protocolChange(before: AppSettings | null, after: AppSettings): AppChange {
  const entries = PROTOCOL_SETTINGS.filter((name) => before === null || before[name] !== after[name]).map((name) => [name, after[name]]);
  return Object.fromEntries(entries.filter(([name, value]) => name !== "model" || value !== ""));
}

/** What was kept by `JSON.stringify`, as far as it can still be used. */
export function restored(text: string | null): AppSettings {
  try {
    const kept: unknown = JSON.parse(text ?? "{}");
    return typeof kept === "object" && kept !== null ? changed(DEFAULTS, kept as AppChange) : DEFAULTS;
  } catch {
    return DEFAULTS;
  }
}

/** The hash of a link to this set-up: only what differs from the defaults. */
export function toHash(settings: AppSettings): string {
  const told = SHARED.filter((name) => settings[name] !== DEFAULTS[name]).map((name) => [name, String(settings[name])]);
  return new URLSearchParams(told as string[][]).toString();
}

/** What a link's hash sets; null if it sets nothing. A link means all of its set-up, so what it leaves out is as by default. */
export function fromHash(hash: string): AppChange | null {
  const told = new URLSearchParams(hash.replace(/^#/, ""));
  const change: Record<string, unknown> = {};
  for (const name of SHARED) {
    const text = told.get(name);
    if (text === null) continue;
    const kind = typeof DEFAULTS[name];
    change[name] = kind === "number" ? Number(text) : kind === "boolean" ? text === "true" : text;
  }
  if (Object.keys(change).length === 0) return null;
  return { ...Object.fromEntries(SHARED.map((name) => [name, DEFAULTS[name]])), ...accepted(change as AppChange) };
}

/** The entries of a change that are of a known name and of the right type, numbers brought into range. */
function accepted(change: AppChange): AppChange {
  const entries = Object.entries(change) as [Setting, unknown][];
  return Object.fromEntries(
    entries.flatMap(([name, value]) => {
      const fit = fitting(name, value);
      return fit === undefined ? [] : [[name, fit]];
    }),
  );
}

function fitting(name: Setting, value: unknown): unknown {
  const usual = DEFAULTS[name];
  if (usual === undefined || typeof value !== typeof usual) return undefined;
  if (typeof value === "string") return CHOICES[name]?.includes(value) === false ? undefined : value;
  if (typeof value !== "number") return value;
  const [low, high] = RANGES[name] ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  if (!Number.isFinite(value)) return undefined;
  return Math.min(high, Math.max(low, WHOLE.includes(name) ? Math.round(value) : value));
}
