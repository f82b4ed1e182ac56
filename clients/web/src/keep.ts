/** What stays between visits, and the link in the address bar. Shell: local storage, location, clipboard. */

import type { KeptSession } from "./jam/record.ts";
import { type AppSettings, changed, fromHash, restored, toHash } from "./settings.ts";

const SETTINGS = "sideman.settings";
const JAM = "sideman.jam";
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

/** The jam that a reload interrupts; it lasts as long as the tab. */
export function keepJam(kept: KeptSession | null): void {
  try {
    if (kept === null) sessionStorage.removeItem(JAM);
    else sessionStorage.setItem(JAM, JSON.stringify(kept));
  } catch {
    // full or forbidden: then a reload ends the jam
  }
}

/** The jam of this tab that was interrupted, if it can still be read. */
export async function interruptedJam(): Promise<KeptSession | null> {
  try {
    const text = sessionStorage.getItem(JAM);
    if (text === null) return null;
    const { parseSession } = await import("./after/session.ts");
    const kept: KeptSession = JSON.parse(text);
    return { ...kept, record: parseSession(JSON.stringify(kept.record)) };
  } catch {
    return null;
  }
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
