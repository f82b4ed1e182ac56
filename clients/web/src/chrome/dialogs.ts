/** Guide, shortcuts, calibration, and what can be done after a jam: one modal dialog at a time. Shell. */

import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { NO_CHORD } from "sideman-client";
import { chartOf } from "../after/chart.ts";
import type { SessionRecord } from "../contracts.ts";
import type { Texts } from "../i18n/texts.ts";
import { pretty } from "../stage/symbols.ts";
import { JamElement } from "./element.ts";
import { icons } from "./icons.ts";

export class JamDialogs extends JamElement {
  protected override render(): TemplateResult | typeof nothing {
    const { dialog, texts } = this.state;
    const content = {
      guide: () => this.#guide(),
      help: () => this.#help(),
      calibrate: () => this.#calibrate(),
      after: () => this.#after(),
    };
    if (dialog === "none" || dialog === "settings") return nothing;
    const titles = { guide: texts.guideTitle, help: texts.shortcuts, calibrate: texts.calibrate, after: texts.after };
    return html`<dialog aria-labelledby="dialog-title" @close=${() => this.#closed()} @cancel=${() => this.#closed()}>
      <header><h2 id="dialog-title">${titles[dialog]}</h2>
        <button class="icon" aria-label=${texts.close} @click=${() => this.#closed()}>${icons.close}</button></header>
      ${content[dialog]()}</dialog>`;
  }

  protected override updated(changes: PropertyValues): void {
    super.updated(changes);
    const dialog = this.querySelector("dialog");
    if (dialog !== null && !dialog.open) dialog.showModal();
  }

  #closed(): void {
    if (this.state.dialog !== "settings") this.actions.show("none");
  }

  #guide(): TemplateResult {
    const { texts } = this.state;
    const steps = [
      [texts.guideInput, texts.guideInputText],
      [texts.guideTempo, texts.guideTempoText],
      [texts.guidePlay, texts.guidePlayText],
    ] as const;
    return html`<ol class="steps">${steps.map(([title, text]) => html`<li><h3>${title}</h3><p>${text}</p></li>`)}</ol>
      <footer>${
        this.state.midi.kind === "off"
          ? html`<button @click=${() => this.actions.openMidi()}>${texts.midiOpen}</button>`
          : html`<span class="note" role="status">${this.#midi()}</span>`
      }
        <button @click=${() => this.actions.demo()}>${icons.listen}<span>${texts.demo}</span></button>
        <button class="go" autofocus @click=${() => this.#closed()}>${texts.guideClose}</button></footer>`;
  }

  #midi(): string {
    const { texts, midi } = this.state;
    if (midi.kind === "ready") return midi.ports.length === 0 ? texts.midiNone : `${texts.midi}: ${texts.midiReady(midi.ports.length)}`;
    return midi.kind === "refused" ? texts.midiRefused : midi.kind === "unsupported" ? texts.midiUnsupported : "";
  }

  #help(): TemplateResult {
    const { keysHelp } = this.state.texts;
    const rows: readonly (readonly [string, keyof Texts["keysHelp"]])[] = [
      ["A – K, W – U", "play"],
      ["Z  X", "octave"],
      ["␣", "space"],
      ["Esc", "escape"],
      ["↑  ↓", "tempo"],
      ["T + ⇧", "tap"],
      ["M + ⇧", "metronome"],
      ["C + ⇧", "chords"],
      ["?", "help"],
    ];
    return html`<dl class="keys">${rows.map(([key, name]) => html`<div><dt><kbd>${key}</kbd></dt><dd>${keysHelp[name]}</dd></div>`)}</dl>`;
  }

  #calibrate(): TemplateResult {
    const { texts, calibration } = this.state;
    const result = calibration?.failed ? texts.calibrateFailed : calibration?.result != null ? texts.calibrateDone(calibration.result) : "";
    const dots = Array.from({ length: 8 }, (_, index) => index < (calibration?.clicked ?? 0));
    return html`<p>${texts.calibrateText}</p>
      <div class="beats" aria-hidden="true">${dots.map((isOn) => html`<span class="dot" data-on=${isOn}></span>`)}</div>
      <p role="status">${result}</p>
      <footer><button class="go" @click=${() => this.actions.calibrate()}>${texts.calibrateStart}</button></footer>`;
  }

  #after(): TemplateResult | typeof nothing {
    const { texts, record, busy } = this.state;
    if (record === null) return nothing;
    const isBusy = busy !== "";
    return html`<p>${texts.afterText(chartOf(record).length, numChanges(record))}</p>
      <ol class="chart" tabindex="0" aria-label=${texts.chart}>${chartOf(record).map(
        (bar) => html`<li>${bar.symbols.map((symbol) => html`<span>${symbol === NO_CHORD ? "–" : pretty(symbol)}</span>`)}</li>`,
      )}</ol>
      <div class="buttons after">
        <button class="go" data-action="replay" @click=${() => this.actions.replay()}>${icons.play}<span>${texts.replay}</span></button>
        <button data-action="harmonize" ?disabled=${isBusy} @click=${() => this.actions.harmonize()}>${texts.harmonize}</button>
        <button data-action="midi-file" @click=${() => this.actions.exportAs("midi")}>${texts.exportMidi}</button>
        <button data-action="json-file" @click=${() => this.actions.exportAs("json")}>${texts.exportJson}</button>
        <button data-action="wav-file" ?disabled=${isBusy} @click=${() => this.actions.exportAs("wav")}>${texts.exportWav}</button>
      </div>`;
  }
}

function numChanges(record: SessionRecord): number {
  return record.chords.filter((chord) => chord.onset && chord.symbol !== NO_CHORD).length;
}
