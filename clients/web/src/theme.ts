/** Colours and motion as the player or the system wants them. Shell. */

import type { Theme } from "./settings.ts";

const DARK = matchMedia("(prefers-color-scheme: dark)");
const CONTRAST = matchMedia("(prefers-contrast: more), (forced-colors: active)");
const CALM = matchMedia("(prefers-reduced-motion: reduce)");

export function applyTheme(theme: Theme): void {
  const system = CONTRAST.matches ? "contrast" : DARK.matches ? "dark" : "light";
  document.documentElement.dataset.theme = theme === "system" ? system : theme;
}

export function wantsCalm(): boolean {
  return CALM.matches;
}

export function onSystemChange(listener: () => void): void {
  for (const query of [DARK, CONTRAST, CALM]) query.addEventListener("change", listener);
}
