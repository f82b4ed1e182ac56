/** Chord values as symbols and tones, by the vocabulary that comes with the weights. Pure. */

import { NOTHING, soundOf } from "./values.ts";
import type { Tones } from "./voicing.ts";
import type { Vocabulary } from "./weights.ts";

/** A symbol or setting that these weights do not know; the text says what was expected and what came. */
export class UnknownWord extends Error {
  constructor(expected: string, got: string) {
    super(`expected ${expected}, got ${got}`);
    this.name = "UnknownWord";
  }
}

/** Reads and writes the symbols of plans. */
export class Symbols {
  readonly numChords: number;
  readonly #vocabulary: Vocabulary;
  readonly #indices: ReadonlyMap<string, number>;
  readonly #symbols: readonly string[];

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
    this.#symbols = vocabulary.roots.flatMap((root) => vocabulary.qualities.map((quality) => root + quality.suffix));
    this.#indices = new Map(this.#symbols.map((symbol, index) => [symbol, index]));
    this.numChords = this.#symbols.length;
  }

  /** The symbol of what sounds in a frame of this value. */
  symbolOf(value: number): string {
    const index = soundOf(value, this.numChords);
    return index === null ? this.#vocabulary.no_chord : (this.#symbols[index] as string); // values are below 1 + 2 x numChords
  }

  /** The value of a frame in which this symbol is struck or held. Throws UnknownWord. */
  valueFor(symbol: string, isOnset: boolean): number {
    if (symbol === this.#vocabulary.no_chord) return NOTHING;
    const index = this.#indices.get(symbol);
    if (index === undefined) throw new UnknownWord("a chord symbol as plans have them", symbol);
    return 1 + index + (isOnset ? 0 : this.numChords);
  }

  /** Root and intervals of what sounds; null for no chord. */
  tonesOf(value: number): Tones | null {
    const index = soundOf(value, this.numChords);
    if (index === null) return null;
    const { qualities } = this.#vocabulary;
    const { intervals } = qualities[index % qualities.length] as (typeof qualities)[number];
    return { root: Math.floor(index / qualities.length), intervals };
  }

  /** Numbers of a density and a style. Throws UnknownWord. */
  controlsOf(density: string, style: string): { density: number; style: number } {
    return { density: indexOf(this.#vocabulary.densities, density), style: indexOf(this.#vocabulary.styles, style) };
  }
}

function indexOf(words: readonly string[], word: string): number {
  const index = words.indexOf(word);
  if (index < 0) throw new UnknownWord(`one of ${words.join(", ")}`, word);
  return index;
}
