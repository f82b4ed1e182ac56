/** How the connection does: lamps and the meter of the bar, an element of their own because they change with every plan. Shell. */

import { html, type TemplateResult } from "lit";
import { JamElement } from "./element.ts";

export class JamLamps extends JamElement {
  protected override render(): TemplateResult {
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
