/** Cuts a replay into windows that can be rendered one after another: each has what begins in it, to its end. Pure. */

import type { ReplayTimeline, Strike } from "../contracts.ts";

/** Times count from the window's beginning; `lastsS` reaches to the end of the last note that began in it. */
export interface Window {
  readonly strikes: readonly Strike[];
  readonly notes: readonly { readonly pitch: number; readonly velocity: number; readonly atS: number; readonly untilS: number }[];
  readonly lastsS: number;
}

/** `timeline` begins at 0. */
export function windowsOf(timeline: ReplayTimeline, windowS: number): Window[] {
  const count = Math.max(1, Math.ceil(timeline.endS / windowS));
  return Array.from({ length: count }, (_, i) => windowAt(timeline, i * windowS, windowS));
}

function windowAt({ strikes, notes }: ReplayTimeline, fromS: number, windowS: number): Window {
  const begins = (timeS: number) => timeS >= fromS && timeS < fromS + windowS;
  const first = strikes.findIndex((strike) => begins(strike.timeS));
  const after = strikes.findLastIndex((strike) => begins(strike.timeS)) + 1;
  const inside = first < 0 ? [] : strikes.slice(first, after);
  // The strike that ends the last chord of this window sounds in a later one.
  const next = strikes[after];
  const all = inside.length > 0 && next ? [...inside, { ...next, pitches: [] }] : inside;
  const played = notes.filter((note) => begins(note.atS));
  return {
    strikes: all.map((strike) => ({ ...strike, timeS: strike.timeS - fromS })),
    notes: played.map(({ pitch, velocity, atS, untilS }) => ({ pitch, velocity, atS: atS - fromS, untilS: untilS - fromS })),
    lastsS: Math.max(windowS, ...all.map((strike) => strike.timeS - fromS), ...played.map((note) => note.untilS - fromS)),
  };
}
