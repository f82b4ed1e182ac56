/** Round trips of the last few seconds against the budget of a frame. Pure. */

const KEPT = 64;

export class RoundTrips {
  #kept: number[] = [];

  get last(): number | null {
    return this.#kept.at(-1) ?? null;
  }

  add(ms: number): void {
    this.#kept = [...this.#kept.slice(1 - KEPT), ms];
  }

  /** 95 of 100 were not longer. */
  get p95(): number | null {
    if (this.#kept.length === 0) return null;
    const sorted = this.#kept.toSorted((a, b) => a - b);
    return sorted[Math.ceil(sorted.length * 0.95) - 1] ?? null;
  }
}

/** Tempo of taps on the performance clock: the mean of the last intervals, null before two taps in a row. */
export class TapTempo {
  #taps: number[] = [];

  tap(nowMs: number): number | null {
    const last = this.#taps.at(-1);
    const isNew = last === undefined || nowMs - last > 2_000;
    this.#taps = isNew ? [nowMs] : [...this.#taps.slice(-5), nowMs];
    const [first, count] = [this.#taps[0] ?? nowMs, this.#taps.length - 1];
    return count === 0 ? null : Math.round(60_000 / ((nowMs - first) / count));
  }
}
