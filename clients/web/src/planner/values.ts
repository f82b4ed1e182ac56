/**
 * Chord and melody values as small integers, and the grammar of what may follow what: the page's copy of `schema/tokens.py`. Pure.
 *
 * A value says what one frame holds: 0 nothing, 1 + c the onset of c, 1 + count + c the hold of c. An action is what the network
 * chooses, given the value before: 0 nothing, 1 hold what is running, 2 + c the onset of c. `count` is the number of chords or pitches.
 */

export const NOTHING = 0;
export const HOLD_ACTION = 1;
export const NUM_PITCHES = 128;

/** True if the value strikes something. */
export function isOnset(value: number, count: number): boolean {
  return value >= 1 && value <= count;
}

/** The value of the next frame if what sounds now sounds on. */
export function held(value: number, count: number): number {
  return isOnset(value, count) ? value + count : value;
}

/** Which chord or pitch a value holds; null for nothing. */
export function soundOf(value: number, count: number): number | null {
  return value === NOTHING ? null : (value - 1) % count;
}

/** The grammar: whether `value` may stand in the frame after `previous`. */
export function mayFollow(previous: number, value: number, count: number): boolean {
  return value <= count || held(previous, count) === value;
}

/** The value an action produces after `previous`; a hold of nothing stays nothing. */
export function valueAfter(action: number, previous: number, count: number): number {
  if (action === NOTHING) return NOTHING;
  return action === HOLD_ACTION ? held(previous, count) : action - 1;
}

/** The same values as they sound after `previous`: a hold of something that is not running is struck instead. */
export function sounded(values: readonly number[], previous: number, count: number): number[] {
  const result: number[] = [];
  for (const value of values) result.push(mayFollow(result.at(-1) ?? previous, value, count) ? value : value - count);
  return result;
}

/** Consecutive frames of one chord; `value` is that of the first frame. */
export interface Run {
  readonly start: number;
  readonly length: number;
  readonly value: number;
}

/** Consecutive frames of one sound together; every frame lies in exactly one run. */
export function runsOf(values: readonly number[], firstFrame: number, count: number): Run[] {
  const runs: { start: number; length: number; value: number }[] = [];
  for (const [offset, value] of values.entries()) {
    const last = runs.at(-1);
    if (last !== undefined && value === held(last.value, count)) last.length += 1;
    else runs.push({ start: firstFrame + offset, length: 1, value });
  }
  return runs;
}
