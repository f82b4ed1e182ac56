/** What sounds, what comes next and where we are, to be read from arm's length; and the same for a screen reader. Shell. */

import { html, nothing, type TemplateResult } from "lit";
import { NO_CHORD } from "sideman-client";
import { pretty, spoken } from "../stage/symbols.ts";
import { JamElement } from "./element.ts";
import { icons } from "./icons.ts";

export class JamReadout extends JamElement {
  #spoken = "";
  #spokenAtMs = 0;

  protected override render(): TemplateResult {
    const { state } = this;
    const isIdle = state.phase === "idle" && !state.isReplaying;
    return html`<div class="readout" data-phase=${isIdle ? "idle" : "jam"}>${isIdle ? this.#idle() : this.#jam()}</div>
      <p class="hidden" role="status" aria-live="polite">${this.#announcement()}</p>`;
  }

  #idle(): TemplateResult | typeof nothing {
    const { texts, dialog, interrupted } = this.state;
    if (dialog !== "none" && dialog !== "settings") return nothing;
    return html`<div class="welcome"><p class="tagline">${texts.tagline}</p>
      <p>${
        interrupted === null
          ? nothing
          : html`<button class="go big" data-action="resume" @click=${() => this.actions.resume()}>${icons.play}<span>${texts.resume}</span></button>`
      }
      <button class="go big" @click=${() => this.actions.toggle()}>${icons.play}<span>${texts.start}</span></button>
      <button class="big" data-action="demo" @click=${() => this.actions.demo()}>${icons.listen}<span>${texts.demo}</span></button></p>
      <p class="hint">${texts.startHint}</p></div>`;
  }

  #jam(): TemplateResult {
    const { texts, phase, isReplaying, beatsLeft, beat, chord, next, settings } = this.state;
    const dots = Array.from({ length: settings.beats_per_bar }, (_, index) => index + 1);
    return html`<div class="beats" aria-hidden="true">${dots.map((each) => html`<span class="dot" data-on=${beat?.beat === each} data-first=${each === 1}></span>`)}</div>
      ${phase === "armed" ? html`<p class="prompt">${texts.armed} <strong>${beat?.beat ?? ""}</strong></p>` : nothing}
      ${phase === "listening" ? html`<p class="prompt listening">${texts.listening} <strong>${beatsLeft}</strong></p>` : nothing}
      ${
        phase === "playing" || isReplaying || (phase === "listening" && next !== null)
          ? html`<div class="chords"><div class="now"><span class="caption">${texts.now}</span><span class="symbol">${chord === NO_CHORD ? "–" : pretty(chord)}</span></div>
          <div class="next"><span class="caption">${texts.next}</span><span class="symbol">${next === null ? "–" : pretty(next.symbol)}</span>
            <span class="when">${next === null ? "" : texts.inBeats(next.inBeats)}</span></div></div>`
          : nothing
      }`;
  }

  /** Chords as words, at most one every two seconds: a screen reader must keep up. */
  #announcement(): string {
    const { texts, phase, chord, next, beatsLeft } = this.state;
    if (phase === "idle") return "";
    if (phase === "armed") return texts.armed;
    if (phase === "listening" && next === null) return beatsLeft % 4 === 0 ? `${texts.listening} ${beatsLeft}` : this.#spoken;
    const words = { flat: texts.flat, sharp: texts.sharp, none: texts.noChord };
    const text = `${texts.now}: ${spoken(chord, words)}${next === null ? "" : `; ${texts.next}: ${spoken(next.symbol, words)}`}`;
    const nowMs = performance.now();
    if (text !== this.#spoken && nowMs - this.#spokenAtMs > 2_000) {
      this.#spoken = text;
      this.#spokenAtMs = nowMs;
    }
    return this.#spoken;
  }
}
