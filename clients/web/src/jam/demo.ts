/** A tune that plays itself, for people without a keyboard: Auld Lang Syne (traditional). Pure. */

import type { NoteInput } from "../contracts.ts";
import type { Grid } from "./grid.ts";

export const DEMO_BPM = 100;
const PICKUP_FRAME = 12; // the fourth beat of the first bar
const VELOCITY = 84;

/** Pitch and length in frames, one after the other. */
const TUNE: readonly (readonly [number, number])[] = [
  ...([
    [60, 4],
    [65, 6],
    [64, 2],
    [65, 4],
    [69, 4],
    [67, 6],
    [65, 2],
    [67, 4],
    [69, 4],
  ] as const),
  ...([
    [65, 6],
    [65, 2],
    [69, 4],
    [72, 4],
    [74, 12],
    [74, 4],
    [72, 6],
    [69, 2],
    [69, 4],
    [65, 4],
  ] as const),
  ...([
    [67, 6],
    [65, 2],
    [67, 4],
    [69, 4],
    [65, 6],
    [62, 2],
    [62, 4],
    [60, 4],
    [65, 12],
    [74, 4],
  ] as const),
  ...([
    [72, 6],
    [69, 2],
    [69, 4],
    [65, 4],
    [67, 6],
    [65, 2],
    [67, 4],
    [74, 4],
    [72, 6],
    [69, 2],
  ] as const),
  ...([
    [69, 4],
    [72, 4],
    [74, 12],
    [74, 4],
    [72, 6],
    [69, 2],
    [69, 4],
    [65, 4],
    [67, 6],
    [65, 2],
  ] as const),
  ...([
    [67, 4],
    [69, 4],
    [65, 6],
    [62, 2],
    [62, 4],
    [60, 4],
    [65, 16],
  ] as const),
];

interface Event {
  readonly frame: number;
  readonly pitch: number;
  readonly on: boolean;
}

const EVENTS: readonly Event[] = (() => {
  let frame = PICKUP_FRAME;
  return TUNE.flatMap(([pitch, length]) => {
    const start = frame;
    frame += length;
    return [
      { frame: start, pitch, on: true },
      { frame: start + length - 0.5, pitch, on: false },
    ];
  });
})();

/** The last frame of the tune, and some for the last chord. */
export const DEMO_FRAMES = (EVENTS.at(-1)?.frame ?? 0) + 8;

/** Plays the tune once: `due` gives what has to be played by now. */
export class Demo {
  #index = 0;

  get isOver(): boolean {
    return this.#index >= EVENTS.length;
  }

  due(grid: Grid, nowS: number): NoteInput[] {
    const position = grid.position(nowS);
    const notes: NoteInput[] = [];
    for (let event = EVENTS[this.#index]; event !== undefined && event.frame <= position; event = EVENTS[this.#index]) {
      notes.push({ pitch: event.pitch, velocity: VELOCITY, on: event.on, timeS: grid.timeS(event.frame), source: "demo" });
      this.#index += 1;
    }
    return notes;
  }
}
