/**
 * Which chords the audio clock has, and what to change when the plan says otherwise. Pure.
 *
 * A strike within the horizon is handed to the audio clock with its exact time, so it sounds on time even if the page is blocked or
 * hidden meanwhile. A strike lasts until the next one; what sounds is left alone unless a later strike of the list has begun.
 */

import type { Strike } from "../contracts.ts";

/** A strike the audio clock has, and when it ends; null is not known yet. */
export interface Scheduled {
  readonly strike: Strike;
  readonly endS: number | null;
}

export interface Changes {
  /** What the audio clock has afterwards, in order of time. */
  readonly scheduled: readonly Scheduled[];
  /** Never to sound: not begun yet and no longer wanted. */
  readonly cut: readonly Strike[];
  /** Already there, but ending at another time. */
  readonly moved: readonly Scheduled[];
  /** To be handed over now; those in the past come late and begin at once. */
  readonly begun: readonly Scheduled[];
}

/** The same frame of the same tempo gives the same time up to rounding. */
const SAME_S = 0.002;

/** `known` are strikes already handed over, in order of time; `strikes` all that are wanted from now on, and perhaps some of the past. */
export function reconcile(known: readonly Scheduled[], strikes: readonly Strike[], nowS: number, horizonS: number): Changes {
  const current = strikes.findLastIndex((strike) => strike.timeS <= nowS);
  const wanted = strikes.slice(Math.max(current, 0)).filter((strike) => strike.timeS < nowS + horizonS);
  const sounding = known.findLast((entry) => entry.strike.timeS <= nowS);
  const ahead = known.filter((entry) => entry.strike.timeS > nowS);
  const kept = [...(sounding ? [sounding] : []), ...ahead].filter(
    (entry) => entry === sounding || wanted.some((strike) => isSame(strike, entry.strike)),
  );
  const fresh = wanted.filter((strike) => !kept.some((entry) => isSame(strike, entry.strike)));

  const beginsS = (strike: Strike) => (fresh.includes(strike) ? Math.max(strike.timeS, nowS) : strike.timeS);
  const inOrder = [...kept.map((entry) => entry.strike), ...fresh].sort((one, other) => beginsS(one) - beginsS(other));
  const scheduled = inOrder.map((strike, i): Scheduled => {
    const next = inOrder[i + 1];
    return { strike, endS: next ? beginsS(next) : null };
  });

  const endBefore = new Map(known.map((entry) => [entry.strike, entry.endS]));
  return {
    scheduled,
    cut: ahead.filter((entry) => !kept.includes(entry)).map((entry) => entry.strike),
    moved: scheduled.filter((entry) => endBefore.has(entry.strike) && endBefore.get(entry.strike) !== entry.endS),
    begun: scheduled.filter((entry) => fresh.includes(entry.strike)),
  };
}

function isSame(a: Strike, b: Strike): boolean {
  return (
    Math.abs(a.timeS - b.timeS) < SAME_S && a.pitches.length === b.pitches.length && a.pitches.every((pitch, i) => pitch === b.pitches[i])
  );
}
