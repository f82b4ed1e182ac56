/** Keys that are no notes. Shell. */

import type { Actions, AppState } from "./state.ts";
import type { Store } from "./store.ts";

const OWN_KEYS = "input, select, textarea, button, summary, a, [contenteditable]";

/** After a click by mouse or finger the space bar is start and stop again, and not that button's. */
function releaseFocus(event: MouseEvent): void {
  const button = event.target instanceof Element ? event.target.closest<HTMLElement>("button, summary") : null;
  const isByPointer = event.detail > 0;
  if (button !== null && isByPointer && button.closest("dialog") === null) button.blur();
}

/** Listens on the window; never while the focus is on something that has its own use for the key. */
export function attachShortcuts(target: Window, store: Store<AppState>, actions: Actions): void {
  target.addEventListener("click", releaseFocus);
  target.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      if (store.state.dialog === "settings") actions.show("none");
      else if (store.state.dialog === "none") actions.panic();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const isOnControl = event.target instanceof Element && event.target.matches(OWN_KEYS);
    if (isOnControl || (store.state.dialog !== "none" && store.state.dialog !== "settings")) return;
    const action = actionOf(event, store.state, actions);
    if (action === undefined) return;
    event.preventDefault();
    action();
  });
}

function actionOf(event: KeyboardEvent, { settings }: Readonly<AppState>, actions: Actions): (() => void) | undefined {
  if (event.key === " ") return () => actions.toggle();
  if (event.key === "?") return () => actions.show("help");
  if (event.key === "ArrowUp") return () => actions.change({ bpm: Math.round(settings.bpm) + 1 });
  if (event.key === "ArrowDown") return () => actions.change({ bpm: Math.round(settings.bpm) - 1 });
  if (!event.shiftKey) return undefined;
  const shifted: Readonly<Record<string, () => void>> = {
    T: () => actions.tap(),
    M: () => actions.change({ metronome: !settings.metronome }),
    C: () => actions.change({ showChords: !settings.showChords }),
  };
  return shifted[event.key];
}
