/** Short messages that come and go. Shell. */

import { html, type TemplateResult } from "lit";
import { JamElement } from "./element.ts";
import { icons } from "./icons.ts";

export class JamToasts extends JamElement {
  protected override render(): TemplateResult {
    const { texts, toasts, busy } = this.state;
    return html`<div class="toasts" role="status" aria-live="polite">
      ${busy === "" ? "" : html`<p class="toast" data-kind="info"><span>${busy}</span></p>`}
      ${toasts.map(
        (toast) => html`<p class="toast" data-kind=${toast.kind}><span>${toast.text}</span>
          <button class="icon" aria-label=${texts.dismiss} @click=${() => this.actions.dismiss(toast.id)}>${icons.close}</button></p>`,
      )}</div>`;
  }
}
