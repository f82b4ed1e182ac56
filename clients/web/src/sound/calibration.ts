/**
 * How much later than the browser says a sound is heard, from somebody tapping along to clicks. Pure.
 *
 * Bluetooth adds a tenth of a second or more that no browser reports. Clicks are given when they should be heard (their time on the audio clock
 * plus the delay reported for the output), taps when they were made: the median of the differences is the offset. People tap some 20 ms
 * ahead of a beat they feel coming; compared with what is to be found, that is small.
 */

import type { CalibratedOffsetS } from "../contracts.ts";

/** A tap belongs to the nearest click; one further away is a slip. */
const FURTHEST_S = 0.4;
/** Fewer say nothing, ... */
const FEWEST = 4;
/** ... nor do taps of which half lie further than this from the median: nobody was tapping along. */
const SPREAD_S = 0.06;

export const calibratedOffsetS: CalibratedOffsetS = (clicksS, tapsS) => {
  const offsets = tapsS.map((tapS) => nearest(clicksS, tapS)).filter((offset) => Math.abs(offset) < FURTHEST_S);
  if (offsets.length < FEWEST) return null;
  const offset = median(offsets);
  const spread = median(offsets.map((each) => Math.abs(each - offset)));
  return spread > SPREAD_S ? null : offset;
};

/** How far a tap is behind the click nearest to it. */
function nearest(clicksS: readonly number[], tapS: number): number {
  return clicksS
    .map((clickS) => tapS - clickS)
    .reduce((best, offset) => (Math.abs(offset) < Math.abs(best) ? offset : best), Number.POSITIVE_INFINITY);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] as number) : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
