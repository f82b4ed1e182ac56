/**
 * Loudness of a voice over time, as SoundFonts have it: a straight rise, a hold, then falls that are straight in decibels. Pure.
 *
 * The curve is known at every moment, so a voice can be let go, or its end moved, without asking the audio thread where it is:
 * `cancelAndHoldAtTime` is not in every browser.
 */

import type { Layer } from "./soundfile.ts";

/** Decay and release are given as the time of a fall by 100 dB: five decades of amplitude. */
const DECADES = 5;
/** 80 dB down nothing is heard any more. */
const SILENT = 1e-4;

export type Envelope = Pick<Layer, "attackS" | "holdS" | "decayS" | "sustain" | "releaseS"> & { peak: number };

/** One instruction to an AudioParam: be at `level` at `atS`, on the way there as `shape` says. */
export interface Step {
  shape: "set" | "linear" | "exponential";
  level: number;
  atS: number;
}

/** Level `sinceS` seconds after the start, if nobody lets go. */
export function levelAt(envelope: Envelope, sinceS: number): number {
  const { attackS, holdS, decayS, peak } = envelope;
  if (sinceS <= 0) return 0;
  if (sinceS < attackS) return (peak * sinceS) / attackS;
  const fallingS = Math.max(0, sinceS - attackS - holdS);
  return Math.max(peak * 10 ** ((-DECADES * fallingS) / decayS), peak * floorOf(envelope));
}

/** The curve of a voice begun at `startS`, from `fromS` on; without an end it is followed to the sustained level. */
export function curve(envelope: Envelope, startS: number, fromS: number, endS: number | null): Step[] {
  const { attackS, holdS, peak } = envelope;
  const untilS = endS ?? Number.POSITIVE_INFINITY;
  const fallS = startS + attackS + holdS;
  const steps: Step[] = [
    { shape: "set", level: 0, atS: startS },
    { shape: "linear", level: peak, atS: startS + attackS },
    { shape: "set", level: peak, atS: fallS },
    { shape: "exponential", level: peak * floorOf(envelope), atS: startS + decayedAfterS(envelope) },
  ];
  const kept = steps.filter((step) => step.atS < untilS);
  if (endS !== null) kept.push(...release(envelope, steps[kept.length]?.shape ?? "set", startS, endS));
  return kept.filter((step) => step.atS >= fromS);
}

/** From the level a voice has at `atS`, let go before or not, to silence within `fadeS`. */
export function cutOff(envelope: Envelope, startS: number, endS: number | null, atS: number, fadeS: number): Step[] {
  const [reached] = curve(envelope, startS, atS, endS);
  const isReleased = endS !== null && atS > endS;
  const level = isReleased ? releasedLevel(envelope, startS, endS, atS) : levelAt(envelope, atS - startS);
  return [
    { shape: reached?.shape ?? "set", level: Math.max(level, envelope.peak * SILENT), atS },
    { shape: "linear", level: 0, atS: atS + fadeS },
  ];
}

/** When a voice that nobody lets go has become silent by itself, counted from its start; null if it sustains. */
export function diesAfterS(envelope: Envelope): number | null {
  return floorOf(envelope) <= SILENT ? decayedAfterS(envelope) : null;
}

/** When a voice let go at `endS` is silent. */
export function silentAtS(envelope: Envelope, endS: number): number {
  return endS + envelope.releaseS * (Math.log10(1 / SILENT) / DECADES);
}

function release(envelope: Envelope, shape: Step["shape"], startS: number, endS: number): Step[] {
  const level = Math.max(levelAt(envelope, endS - startS), envelope.peak * SILENT);
  return [
    { shape, level, atS: endS },
    { shape: "exponential", level: level * SILENT, atS: silentAtS(envelope, endS) },
  ];
}

function releasedLevel(envelope: Envelope, startS: number, endS: number, atS: number): number {
  const share = (atS - endS) / (silentAtS(envelope, endS) - endS);
  return levelAt(envelope, endS - startS) * SILENT ** share;
}

function floorOf(envelope: Envelope): number {
  return Math.max(envelope.sustain, SILENT);
}

function decayedAfterS(envelope: Envelope): number {
  const { attackS, holdS, decayS } = envelope;
  return attackS + holdS + (decayS * Math.log10(1 / floorOf(envelope))) / DECADES;
}
