/** A scripted player: a fake MIDI keyboard in the page, and the tune it plays on the audio clock. Shell, in the page. */

import type { Page } from "playwright-core";

/** What the page has for tests (`main.ts`), as far as they use it. */
export interface Hooks {
  readonly app: import("../src/app.ts").App;
}

/** Puts a MIDI keyboard on the desk before the page is there; `window.midi.send` presses its keys. */
export async function plugInKeyboard(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const port = Object.assign(new EventTarget(), {
      id: "fake",
      name: "Fake keys",
      state: "connected",
      type: "input",
      onmidimessage: null,
    });
    const access = Object.assign(new EventTarget(), { inputs: new Map([["fake", port]]), outputs: new Map(), onstatechange: null });
    Object.defineProperty(navigator, "requestMIDIAccess", { value: async () => access, configurable: true });
    const send = (...bytes: number[]) => {
      const event = Object.assign(new Event("midimessage"), { data: Uint8Array.from(bytes) });
      (port.onmidimessage as ((event: Event) => void) | null)?.call(port, event);
      port.dispatchEvent(event);
    };
    Object.assign(window, { midi: { send, isEnough: false } });
  });
}

/** The tune the scripted player knows: a phrase in C, over and over; pitch and length in beats. */
const PHRASE = [
  [64, 1],
  [65, 1],
  [67, 2],
  [69, 1],
  [67, 1],
  [64, 2],
  [62, 1],
  [64, 1],
  [65, 2],
  [64, 1],
  [62, 1],
  [60, 2],
] as const;

/** Plays for so many seconds of the audio clock, from the next beat on; resolves when it is over. */
export async function playTune(page: Page, seconds: number): Promise<void> {
  await page.evaluate(
    ([phrase, lengthS]) => {
      const { sideman, midi } = window as unknown as { sideman: Hooks["app"]; midi: { isEnough: boolean; send(...bytes: number[]): void } };
      const beatS = 60 / sideman.store.state.settings.bpm;
      const startS = sideman.clock.nowS();
      let [index, atS, down] = [0, startS, -1];
      return new Promise<void>((resolve) => {
        const step = () => {
          const nowS = sideman.clock.nowS();
          if (nowS >= startS + lengthS || midi.isEnough) {
            if (down >= 0) midi.send(0x80, down, 0);
            resolve();
            return;
          }
          if (nowS >= atS) {
            const [pitch, beats] = phrase[index % phrase.length] as readonly [number, number];
            if (down >= 0) midi.send(0x80, down, 0);
            midi.send(0x90, pitch, 90);
            [down, index, atS] = [pitch, index + 1, atS + beats * beatS];
          }
          setTimeout(step, 5);
        };
        step();
      });
    },
    [PHRASE, seconds] as const,
  );
}

/** Ends the tune before its time: what was to be seen has been seen. */
export async function stopTune(page: Page): Promise<void> {
  await page.evaluate(() => {
    (window as unknown as { midi: { isEnough: boolean } }).midi.isEnough = true;
  });
}
