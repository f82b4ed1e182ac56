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
        ${this.#lamps()}
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

  #lamps(): TemplateResult {
    const { state } = this;
    const { texts, roundTripMs, budgetMs } = state;
    const connection = state.isOnPage ? "page" : state.connection;
    const share = roundTripMs === null ? 0 : roundTripMs / budgetMs;
    return html`<details class="latency" data-connection=${connection}>
      <summary title="${texts.latency}">
        <span class="hidden">${texts.latency}</span>
        <span class="lamp connection" role="img" aria-label=${texts.connection[connection]} title=${texts.connection[connection]}></span>
        <span class="meter" data-level=${share > 1 ? "over" : share > 0.6 ? "high" : "fine"}><span class="fill" .style=${`inline-size:${Math.min(1, share) * 100}%`}></span></span>
        <span class="value">${roundTripMs === null ? "–" : roundTripMs.toFixed(roundTripMs < 10 ? 1 : 0)} ms</span>
        <span class="lamp late" role="img" data-lit=${state.lateLight} aria-label=${texts.lateFrames(state.lateFrames)}
          title=${texts.lateFrames(state.lateFrames)}></span>
        <span class="lamp midi" role="img" aria-label=${texts.midi} data-lit=${state.midiLight} data-ready=${state.midi.kind === "ready"} title=${texts.midi}></span>
      </summary>
      ${this.#details()}
    </details>`;
  }

  #details(): TemplateResult {
    const { texts, roundTripMs, p95Ms, budgetMs, timing, outputMs, lateFrames, reconnects } = this.state;
    const ms = (value: number | null | undefined) => (value == null ? "–" : `${value.toFixed(1)} ms`);
    const rows: readonly (readonly [string, string])[] = [
      [texts.details.last, ms(roundTripMs)],
      [texts.details.p95, ms(p95Ms)],
      [texts.details.budget, ms(budgetMs)],
      [texts.details.gateway, ms(timing?.gateway_ms)],
      [texts.details.queue, ms(timing?.queue_ms)],
      [texts.details.device, ms(timing?.device_ms)],
      [texts.details.output, `${outputMs} ms`],
      [texts.details.late, String(lateFrames)],
      [texts.details.reconnects, String(reconnects)],
    ];
    return html`<dl class="popover">${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
  }
}
