/** What stays between visits, and the link in the address bar. Shell: local storage, location, clipboard. */

import { type AppSettings, changed, fromHash, restored, toHash } from "./settings.ts";

const SETTINGS = "sideman.settings";
const VISITED = "sideman.visited";

/** What was kept, with what a link says on top. Storage may be forbidden; then every visit is the first. */
export function loadSettings(): AppSettings {
  const kept = restored(read(SETTINGS));
  const linked = fromHash(location.hash);
  return linked === null ? kept : changed(kept, linked);
}

export function saveSettings(settings: AppSettings): void {
  write(SETTINGS, JSON.stringify(settings));
}

/** Whether this is the first visit; it is not any more afterwards. */
export function isFirstVisit(): boolean {
  const isFirst = read(VISITED) === null;
  write(VISITED, "1");
  return isFirst;
}

export function linkTo(settings: AppSettings): string {
  const url = new URL(location.href);
  url.hash = toHash(settings);
  return url.href;
}

function read(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function write(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // nothing to be done: the choice holds for this visit
  }
}
