/** Octave buttons over the second piano of a narrow screen. Shell. */

import { html, nothing, type TemplateResult } from "lit";
import { JamElement } from "./element.ts";
import { icons } from "./icons.ts";

export class JamOctaves extends JamElement {
  protected override render(): TemplateResult | typeof nothing {
    const { texts, octave, isNarrow } = this.state;
    if (!isNarrow) return nothing;
    return html`<div class="octaves" role="group" aria-label=${texts.octave}>
      <button class="icon" aria-label=${texts.octaveDown} @click=${() => this.actions.shiftOctave(-1)}>${icons.minus}</button>
      <output>C${octave}</output>
      <button class="icon" aria-label=${texts.octaveUp} @click=${() => this.actions.shiftOctave(1)}>${icons.plus}</button></div>`;
  }
}
