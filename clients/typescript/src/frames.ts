/** Every frame of a jam that has begun, compactly: a chord that is held is one entry, named again by each of its frames. Pure. */

/** What one frame sounds: `struck` if the chord begins here, else it sounds on. */
export interface Sounding {
  readonly frame: number;
  readonly symbol: string;
  readonly pitches: readonly number[];
  readonly struck: boolean;
  readonly planned: boolean; // false: no plan says anything about this frame, so the running chord continues (P5)
  readonly late: boolean; // the plan made for this frame was due and not there when it began
}

type Kept = Omit<Sounding, "frame">;

/** Read as an array is, from frame 0 on; a jam of hours takes a few bytes a frame. */
export class Frames implements Iterable<Sounding> {
  readonly #kept: Kept[] = [];
  readonly #voicings = new Map<string, readonly number[]>(); // of each that sounded, one list for all its chords

  get length(): number {
    return this.#kept.length;
  }

  /** What this frame sounds; undefined if it has not begun. */
  get(frame: number): Sounding | undefined {
    const kept = this.#kept[frame];
    return kept === undefined ? undefined : { frame, ...kept };
  }

  /** Counted from the end if negative, as `Array.at` does. */
  at(index: number): Sounding | undefined {
    return this.get(index < 0 ? this.length + index : index);
  }

  /** The frames [first, end), counted from the end if negative, as `Array.slice` does. */
  slice(first = 0, end = this.length): Sounding[] {
    const start = first < 0 ? Math.max(0, this.length + first) : first;
    return this.#kept.slice(first, end).map((kept, index) => ({ frame: start + index, ...kept }));
  }

  /** The last frame of which this holds, or -1. */
  findLastIndex(isMeant: (kept: Kept) => boolean): number {
    return this.#kept.findLastIndex(isMeant);
  }

  *[Symbol.iterator](): Iterator<Sounding> {
    for (const [frame, kept] of this.#kept.entries()) yield { frame, ...kept };
  }

  /** Takes the next frame. */
  push(sounding: Kept): void {
    const { symbol, struck, planned, late } = sounding;
    const pitches = this.#same(sounding.pitches);
    const last = this.#kept.at(-1);
    const isSame = last?.symbol === symbol && last.pitches === pitches && last.struck === struck && last.planned === planned;
    this.#kept.push(last !== undefined && isSame && last.late === late ? last : { symbol, pitches, struck, planned, late });
  }

  #same(pitches: readonly number[]): readonly number[] {
    const name = pitches.join();
    const known = this.#voicings.get(name) ?? [...pitches];
    this.#voicings.set(name, known);
    return known;
  }
}
