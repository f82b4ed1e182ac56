/** Voicing: chord and previous voicing to MIDI pitches, bass first; the same choice as `schema/voicing.py`, voice for voice. Pure. */

const [LOW, HIGH, CENTRE] = [52, 76, 62]; // E3 .. E5: the upper voices stay inside
const [BASS_LOW, CLOSE_LOW] = [36, 48];
const WIDEST = 16;

/** A chord as voicing needs it: its root, and its tones in semitones above it, root first. */
export interface Tones {
  readonly root: number;
  readonly intervals: readonly number[];
}

/** Pitches of a chord; `previous` is the last voicing this function gave, or empty. No chord has none. */
export function voice(chord: Tones | null, previous: readonly number[], style: string): readonly number[] {
  if (chord === null) return [];
  const upper = style === "close" ? close(chord) : led(chord, previous.slice(1));
  return [BASS_LOW + chord.root, ...upper];
}

function close({ root, intervals }: Tones): number[] {
  return intervals.map((interval) => CLOSE_LOW + ((root + interval) % 12)).sort((a, b) => a - b);
}

/** Of all placements in the range the one that moves least, then the least crowded, then the lowest. */
function led({ root, intervals }: Tones, previous: readonly number[]): readonly number[] {
  const upper = intervals.length > 4 ? intervals.slice(1) : intervals; // of five tones the root is left to the bass
  let best: { cost: number; crowding: number; pick: readonly number[] } | null = null;
  for (const pick of placements(upper.map((interval) => (root + interval) % 12))) {
    if ((pick.at(-1) as number) - (pick[0] as number) > WIDEST) continue;
    const mean = pick.reduce((sum, pitch) => sum + pitch, 0) / pick.length;
    const choice = { cost: movement(previous, pick) + 0.25 * Math.abs(mean - CENTRE), crowding: crowding(pick), pick };
    if (best === null || isBefore(choice, best)) best = choice;
  }
  return best?.pick ?? [];
}

function isBefore(a: { cost: number; crowding: number; pick: readonly number[] }, b: typeof a): boolean {
  if (a.cost !== b.cost) return a.cost < b.cost;
  if (a.crowding !== b.crowding) return a.crowding < b.crowding;
  const at = a.pick.findIndex((pitch, index) => pitch !== b.pick[index]);
  return at >= 0 && (a.pick[at] as number) < (b.pick[at] as number);
}

/** Every way to put one pitch of each class into the range, each rising. */
function placements(classes: readonly number[]): number[][] {
  let picks: number[][] = [[]];
  for (const wanted of classes) {
    const choices: number[] = [];
    for (let pitch = LOW; pitch <= HIGH; pitch++) if (pitch % 12 === wanted) choices.push(pitch);
    picks = picks.flatMap((pick) => choices.map((pitch) => [...pick, pitch]));
  }
  return picks.map((pick) => pick.sort((a, b) => a - b));
}

/** Semitones moved if every voice goes to its nearest neighbour, both ways. */
function movement(previous: readonly number[], pick: readonly number[]): number {
  if (previous.length === 0) return 0;
  return Math.max(nearest(pick, previous), nearest(previous, pick));
}

function nearest(from: readonly number[], to: readonly number[]): number {
  return from.reduce((sum, pitch) => sum + Math.min(...to.map((other) => Math.abs(other - pitch))), 0);
}

function crowding(pick: readonly number[]): number {
  return pick.filter((pitch, index) => pick[index + 1] === pitch + 1).length;
}
