/** A melody of any length as `harmonize` messages that fit, one after the other, and their answers as one run of chords (W5). Pure. */

import { type ChordRun, type Harmonize, MAX_HISTORY_FRAMES, type MelodyRun, type SymbolRun } from "./generated/messages.ts";

const CONTEXT_FRAMES = 128; // chords of the stretch before that the next one begins with, if there are so many
const HEARD_AHEAD_FRAMES = 64; // at the end of a stretch: the model could not hear on, so these are decided anew by the next one

export interface WholeMelody {
  readonly melody: readonly MelodyRun[];
  readonly numFrames: number;
  readonly barFrames: number;
  readonly barLine: number; // a frame on which a bar begins
}

/** What to send next, and what has been decided so far; frames count from the beginning of the melody. */
export class Stretches {
  readonly chords: ChordRun[] = [];
  readonly #whole: WholeMelody;
  readonly #fits: (message: Harmonize) => boolean;
  #begin = 0; // of the stretch that was sent last
  #end = 0;

  /** `fits` says whether a message may be sent as it is. */
  constructor(whole: WholeMelody, fits: (message: Harmonize) => boolean) {
    this.#whole = whole;
    this.#fits = fits;
  }

  get numFrames(): number {
    return this.#whole.numFrames;
  }

  /** Frames that have their chord. */
  get decided(): number {
    const last = this.chords.at(-1);
    return last === undefined ? 0 : last.start + last.length;
  }

  /** First frame of the stretch that was sent last. */
  get begin(): number {
    return this.#begin;
  }

  get done(): boolean {
    return this.decided >= this.numFrames;
  }

  /** The next stretch: from a bar line some bars before the end of what is decided, as long as fits. */
  message(seq: number): Harmonize {
    const { barFrames, barLine, numFrames } = this.#whole;
    const earliest = Math.max(0, this.decided - CONTEXT_FRAMES);
    this.#begin = Math.max(0, earliest - modulo(earliest - barLine, barFrames));
    this.#end = Math.min(numFrames, this.#begin + MAX_HISTORY_FRAMES);
    let message = this.#stretch(seq);
    while (!this.#fits(message) && this.#end > this.decided + 2 * HEARD_AHEAD_FRAMES) {
      this.#end -= HEARD_AHEAD_FRAMES;
      message = this.#stretch(seq);
    }
    return message;
  }

  /** The answer to the last message, all of it; its frames count from the stretch's own beginning. */
  take(chords: readonly ChordRun[]): void {
    const decided = this.decided;
    const until = this.#end === this.numFrames ? this.#end : this.#end - HEARD_AHEAD_FRAMES;
    for (const run of chords) {
      const start = Math.max(this.#begin + run.start, decided);
      const end = Math.min(this.#begin + run.start + run.length, until);
      if (start < end) this.#add({ ...run, start, length: end - start, onset: run.onset && this.#begin + run.start >= decided });
    }
  }

  #stretch(seq: number): Harmonize {
    const [begin, end] = [this.#begin, this.#end];
    const melody = this.#whole.melody.flatMap((run) => {
      const start = Math.max(run.start, begin);
      const stop = Math.min(run.start + run.length, end);
      return start < stop ? [{ start: start - begin, length: stop - start, pitch: run.pitch }] : [];
    });
    const bar_line = modulo(this.#whole.barLine - begin, this.#whole.barFrames);
    return { type: "harmonize", seq, frames: end - begin, melody, chords: this.#context(), bar_line };
  }

  /** The chords decided since the stretch began; the first one strikes (W3). */
  #context(): SymbolRun[] {
    return this.chords
      .filter((run) => run.start + run.length > this.#begin)
      .map((run, index) => {
        const start = Math.max(run.start, this.#begin);
        const length = run.start + run.length - start;
        return { start: start - this.#begin, length, symbol: run.symbol, onset: index === 0 || run.onset };
      });
  }

  /** A run that continues the one before becomes part of it. */
  #add(run: ChordRun): void {
    const last = this.chords.at(-1);
    if (last !== undefined && !run.onset && run.symbol === last.symbol) {
      this.chords[this.chords.length - 1] = { ...last, length: last.length + run.length };
    } else {
      this.chords.push(run);
    }
  }
}

function modulo(value: number, by: number): number {
  return ((value % by) + by) % by;
}
