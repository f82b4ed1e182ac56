/** The computer keyboard as a piano of two rows: letters of the middle row are white keys, those above are black. Pure. */

/** Physical keys (as `KeyboardEvent.code`, whatever the layout prints on them) from C upwards, a semitone each; gaps are no keys. */
const ROWS: readonly (readonly [code: string, semitone: number, label: string])[] = [
  ["KeyA", 0, "A"],
  ["KeyW", 1, "W"],
  ["KeyS", 2, "S"],
  ["KeyE", 3, "E"],
  ["KeyD", 4, "D"],
  ["KeyF", 5, "F"],
  ["KeyT", 6, "T"],
  ["KeyG", 7, "G"],
  ["KeyY", 8, "Y"],
  ["KeyH", 9, "H"],
  ["KeyU", 10, "U"],
  ["KeyJ", 11, "J"],
  ["KeyK", 12, "K"],
  ["KeyO", 13, "O"],
  ["KeyL", 14, "L"],
  ["KeyP", 15, "P"],
  ["Semicolon", 16, ";"],
  ["Quote", 17, "'"],
  ["BracketRight", 18, "]"],
];
const SEMITONES = new Map(ROWS.map(([code, semitone]) => [code, semitone]));

export const OCTAVE_DOWN = "KeyZ";
export const OCTAVE_UP = "KeyX";
/** The octave of middle C is 4; of this range every key of both rows is a MIDI note. */
export const LOWEST_OCTAVE = 0;
export const HIGHEST_OCTAVE = 7;

export function pitchOfKey(code: string, octave: number): number | null {
  const semitone = SEMITONES.get(code);
  return semitone === undefined ? null : 12 * (octave + 1) + semitone;
}

export function clampOctave(octave: number): number {
  return Math.min(HIGHEST_OCTAVE, Math.max(LOWEST_OCTAVE, octave));
}

/** What to print on each pitch. `layout` says what this keyboard prints on a physical key, where the browser knows. */
export function keyLabels(octave: number, layout: ReadonlyMap<string, string> | null): Map<number, string> {
  return new Map(ROWS.map(([code, semitone, label]) => [12 * (octave + 1) + semitone, (layout?.get(code) ?? label).toUpperCase()]));
}
