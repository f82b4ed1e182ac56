/** The exported checkpoint: what `planner.json` says, and its file of weights as the network wants them. Pure. */

const FORMAT = 1;
export const GROUP = 8; // outputs of a matrix that are computed together

/** Shape of the network, named as in `schema/manifest.py`. */
export interface Sizes {
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly kv_heads: number;
  readonly head_width: number;
  readonly feed_width: number;
  readonly melody_head_width: number;
  readonly listening_layers: number;
}

/** What the numbers of chords and controls mean; their order is their number. */
export interface Vocabulary {
  readonly no_chord: string;
  readonly roots: readonly string[];
  readonly qualities: readonly { readonly suffix: string; readonly intervals: readonly number[] }[];
  readonly densities: readonly string[];
  readonly styles: readonly string[];
}

/** A plan at temperature 1 that the loaded weights must reproduce before they play: after `melody` alone, 8 beats of chords. */
export interface Golden {
  readonly melody: readonly number[];
  readonly seed: number;
  readonly chords: readonly number[];
}

/** Written by `sideman/export_web.py`. */
export interface Manifest {
  readonly format: number;
  readonly model: string;
  readonly temperature: number;
  readonly sizes: Sizes;
  readonly vocabulary: Vocabulary;
  readonly golden: Golden;
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly dtype: string;
  readonly tensors: readonly { readonly name: string; readonly shape: readonly number[]; readonly offset: number }[];
}

/** Weights that must not be played with; the text says what was expected, what came and what to do. */
export class UnusableWeights extends Error {
  constructor(expected: string, got: string) {
    super(`expected ${expected}, got ${got}: build the page again (make web)`);
    this.name = "UnusableWeights";
  }
}

/** A matrix of rows x columns, GROUP rows interleaved, filled up with rows of zeros: packed[(row / GROUP) * columns + column][row % GROUP]. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly packed: Float32Array;
}

/** The weights by name. Its methods throw UnusableWeights. */
export class Weights {
  readonly sizes: Sizes;
  readonly #words: Uint16Array;
  readonly #tensors: ReadonlyMap<string, Manifest["tensors"][number]>;

  /** `data` is the file's content, whose SHA-256 somebody else has checked. */
  constructor(manifest: Manifest, data: ArrayBuffer) {
    if (manifest.format !== FORMAT) throw new UnusableWeights(`planner.json of format ${FORMAT}`, `format ${manifest.format}`);
    if (manifest.dtype !== "bfloat16") throw new UnusableWeights("weights in bfloat16", manifest.dtype);
    if (data.byteLength !== manifest.bytes) throw new UnusableWeights(`${manifest.bytes} bytes of weights`, `${data.byteLength}`);
    if (manifest.sizes.listening_layers > 0)
      throw new UnusableWeights("a model that plays along", `${manifest.model}, which hears all first`);
    this.sizes = manifest.sizes;
    this.#words = new Uint16Array(data);
    this.#tensors = new Map(manifest.tensors.map((tensor) => [tensor.name, tensor]));
  }

  /** A table or vector, row by row. */
  table(name: string, ...shape: number[]): Float32Array {
    const { words } = this.#find(name, shape);
    return widened(words);
  }

  /** The matrix of a linear layer. */
  matrix(name: string, rows: number, columns: number): Matrix {
    const values = this.table(name, rows, columns);
    const packed = new Float32Array(Math.ceil(rows / GROUP) * GROUP * columns);
    for (let row = 0; row < rows; row++) {
      const start = (row - (row % GROUP)) * columns + (row % GROUP);
      for (let column = 0; column < columns; column++) packed[start + column * GROUP] = values[row * columns + column] as number;
    }
    return { rows, columns, packed };
  }

  #find(name: string, shape: readonly number[]): { words: Uint16Array } {
    const tensor = this.#tensors.get(name);
    if (tensor === undefined || tensor.shape.join() !== shape.join()) {
      throw new UnusableWeights(`${name} of shape ${shape.join(" x ")}`, tensor === undefined ? "none" : tensor.shape.join(" x "));
    }
    const count = shape.reduce((product, size) => product * size, 1);
    return { words: this.#words.subarray(tensor.offset, tensor.offset + count) };
  }
}

/** bfloat16 is the upper half of float32, so nothing is rounded. Little-endian, as every browser's machine is. */
function widened(words: Uint16Array): Float32Array {
  const bits = new Uint32Array(words.length);
  for (let i = 0; i < words.length; i++) bits[i] = (words[i] as number) << 16;
  return new Float32Array(bits.buffer);
}
