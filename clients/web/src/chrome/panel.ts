/** All settings, in a panel that leaves the stage in sight so that they can be tried while playing. Shell. */

import { html, nothing, type TemplateResult } from "lit";
import type { MidiState } from "../contracts.ts";
import { choice, flag, instrument, metre, model, options, type Panel, preset, slider, tempo } from "./controls.ts";
import { JamElement } from "./element.ts";
import { icons } from "./icons.ts";

export class JamPanel extends JamElement {
  protected override render(): TemplateResult | typeof nothing {
    const { state, actions } = this;
    if (state.dialog !== "settings") return nothing;
    const { texts } = state;
    const panel: Panel = { state, actions, place: "panel" };
    return html`<aside class="panel" aria-label=${texts.settings} @keydown=${(event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      actions.show("none");
    }}>
      <header><h2>${texts.settings}</h2>
        <button class="icon" aria-label=${texts.close} @click=${() => actions.show("none")}>${icons.close}</button></header>
      <section><h3>${texts.sectionJam}</h3>
        ${tempo(panel)} ${metre(panel)} ${flag(panel, "metronome", texts.metronome)} ${flag(panel, "countIn", texts.countIn)}
        ${slider(panel, "silence_beats", texts.silence)} ${slider(panel, "lookahead_beats", texts.lookahead)}
        ${slider(panel, "commit_beats", texts.commit)} ${flag(panel, "showChords", texts.showChords)}
      </section>
      <section><h3>${texts.sectionModel}</h3>
        ${preset(panel)} ${model(panel)} ${slider(panel, "temperature", texts.temperature, 0.1)}
        ${choice(panel, "density", texts.density, options(texts.densities))} ${choice(panel, "style", texts.style, options(texts.styles))}
        ${choice(panel, "voicing", texts.voicing, options(texts.voicings))}
      </section>
      <section><h3>${texts.sectionSound}</h3>
        ${instrument(panel, "melody")} ${slider(panel, "melodyVolume", texts.melodyVolume, 0.05)}
        ${instrument(panel, "chords")} ${slider(panel, "chordsVolume", texts.chordsVolume, 0.05)}
        ${slider(panel, "metronomeVolume", texts.metronomeVolume, 0.05)} ${flag(panel, "muted", texts.mute)}
        <div class="buttons"><button @click=${() => actions.panic()}>${texts.panic}</button>
          <button @click=${() => actions.show("calibrate")}>${texts.calibrate}</button></div>
      </section>
      <section><h3>${texts.sectionInput}</h3>${this.#midi(state.midi)}
        ${choice(panel, "keyLabels", texts.keyLabels, options(texts.labels))}
        <div class="octave" role="group" aria-label=${texts.octave}><span class="name">${texts.octave}</span>
          <button class="icon" aria-label=${texts.octaveDown} @click=${() => actions.shiftOctave(-1)}>${icons.minus}</button>
          <output>C${state.octave}</output>
          <button class="icon" aria-label=${texts.octaveUp} @click=${() => actions.shiftOctave(1)}>${icons.plus}</button></div>
      </section>
      <section><h3>${texts.sectionLook}</h3>
        ${choice(panel, "theme", texts.theme, options(texts.themes))}
        ${choice(panel, "language", texts.languageSetting, [
          ["system", texts.systemLanguage],
          ["en", "English"],
          ["de", "Deutsch"],
        ])}
        ${flag(panel, "calmMotion", texts.calmMotion)}
        <div class="buttons"><button @click=${() => actions.copyLink()}>${texts.share}</button>
          <button @click=${() => actions.resetSettings()}>${texts.reset}</button>
          <button @click=${() => actions.show("guide")}>${texts.guideTitle}</button>
          <button @click=${() => actions.show("help")}>${texts.shortcuts}</button></div>
        ${this.#open()}
        <p class="note"><a href="licences.txt">${texts.licences}</a> · <a href="instruments/LICENCE.md">${texts.soundLicence}</a></p>
      </section>
    </aside>`;
  }

  #midi(midi: MidiState): TemplateResult {
    const { texts, midiLight, settings } = this.state;
    if (midi.kind === "unsupported") return html`<p class="note">${texts.midiUnsupported}</p>`;
    if (midi.kind === "off" || midi.kind === "refused") {
      return html`${midi.kind === "refused" ? html`<p class="note">${texts.midiRefused}</p>` : nothing}
        <div class="buttons"><button data-action="midi" @click=${() => this.actions.openMidi()}>${texts.midiOpen}</button></div>`;
    }
    if (midi.ports.length === 0) return html`<p class="note">${texts.midiNone}</p>`;
    return html`<label class="choice"><span class="name">${texts.midi} · ${texts.midiReady(midi.ports.length)}</span>
      <select data-setting="midiPort" @change=${(event: Event) => this.actions.change({ midiPort: (event.currentTarget as HTMLSelectElement).value })}>
        <option value="">${texts.midiAll}</option>
        ${midi.ports.map((port) => html`<option value=${port.id} ?selected=${port.id === settings.midiPort}>${port.name}</option>`)}</select></label>
      ${midiLight ? nothing : html`<p class="note">${texts.midiQuiet}</p>`}`;
  }

  #open(): TemplateResult {
    return html`<label class="file"><span>${this.state.texts.open}</span>
      <input type="file" accept=".json,application/json" @change=${(event: Event) => {
        const input = event.currentTarget as HTMLInputElement;
        const file = input.files?.[0];
        if (file !== undefined) this.actions.openSession(file);
        input.value = "";
      }} /></label>`;
  }
}
