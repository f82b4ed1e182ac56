/** Chord symbols and note names as musicians write them, with real flats and sharps. Pure. */

const FLATS = ["C", "D♭", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"] as const;

/** `Bbmaj7` -> `B♭maj7`, `F#m7b5` -> `F♯m7♭5`; the same letters as on the wire otherwise. */
export function pretty(symbol: string): string {
  const root = symbol.slice(0, symbol[1] === "b" || symbol[1] === "#" ? 2 : 1);
  const quality = symbol.slice(root.length);
  return root.replace("b", "♭").replace("#", "♯") + quality.replace(/b(?=\d)/g, "♭").replace(/#(?=\d)/g, "♯");
}

/** For a screen reader: `B♭maj7` -> "B flat major 7" would be a language's own matter; this spells the signs out. */
export function spoken(symbol: string, words: { readonly flat: string; readonly sharp: string; readonly none: string }): string {
  if (symbol === "N") return words.none;
  return pretty(symbol).replaceAll("♭", ` ${words.flat} `).replaceAll("♯", ` ${words.sharp} `).trim();
}

/** `C4` for 60. */
export function noteName(pitch: number): string {
  return `${FLATS[pitch % 12]}${Math.floor(pitch / 12) - 1}`;
}
