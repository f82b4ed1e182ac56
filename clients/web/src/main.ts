/** Builds the page and starts the app. Shell. */

import { App } from "./app.ts";
import { JamBar } from "./chrome/bar.ts";
import { JamDialogs } from "./chrome/dialogs.ts";
import { mount } from "./chrome/element.ts";
import { JamLamps } from "./chrome/lamps.ts";
import { JamOctaves } from "./chrome/octaves.ts";
import { JamPanel } from "./chrome/panel.ts";
import { JamReadout } from "./chrome/readout.ts";
import { JamToasts } from "./chrome/toasts.ts";
import { attachShortcuts } from "./shortcuts.ts";
import { Stage } from "./stage/stage.ts";

/** What a test may look at: nothing in the page uses it. */
declare global {
  interface Window {
    sideman: App;
  }
}

function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`index.html has no #${id}`);
  return element;
}

const [stage, fall, strip, hands] = ["stage", "fall", "strip", "hands"].map(byId) as [HTMLElement, HTMLElement, HTMLElement, HTMLElement];
const app = new App(new Stage({ stage, fall, strip, hands }), [strip, hands]);
const host = { store: app.store, actions: app };

const elements = { "jam-lamps": JamLamps, "jam-bar": JamBar, "jam-readout": JamReadout, "jam-panel": JamPanel, "jam-octaves": JamOctaves };
for (const [name, element] of Object.entries({ ...elements, "jam-dialogs": JamDialogs, "jam-toasts": JamToasts })) {
  customElements.define(name, element);
}
mount("jam-bar", byId("top"), host);
mount("jam-readout", fall, host);
mount("jam-octaves", byId("octaves"), host);
for (const name of ["jam-panel", "jam-dialogs", "jam-toasts"]) mount(name, byId("over"), host);
attachShortcuts(window, app.store, app);

function label(): void {
  const { texts } = app.store.state;
  document.title = texts.title;
  stage.setAttribute("aria-label", texts.stage);
  for (const keys of [strip, hands]) keys.setAttribute("aria-label", `${texts.piano}. ${texts.pianoHelp}`);
}
app.store.watch(label);
label();

const ticker = new Worker(new URL("./ticker.worker.ts", import.meta.url), { type: "module" });
ticker.onmessage = () => app.advance();

function draw(): void {
  app.picture.draw();
  requestAnimationFrame(draw);
}
requestAnimationFrame(draw);
window.sideman = app;
