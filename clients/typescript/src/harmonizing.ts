/** Whole melodies over one session: stretches out, parts in, once more after a lost connection. Shell. */

import { HarmonizeRefused, NoAnswer, type SidemanError } from "./errors.ts";
import type { ChordRun, ErrorMessage, Harmonize, Harmonized } from "./generated/messages.ts";
import { makePromise } from "./opening.ts";
import type { Stretches } from "./stretches.ts";

const PART_TIMEOUT_MS = 60_000; // without any part

export type OnProgress = (decidedFrames: number, allFrames: number) => void;

interface Stretch {
  readonly message: Harmonize;
  readonly begin: number; // its first frame in the melody
  readonly allFrames: number;
  readonly chords: ChordRun[];
  readonly resolve: (chords: readonly ChordRun[]) => void;
  readonly reject: (problem: SidemanError) => void;
  timer: ReturnType<typeof setTimeout>;
}

/** The harmonizations of one client, one after the other. */
export class Harmonizer {
  readonly #send: (message: Harmonize) => void;
  #before: Promise<unknown> = Promise.resolve();
  #stretch: Stretch | null = null;
  #report: OnProgress | null = null;
  #seq = 0;

  /** `send` does nothing while the connection is being restored. */
  constructor(send: (message: Harmonize) => void) {
    this.#send = send;
  }

  /** All chords, frames counted from the beginning of the melody. Rejects with HarmonizeRefused, NoAnswer, or why the session ended. */
  harmonize(stretches: Stretches, report: OnProgress | null): Promise<readonly ChordRun[]> {
    const mine = this.#before.then(() => this.#harmonize(stretches, report));
    this.#before = mine.catch(() => {}); // its caller hears of it
    return mine;
  }

  /** Takes a part or a refusal; whether it was meant. */
  take(message: Harmonized | ErrorMessage): boolean {
    const stretch = this.#stretch;
    if (stretch === null || message.seq !== stretch.message.seq) return false;
    if (message.type === "error") {
      if (!message.field?.startsWith("$.harmonize")) return false;
      const advice = message.retry ? "send it again in a few seconds" : "mend the melody, or use a gateway with an offline model";
      stretch.reject(new HarmonizeRefused({ expected: "chords for the melody", got: `${message.code}: ${message.message}`, advice }));
      return true;
    }
    stretch.chords.push(...message.chords);
    this.#watch(stretch);
    this.#report?.(stretch.begin + message.until, stretch.allFrames);
    if (message.until >= message.frames) stretch.resolve(stretch.chords);
    return true;
  }

  /** On a new connection: asks once more for what was under way. */
  beginAgain(): void {
    if (this.#stretch === null) return;
    this.#stretch.chords.length = 0;
    this.#send(this.#stretch.message);
  }

  /** The session has ended: whoever waits hears why. */
  end(problem: SidemanError): void {
    this.#stretch?.reject(problem);
  }

  async #harmonize(stretches: Stretches, report: OnProgress | null): Promise<readonly ChordRun[]> {
    this.#report = report;
    while (!stretches.done) {
      this.#seq += 1;
      const message = stretches.message(this.#seq);
      stretches.take(await this.#ask(message, stretches.begin, stretches.numFrames));
    }
    return stretches.chords;
  }

  #ask(message: Harmonize, begin: number, allFrames: number): Promise<readonly ChordRun[]> {
    const { promise, resolve, reject } = makePromise<readonly ChordRun[]>();
    const stretch: Stretch = { message, begin, allFrames, chords: [], resolve, reject, timer: setTimeout(() => {}, 0) };
    this.#stretch = stretch;
    this.#watch(stretch);
    this.#send(message);
    return promise.finally(() => {
      clearTimeout(stretch.timer);
      this.#stretch = null;
    });
  }

  #watch(stretch: Stretch): void {
    clearTimeout(stretch.timer);
    stretch.timer = setTimeout(() => {
      const got = `nothing for ${PART_TIMEOUT_MS / 1000} s`;
      stretch.reject(new NoAnswer({ expected: "chords for the melody", got, advice: "try again, or use another gateway" }));
    }, PART_TIMEOUT_MS);
  }
}
