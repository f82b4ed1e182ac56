/** The few pictures of the page, drawn for it. Pure. */

import { svg, type TemplateResult } from "lit";

function icon(content: TemplateResult): TemplateResult {
  return svg`<svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="2"
    stroke-linecap="round" stroke-linejoin="round">${content}</svg>`;
}

export const icons = {
  play: icon(svg`<path d="M7 4.5v15l12-7.5z" fill="currentColor"/>`),
  stop: icon(svg`<rect x="6" y="6" width="12" height="12" rx="1.5" fill="currentColor"/>`),
  settings: icon(svg`<path d="M4 7h9M19 7h1M4 17h1M11 17h9"/><circle cx="16" cy="7" r="3"/><circle cx="8" cy="17" r="3"/>`),
  help: icon(svg`<circle cx="12" cy="12" r="9"/><path d="M9.5 9.3a2.6 2.6 0 1 1 3.6 2.4c-.8.4-1.1.9-1.1 1.8"/><path d="M12 17v.01"/>`),
  metronome: icon(svg`<path d="M9 3h6l4 18H5z"/><path d="M12 15 18 6"/><path d="M6.2 16h11.6"/>`),
  sound: icon(
    svg`<path d="M4 9.5v5h3.5L12 19V5L7.500 9.500z" fill="currentColor"/><path d="M15.500 9a4.500 4.500 0 0 1 0 6M18.500 6.500a8 8 0 0 1 0 11"/>`,
  ),
  muted: icon(svg`<path d="M4 9.5v5h3.5L12 19V5L7.500 9.500z" fill="currentColor"/><path d="m16 9.500 5 5M21 9.500l-5 5"/>`),
  falling: icon(
    svg`<rect x="4" y="3" width="4" height="8" rx="1"/><rect x="10" y="6" width="4" height="8" rx="1"/><rect x="16" y="3" width="4" height="8" rx="1"/><path d="M3 20h18"/>`,
  ),
  close: icon(svg`<path d="m6 6 12 12M18 6 6 18"/>`),
  minus: icon(svg`<path d="M6 12h12"/>`),
  plus: icon(svg`<path d="M6 12h12M12 6v12"/>`),
  listen: icon(
    svg`<path d="M4 14v-2a8 8 0 0 1 16 0v2"/><rect x="3" y="14" width="5" height="6" rx="2"/><rect x="16" y="14" width="5" height="6" rx="2"/>`,
  ),
};
