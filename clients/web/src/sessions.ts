/** What can be done with a jam that is over, and the calibration. Shell. */

import type { App } from "./app.ts";

export class Sessions {
  readonly #app: App;

  constructor(app: App) {
    this.#app = app;
  }

  advance(_nowS: number): void {}

  replay(): void {}

  stopReplay(): void {}

  async exportAs(_kind: "midi" | "json" | "wav"): Promise<void> {}

  async open(_file: File): Promise<void> {}

  async calibrate(): Promise<void> {}

  async harmonize(): Promise<void> {
    void this.#app;
  }
}
