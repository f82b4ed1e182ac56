/** One control per setting, the same in the bar and in the panel. Pure templates. */

import { html, nothing, type TemplateResult } from "lit";
import { INSTRUMENTS, type Part } from "../contracts.ts";
import { PRESETS, type Preset, presetOf, RANGES, type Setting } from "../settings.ts";
import type { Actions, AppState } from "../state.ts";
import { icons } from "./icons.ts";

export interface Panel {
  readonly state: Readonly<AppState>;
  readonly actions: Actions;
  readonly place: "bar" | "panel"; // names differ, so that no two controls share one
}

type NumberSetting =
  | "silence_beats"
  | "lookahead_beats"
  | "commit_beats"
  | "temperature"
  | "melodyVolume"
  | "chordsVolume"
  | "metronomeVolume";
type FlagSetting = "metronome" | "countIn" | "showChords" | "muted" | "calmMotion";

/** A slider with its value. */
export function slider(panel: Panel, name: NumberSetting, label: string, step = 1): TemplateResult {
  const { state, actions } = panel;
  const [low, high] = RANGES[name] ?? [0, 1];
  const value = state.settings[name];
  const shown = name.endsWith("Volume") ? `${Math.round(value * 100)} %` : step < 1 ? value.toFixed(1) : state.texts.beats(value);
  return html`<label class="slider"><span class="name">${label}</span>
    <input type="range" data-setting=${name} min=${low} max=${high} step=${step} .value=${String(value)}
      @input=${(event: Event) => actions.change({ [name]: Number(chosenIn(event)) })} @change=${letGo} />
    <output>${shown}</output></label>`;
}

/** A list of choices. */
export function choice(panel: Panel, name: Setting, label: string, options: readonly (readonly [string, string])[]): TemplateResult {
  const { state, actions } = panel;
  return html`<label class="choice"><span class="name">${label}</span>
    <select data-setting=${name} @change=${(event: Event) => {
      actions.change({ [name]: chosenIn(event) });
      letGo(event);
    }}>${options.map(([value, text]) => html`<option value=${value} ?selected=${value === String(state.settings[name])}>${text}</option>`)}</select></label>`;
}

/** A switch with a label. */
export function flag(panel: Panel, name: FlagSetting, label: string): TemplateResult {
  const { state, actions } = panel;
  return html`<label class="flag"><input type="checkbox" role="switch" data-setting=${name} .checked=${state.settings[name]}
      @change=${() => actions.change({ [name]: !state.settings[name] })} /><span class="name">${label}</span></label>`;
}

/** A round button that stays down. */
export function pressed(panel: Panel, name: FlagSetting, label: string, icon: TemplateResult): TemplateResult {
  const { state, actions } = panel;
  return html`<button class="icon" data-setting=${name} aria-pressed=${state.settings[name]} aria-label=${label} title=${label}
    @click=${() => actions.change({ [name]: !state.settings[name] })}>${icon}</button>`;
}

/** Tempo: number, steps, wheel and tap. */
export function tempo(panel: Panel): TemplateResult {
  const { state, actions } = panel;
  const [low, high] = RANGES.bpm ?? [20, 300];
  const { bpm } = state.settings;
  const step = (by: number) => actions.change({ bpm: Math.round(bpm) + by });
  const text = state.texts.tempo;
  return html`<div class="tempo" role="group" aria-label=${text} @wheel=${(event: WheelEvent) => {
    event.preventDefault();
    step(event.deltaY < 0 ? 1 : -1);
  }}>
    <button class="icon step" aria-label="${text} −1" @click=${() => step(-1)}>${icons.minus}</button>
    <label class="bpm"><input type="number" data-setting="bpm" aria-label=${text} min=${low} max=${high} step="1" .value=${String(Math.round(bpm * 10) / 10)}
      @change=${(event: Event) => actions.change({ bpm: Number(chosenIn(event)) || bpm })} /><span class="unit" aria-hidden="true">BPM</span></label>
    <button class="icon step" aria-label="${text} +1" @click=${() => step(1)}>${icons.plus}</button>
    <button class="tap" @click=${() => actions.tap()}>${state.texts.tap}</button>
  </div>`;
}

export function metre(panel: Panel): TemplateResult {
  const { state, actions } = panel;
  const [low, high] = RANGES.beats_per_bar ?? [2, 12];
  const beats = Array.from({ length: high - low + 1 }, (_, index) => low + index);
  return html`<label class="choice metre"><span class="name">${state.texts.metre}</span>
    <select data-setting="beats_per_bar" @change=${(event: Event) => {
      actions.change({ beats_per_bar: Number(chosenIn(event)) });
      letGo(event);
    }}>${beats.map((each) => html`<option value=${each} ?selected=${each === state.settings.beats_per_bar}>${each}/4</option>`)}</select></label>`;
}

export function preset(panel: Panel): TemplateResult {
  const { state, actions } = panel;
  const { texts } = state;
  const current = presetOf(state.settings);
  const names = Object.keys(PRESETS) as Preset[];
  return html`<label class="choice"><span class="name">${texts.preset}</span>
    <select data-setting="preset" @change=${(event: Event) => {
      actions.change(PRESETS[chosenIn(event) as Preset]);
      letGo(event);
    }}>${current === null ? html`<option selected disabled>${texts.ownPreset}</option>` : nothing}
      ${names.map((name) => html`<option value=${name} ?selected=${name === current}>${texts.presets[name]}</option>`)}</select></label>`;
}

export function instrument(panel: Panel, part: Part): TemplateResult {
  const { texts, instruments } = panel.state;
  const name = part === "melody" ? "melodyInstrument" : "chordsInstrument";
  const label = part === "melody" ? texts.melodyInstrument : texts.chordsInstrument;
  const shown = instruments[part] === "loading" ? `${label} · ${texts.loading}` : label;
  const options = INSTRUMENTS.map((each) => [each, texts.instruments[each]] as const);
  return html`<span class="instrument ${part}" data-state=${instruments[part]}>${choice(panel, name, shown, options)}</span>`;
}

export function model(panel: Panel): TemplateResult {
  const { texts, models } = panel.state;
  return choice(panel, "model", texts.model, [["", texts.modelDefault], ...models.map((name) => [name, name] as const)]);
}

/** Options of a setting whose values have texts. */
export function options<K extends string>(texts: Readonly<Record<K, string>>): (readonly [K, string])[] {
  return Object.entries(texts) as [K, string][];
}

function chosenIn(event: Event): string {
  return (event.currentTarget as HTMLInputElement | HTMLSelectElement).value;
}

/** After a choice by mouse or finger the keyboard belongs to the music again. */
function letGo(event: Event): void {
  const element = event.currentTarget as HTMLElement;
  if (!element.matches(":focus-visible") || element instanceof HTMLSelectElement) element.blur();
}
