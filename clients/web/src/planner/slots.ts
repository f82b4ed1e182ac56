/**
 * A plan in the making, step by step: what is known already, what must be computed (`inference/planner.py` for one player). Pure.
 *
 * A slot remembers by value which frames its keys and values stand for. Frame i is reused where the request gives the value that the
 * slot holds, or gives none and the slot's value was chosen by the same noise. Everything counts within the window, but the noise.
 */

import type { Cache, Controls, Network } from "./network.ts";
import { CHORD_PART, gumbelNoise, MELODY_PART } from "./noise.ts";
import { candidates, likeliest, MELODY_TEMPERATURE } from "./sampling.ts";
import { NOTHING, NUM_PITCHES, valueAfter } from "./values.ts";

const FRAMES_PER_BEAT = 4;

/** What a plan is asked for; the fields of the server's `PlanRequest`. */
export interface PlanRequest {
  readonly seed: number;
  readonly windowStart: number; // absolute, as firstFrame and barLine are
  readonly firstFrame: number;
  readonly lookaheadFrames: number;
  readonly chords: readonly number[]; // values from the window's start on: what sounded, then what is committed
  readonly melody: readonly number[]; // the same, up to firstFrame - 1 or firstFrame
  readonly temperature: number;
  readonly barLine: number;
  readonly controls: Controls;
}

/** What was planned, and at what cost. */
export interface Planned {
  readonly chords: readonly number[]; // of firstFrame and the frames behind
  readonly steps: number; // positions fed one after the other
  readonly reused: number; // share of the window's frames that the slot knew
}

interface Frame {
  readonly chord: number;
  readonly melody: number;
  isChordChosen: boolean; // by the noise of this slot, not given
  isMelodyChosen: boolean;
}

/** Keys and values of one window, and what they stand for. */
export class Slot {
  readonly cache: Cache;
  #controls = "";
  #noise = "";
  #frames: Frame[] = [];
  #numFed = 0; // positions with keys and values: never more than frames + 1

  constructor(network: Network) {
    this.cache = network.emptyCache();
  }

  /** How many frames at the start a fresh computation of `request` would reproduce. */
  agreement(request: PlanRequest): number {
    if (this.#controls !== controlsOf(request)) return 0;
    const isSameNoise = this.#noise === noiseOf(request);
    const differs = this.#frames.findIndex((frame, index) => {
      const [chord, melody] = [request.chords[index], request.melody[index]];
      const isChord = chord === undefined ? isSameNoise && frame.isChordChosen : frame.chord === chord;
      const isMelody = melody === undefined ? isSameNoise && frame.isMelodyChosen : frame.melody === melody;
      return !(isChord && isMelody);
    });
    return differs < 0 ? this.#frames.length : differs;
  }

  /**
   * Computes the plan. It pauses after every position fed, so that the caller may look around, and tells how many frames of the plan are
   * decided. Dropped half made it does no harm: what was fed stays, for the next plan.
   */
  *plan(network: Network, request: PlanRequest): Generator<number, Planned> {
    const first = request.firstFrame - request.windowStart;
    const end = first + request.lookaheadFrames;
    const reused = this.#recall(request, end);
    let steps = 0;
    while (this.#frames.length < end) {
      const decided = this.#give(request);
      let hidden: Float64Array | undefined;
      for (let position = Math.min(this.#numFed, decided); position <= decided; position++) {
        hidden = this.#feed(network, request, position);
        steps += 1;
        yield Math.max(0, decided - first);
      }
      this.#frames.push(this.#decide(network, request, hidden as Float64Array)); // at least position `decided` was fed
    }
    return { chords: this.#frames.slice(first, end).map((frame) => frame.chord), steps, reused: reused / end };
  }

  /** Feeds what the request gives, so that a later request finds it here; it pauses likewise. */
  *prepare(network: Network, request: PlanRequest): Generator<void, void> {
    this.#recall(request, Number.POSITIVE_INFINITY);
    const known = this.#give(request);
    while (this.#numFed <= known) {
      this.#feed(network, request, this.#numFed);
      yield;
    }
  }

  /** Forgets what the request would not reproduce; the number of frames kept. */
  #recall(request: PlanRequest, end: number): number {
    const kept = Math.min(end, this.agreement(request));
    if (this.#controls !== controlsOf(request)) this.#numFed = 0;
    if (this.#noise !== noiseOf(request)) for (const frame of this.#frames) frame.isChordChosen = frame.isMelodyChosen = false;
    this.#controls = controlsOf(request);
    this.#noise = noiseOf(request);
    this.#frames.length = kept;
    this.#numFed = Math.min(this.#numFed, kept + 1);
    return kept;
  }

  /** Takes over the frames that are given in both parts; the first frame that is not. */
  #give(request: PlanRequest): number {
    for (let index = this.#frames.length; index < Math.min(request.chords.length, request.melody.length); index++) {
      const [chord, melody] = [request.chords[index] as number, request.melody[index] as number];
      this.#frames.push({ chord, melody, isChordChosen: false, isMelodyChosen: false });
    }
    return this.#frames.length;
  }

  #feed(network: Network, request: PlanRequest, position: number): Float64Array {
    const frame = this.#frames[position - 1];
    const bar = request.controls.beatsPerBar * FRAMES_PER_BEAT;
    const absolute = request.windowStart + position - 1 - request.barLine;
    const held = frame === undefined ? request.controls : { ...frame, place: ((absolute % bar) + bar) % bar };
    const hidden = network.feed(this.cache, position, held);
    this.#numFed = position + 1;
    return hidden;
  }

  /** The frame behind the last one: what is given of it, and a sample for the rest. */
  #decide(network: Network, request: PlanRequest, hidden: Float64Array): Frame {
    const index = this.#frames.length;
    const before = this.#frames.at(-1) ?? { chord: NOTHING, melody: NOTHING };
    const [givenChord, givenMelody] = [request.chords[index], request.melody[index]];
    const sample = (part: number, logits: Float64Array, most: number, previous: number, count: number) => {
      const temperature = Math.fround(Math.min(request.temperature, most));
      const noise = temperature > 0 ? gumbelNoise(request.seed, request.windowStart + index, part, logits.length) : null;
      return valueAfter(likeliest(candidates(logits, temperature, noise, previous !== NOTHING)), previous, count);
    };
    const chord = givenChord ?? sample(CHORD_PART, network.chordLogits(hidden), Number.POSITIVE_INFINITY, before.chord, network.numChords);
    const melody = givenMelody ?? sample(MELODY_PART, network.melodyLogits(hidden, chord), MELODY_TEMPERATURE, before.melody, NUM_PITCHES);
    return { chord, melody, isChordChosen: givenChord === undefined, isMelodyChosen: givenMelody === undefined };
  }
}

/** What every position depends on beside the frames fed. */
function controlsOf({ windowStart, barLine, controls }: PlanRequest): string {
  return [windowStart, barLine, controls.beatsPerBar, controls.density, controls.style].join();
}

function noiseOf({ seed, temperature }: PlanRequest): string {
  return `${seed},${temperature}`;
}

/** Runs a computation to its end. */
export function finish<T>(steps: Generator<unknown, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
