/** The control bar at the top. Shell. */

import { html, type TemplateResult } from "lit";
import { flag, instrument, metre, model, type Panel, preset, pressed, slider, tempo } from "./controls.ts";
import { JamElement } from "./element.ts";
import { icons } from "./icons.ts";

export class JamBar extends JamElement {
  protected override render(): TemplateResult {
    const { state, actions } = this;
    const { texts, settings } = state;
    const panel: Panel = { state, actions, place: "bar" };
    const isOn = state.phase !== "idle" || state.isReplaying;
    return html`<header class="bar">
      <div class="row first">
        <h1>${texts.title}</h1>
        <button class="go" data-action="toggle" aria-pressed=${isOn} title=${texts.startHint} @click=${() => actions.toggle()}>
          ${isOn ? icons.stop : icons.play}<span>${isOn ? texts.stop : texts.start}</span></button>
        ${tempo(panel)} ${metre(panel)} ${pressed(panel, "metronome", texts.metronome, icons.metronome)}
        <span class="wide wider">${preset(panel)}</span>
        <span class="wide">${instrument(panel, "melody")}</span>
        <span class="wide">${instrument(panel, "chords")}</span>
        <span class="space"></span>
        <jam-lamps .host=${this.host}></jam-lamps>
        <button class="icon wide" aria-pressed=${settings.muted} aria-label=${texts.mute} title=${texts.mute}
          @click=${() => actions.change({ muted: !settings.muted })}>${settings.muted ? icons.muted : icons.sound}</button>
        <button class="icon wide" aria-label=${texts.shortcuts} title=${texts.shortcuts} @click=${() => actions.show("help")}>${icons.help}</button>
        <button class="icon" data-action="settings" aria-label=${texts.settings} title=${texts.settings} aria-expanded=${state.dialog === "settings"}
          @click=${() => actions.show(state.dialog === "settings" ? "none" : "settings")}>${icons.settings}</button>
      </div>
      <div class="row second">
        ${slider(panel, "silence_beats", texts.silence)} ${slider(panel, "lookahead_beats", texts.lookahead)}
        ${slider(panel, "commit_beats", texts.commit)} ${slider(panel, "temperature", texts.temperature, 0.1)}
        ${model(panel)} ${flag(panel, "showChords", texts.showChords)}
      </div>
    </header>`;
  }
}
