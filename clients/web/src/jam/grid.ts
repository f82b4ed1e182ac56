/** The grid on the audio clock: frames to seconds and back, through every change of tempo. Pure. */

import { FRAMES_PER_BEAT } from "sideman-client";
import type { MetreMark, TempoMark } from "../contracts.ts";

/** From `frame` on, which begins at `timeS`, a frame lasts `frameS`. */
interface Stretch {
  readonly frame: number;
  readonly timeS: number;
  readonly bpm: number;
}

/** Seconds of one frame (G1). */
export function frameSeconds(bpm: number): number {
  return 60 / bpm / FRAMES_PER_BEAT;
}

/** Where each frame lies in time; frame 0 begins at `originS`. Immutable: a change of tempo makes a new grid. */
export class Grid {
  readonly stretches: readonly Stretch[];

  private constructor(stretches: readonly Stretch[]) {
    this.stretches = stretches;
  }

  static from(originS: number, bpm: number): Grid {
    return new Grid([{ frame: 0, timeS: originS, bpm }]);
  }

  /** The grid of a record's tempo marks, whose times count from frame 0; frame 0 begins at `originS`. */
  static of(marks: readonly TempoMark[], originS: number): Grid {
    const [first, ...rest] = marks;
    return rest.reduce((grid, mark) => grid.withTempo(mark.frame, mark.bpm), Grid.from(originS, first?.bpm ?? 120));
  }

  get originS(): number {
    return this.#first.timeS;
  }

  /** The tempo from the last change on. */
  get bpm(): number {
    return this.#last.bpm;
  }

  /** When a frame begins, in seconds; frames may be fractions, and negative before the grid. */
  timeS(frame: number): number {
    const stretch = this.#where((each) => each.frame <= frame);
    return stretch.timeS + (frame - stretch.frame) * frameSeconds(stretch.bpm);
  }

  /** The place of a moment on the grid, with its fraction. */
  position(timeS: number): number {
    const stretch = this.#where((each) => each.timeS <= timeS);
    return stretch.frame + (timeS - stretch.timeS) / frameSeconds(stretch.bpm);
  }

  /** The frame in which a moment lies (G3: rounded down). A microsecond is forgiven, or the start of a frame would lie in the one before. */
  frame(timeS: number): number {
    return Math.floor(this.position(timeS + 1e-6));
  }

  /** The grid whose tempo changes at the start of a frame, not before the last change. */
  withTempo(frame: number, bpm: number): Grid {
    const kept = this.stretches.filter((each) => each.frame < frame);
    if (kept.at(-1)?.bpm === bpm) return new Grid(kept);
    const timeS = kept.length === 0 ? this.originS : this.timeS(frame);
    return new Grid([...kept, { frame: kept.length === 0 ? 0 : frame, timeS, bpm }]);
  }

  get #first(): Stretch {
    return this.stretches[0] as Stretch; // never empty: see `from` and `withTempo`
  }

  get #last(): Stretch {
    return this.stretches.at(-1) as Stretch;
  }

  #where(isBefore: (stretch: Stretch) => boolean): Stretch {
    return this.stretches.findLast(isBefore) ?? this.#first;
  }
}

/** The bars at a frame: a frame on which one begins, and how long they are. */
export function barAt(metre: readonly MetreMark[], frame: number): { readonly line: number; readonly frames: number } {
  const mark = metre.findLast((each) => each.frame <= frame) ?? metre[0];
  return { line: mark?.frame ?? 0, frames: (mark?.beatsPerBar ?? 4) * FRAMES_PER_BEAT };
}
