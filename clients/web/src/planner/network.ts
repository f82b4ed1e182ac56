/**
 * The network of `inference/model.py` for one player: a pre-norm decoder with one position per frame and cached keys and values. Pure.
 *
 * Position 0 is the prefix (the controls); position i + 1 holds frame i of the window and predicts the chord of frame i + 1 and, given
 * that chord, its melody. Feeding a position needs the keys and values of all positions before it in the same cache.
 */

import { add, addRow, multiply, normalize, room, rotate, rotations, silu } from "./arithmetic.ts";
import { isOnset, NOTHING, NUM_PITCHES, soundOf } from "./values.ts";
import type { Matrix, Sizes, Vocabulary, Weights } from "./weights.ts";

export const WINDOW_FRAMES = 256;
export const MAX_BAR_FRAMES = 48;
const KINDS = 3; // nothing, onset, hold
const ROPE_BASE = 10_000;

/** Controls of a whole window, by number. */
export interface Controls {
  readonly density: number;
  readonly style: number;
  readonly beatsPerBar: number;
}

/** What one frame holds: chord and melody values, and the frames since the bar line. */
export interface Fed {
  readonly chord: number;
  readonly melody: number;
  readonly place: number;
}

/** Keys and values of all positions of one window, layer by layer. */
export interface Cache {
  readonly keys: readonly Float32Array[];
  readonly values: readonly Float32Array[];
}

interface Block {
  readonly attentionNorm: Float32Array;
  readonly toQuery: Matrix;
  readonly toKeyValue: Matrix;
  readonly queryNorm: Float32Array;
  readonly keyNorm: Float32Array;
  readonly fromHeads: Matrix;
  readonly feedNorm: Float32Array;
  readonly toFeed: Matrix;
  readonly fromFeed: Matrix;
}

/** The weights in place, and the room a step needs. */
export class Network {
  readonly sizes: Sizes;
  readonly numChords: number;
  readonly #numQualities: number;
  readonly #chord: { kind: Float32Array; root: Float32Array; quality: Float32Array };
  readonly #melody: { kind: Float32Array; pitch: Float32Array; pitchClass: Float32Array };
  readonly #place: Float32Array;
  readonly #controls: { density: Float32Array; style: Float32Array; beatsPerBar: Float32Array };
  readonly #blocks: readonly Block[];
  readonly #norm: Float32Array;
  readonly #chordHead: Matrix;
  readonly #melodyFromHidden: Matrix;
  readonly #melodyFromChord: Matrix;
  readonly #melodyHead: Matrix;
  readonly #rotations: Float64Array;
  readonly #scores = new Float64Array(WINDOW_FRAMES);

