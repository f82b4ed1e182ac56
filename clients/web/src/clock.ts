/**
 * The audio clock, read between its jumps. `ClockEstimate` is pure; `AudioClock` reads the hardware: Shell.
 *
 * `AudioContext.currentTime` moves in jumps of a hardware buffer (3 to 40 ms). `performance.now()` is smooth but runs at its own
 * rate. So the smallest lag seen lately between the two is kept: the audio clock as it is right after a jump.
 */

import type { EventClock } from "./contracts.ts";

const FORGET_S = 2; // a clock that drifts by 100 ppm is off by 0.2 ms in that time
const JUMP_S = 0.1; // suspended, resumed or stalled: begin anew

export class ClockEstimate {
  #leadS: number | null = null; // audio time minus performance time
  #sinceS = 0;
  #candidateS = Number.NEGATIVE_INFINITY;

  /** Takes one reading of both clocks and gives the audio time it stands for. */
  read(audioS: number, performanceMs: number): number {
    const performanceS = performanceMs / 1000;
    const leadS = audioS - performanceS;
    if (this.#leadS === null || leadS > this.#leadS || this.#leadS - leadS > JUMP_S) this.#begin(leadS, performanceS);
    this.#candidateS = Math.max(this.#candidateS, leadS);
    if (performanceS - this.#sinceS > FORGET_S) this.#begin(this.#candidateS, performanceS);
    return performanceS + (this.#leadS ?? leadS);
  }

  /** Audio time of a moment on the performance clock; the moment must not be older than a few seconds. */
  ofS(performanceMs: number): number {
    return performanceMs / 1000 + (this.#leadS ?? 0);
  }

  #begin(leadS: number, performanceS: number): void {
    this.#leadS = leadS;
    this.#sinceS = performanceS;
    this.#candidateS = Number.NEGATIVE_INFINITY;
  }
}

export class AudioClock implements EventClock {
  readonly #context: BaseAudioContext;
  readonly #estimate = new ClockEstimate();

  constructor(context: BaseAudioContext) {
    this.#context = context;
  }

  nowS(): number {
    if (this.#context.state !== "running") return this.#context.currentTime;
    return this.#estimate.read(this.#context.currentTime, performance.now());
  }

  ofEventS(timeStampMs: number): number {
    return Math.min(this.nowS(), this.#estimate.ofS(timeStampMs));
  }
}