  constructor(weights: Weights, vocabulary: Vocabulary) {
    const sizes = weights.sizes;
    const [e, m] = [sizes.width, sizes.melody_head_width];
    this.sizes = sizes;
    this.#numQualities = vocabulary.qualities.length;
    this.numChords = vocabulary.roots.length * this.#numQualities;
    const table = (name: string, rows: number) => weights.table(`${name}.embedding`, rows, e);
    this.#chord = {
      kind: table("chord.kind", KINDS),
      root: table("chord.root", vocabulary.roots.length + 1),
      quality: table("chord.quality", this.#numQualities + 1),
    };
    this.#melody = {
      kind: table("melody.kind", KINDS),
      pitch: table("melody.pitch", NUM_PITCHES + 1),
      pitchClass: table("melody.pitch_class", 13),
    };
    this.#place = table("place", MAX_BAR_FRAMES);
    this.#controls = {
      density: table("density", vocabulary.densities.length),
      style: table("style", vocabulary.styles.length),
      beatsPerBar: table("beats_per_bar", 13),
    };
    this.#blocks = Array.from({ length: sizes.layers }, (_, index) => blockOf(weights, index));
    this.#norm = weights.table("norm.scale", e);
    this.#chordHead = weights.matrix("chord_head.kernel", 2 + this.numChords, e);
    this.#melodyFromHidden = weights.matrix("melody_from_hidden.kernel", m, e);
    this.#melodyFromChord = weights.matrix("melody_from_chord.kernel", m, e);
    this.#melodyHead = weights.matrix("melody_head.kernel", 2 + NUM_PITCHES, m);
    this.#rotations = rotations(WINDOW_FRAMES, sizes.head_width / 2, ROPE_BASE);
  }

  /** A cache for one window. */
  emptyCache(): Cache {
    const { layers, kv_heads: k, head_width: d } = this.sizes;
    const made = () => Array.from({ length: layers }, () => new Float32Array(WINDOW_FRAMES * k * d));
    return { keys: made(), values: made() };
  }

  /** Feeds one position and gives its hidden state; `held` is the controls at position 0, a frame elsewhere. */
  feed(cache: Cache, position: number, held: Controls | Fed): Float64Array {
    const x = "place" in held ? this.#embed(held) : this.#embedControls(held);
    for (const [index, block] of this.#blocks.entries()) {
      const attended = this.#attend(block, x, position, cache.keys[index] as Float32Array, cache.values[index] as Float32Array);
      const mixed = room(x.length);
      multiply(block.fromHeads, attended, mixed);
      add(x, mixed);
      this.#feedForward(block, x, mixed);
      add(x, mixed);
    }
    const hidden = new Float64Array(x.length);
    normalize(x, this.#norm, hidden);
    return hidden;
  }

  /** One logit per chord action of the frame that the position of `hidden` predicts. */
  chordLogits(hidden: Float64Array): Float64Array {
    const logits = room(this.#chordHead.rows);
    multiply(this.#chordHead, hidden, logits);
    return logits.subarray(0, this.#chordHead.rows);
  }

  /** One logit per melody action of that frame, given its chord value. */
  melodyLogits(hidden: Float64Array, chord: number): Float64Array {
    const { width, melody_head_width: m } = this.sizes;
    const [mixed, told, logits] = [room(m), room(m), room(this.#melodyHead.rows)];
    const embedded = new Float64Array(width);
    this.#addChord(embedded, chord);
    multiply(this.#melodyFromHidden, hidden, mixed);
    multiply(this.#melodyFromChord, embedded, told);
    for (let i = 0; i < m; i++) mixed[i] = silu((mixed[i] as number) + (told[i] as number));
    multiply(this.#melodyHead, mixed, logits);
    return logits.subarray(0, this.#melodyHead.rows);
  }

  #embed({ chord, melody, place }: Fed): Float64Array {
    const x = new Float64Array(this.sizes.width);
    const pitch = soundOf(melody, NUM_PITCHES);
    this.#addChord(x, chord);
    addRow(x, this.#melody.kind, kindOf(melody, NUM_PITCHES));
    addRow(x, this.#melody.pitch, pitch ?? NUM_PITCHES);
    addRow(x, this.#melody.pitchClass, pitch === null ? 12 : pitch % 12);
    addRow(x, this.#place, place);
    return x;
  }

  #embedControls({ density, style, beatsPerBar }: Controls): Float64Array {
    const x = new Float64Array(this.sizes.width);
    addRow(x, this.#controls.density, density);
    addRow(x, this.#controls.style, style);
    addRow(x, this.#controls.beatsPerBar, beatsPerBar);
    return x;
  }

  #addChord(x: Float64Array, value: number): void {
    const chord = soundOf(value, this.numChords);
    const numRoots = this.numChords / this.#numQualities;
    addRow(x, this.#chord.kind, kindOf(value, this.numChords));
    addRow(x, this.#chord.root, chord === null ? numRoots : Math.floor(chord / this.#numQualities));
    addRow(x, this.#chord.quality, chord === null ? this.#numQualities : chord % this.#numQualities);
  }

  /** What every head finds among the positions up to this one, whose keys and values are written first. */
  #attend(block: Block, x: Float64Array, position: number, keys: Float32Array, values: Float32Array): Float64Array {
    const { heads: h, kv_heads: k, head_width: d } = this.sizes;
    const [normed, query, fresh] = [new Float64Array(x.length), room(h * d), room(2 * k * d)];
    normalize(x, block.attentionNorm, normed);
    multiply(block.toQuery, normed, query);
    multiply(block.toKeyValue, normed, fresh);
    for (let head = 0; head < h; head++) this.#turn(query, head * d, block.queryNorm, position);
    for (let head = 0; head < k; head++) this.#turn(fresh, head * d, block.keyNorm, position);
    keys.set(fresh.subarray(0, k * d), position * k * d);
    values.set(fresh.subarray(k * d, 2 * k * d), position * k * d);
    const found = new Float64Array(h * d);
    for (let head = 0; head < h; head++) {
      this.#lookUp(query, head * d, Math.floor((head * k) / h) * d, position + 1, { keys, values, found });
    }
    return found;
  }

  #turn(x: Float64Array, start: number, scale: Float32Array, position: number): void {
    normalize(x, scale, x, start);
    rotate(x, start, this.#rotations, position, scale.length / 2);
  }

  /** One head: softmax over the first `count` positions. `offset` is where its keys begin within a position. */
  #lookUp(
    query: Float64Array,
    start: number,
    offset: number,
    count: number,
    { keys, values, found }: { keys: Float32Array; values: Float32Array; found: Float64Array },
  ): void {
    const { kv_heads: k, head_width: d } = this.sizes;
    const scores = this.#scores;
    let most = Number.NEGATIVE_INFINITY;
    for (let at = 0; at < count; at++) {
      const from = at * k * d + offset;
      let sum = 0;
      for (let i = 0; i < d; i++) sum += (query[start + i] as number) * (keys[from + i] as number);
      scores[at] = sum / Math.sqrt(d);
      most = Math.max(most, scores[at] as number);
    }
    let total = 0;
    for (let at = 0; at < count; at++) {
      scores[at] = Math.exp((scores[at] as number) - most);
      total += scores[at] as number;
    }
    for (let at = 0; at < count; at++) {
      const from = at * k * d + offset;
      const share = (scores[at] as number) / total;
      for (let i = 0; i < d; i++) found[start + i] = (found[start + i] as number) + share * (values[from + i] as number);
    }
  }

  /** SwiGLU of a normalised copy of x, into y. */
  #feedForward(block: Block, x: Float64Array, y: Float64Array): void {
    const f = this.sizes.feed_width;
    const [normed, both] = [new Float64Array(x.length), room(2 * f)];
    normalize(x, block.feedNorm, normed);
    multiply(block.toFeed, normed, both);
    for (let i = 0; i < f; i++) both[i] = silu(both[i] as number) * (both[f + i] as number);
    multiply(block.fromFeed, both, y);
  }
}

function kindOf(value: number, count: number): number {
  if (value === NOTHING) return 0;
  return isOnset(value, count) ? 1 : 2;
}

function blockOf(weights: Weights, index: number): Block {
  const { width: e, heads: h, kv_heads: k, head_width: d, feed_width: f } = weights.sizes;
  const scale = (name: string, size: number) => weights.table(`blocks.${index}.${name}.scale`, size);
  const matrix = (name: string, rows: number, columns: number) => weights.matrix(`blocks.${index}.${name}.kernel`, rows, columns);
  return {
    attentionNorm: scale("attention_norm", e),
    toQuery: matrix("to_query", h * d, e),
    toKeyValue: matrix("to_key_value", 2 * k * d, e),
    queryNorm: scale("query_norm", d),
    keyNorm: scale("key_norm", d),
    fromHeads: matrix("from_heads", e, h * d),
    feedNorm: scale("feed_norm", e),
    toFeed: matrix("to_feed", 2 * f, e),
    fromFeed: matrix("from_feed", e, f),
  };
}
