/**
 * The `.sound` file of one instrument: a region table and the Ogg Vorbis streams it refers to, written by `bake/`. Pure.
 *
 * Layout: u32 little-endian length of the header, the header as JSON, then the streams one after another.
 */

/** One recording. Loop points are seconds, so that they survive decoding to another sample rate; none means it plays once. */
export interface Sample {
  bytes: number;
  loop?: [startS: number, endS: number];
}

/** How one sample sounds for a range of keys. Times are seconds; decay and release are the time of a fall by 100 dB. */
export interface Layer {
  sample: number;
  /** The MIDI pitch, with its fraction, at which the recording plays unchanged. */
  root: number;
  gain: number;
  pan: number;
  /** Hz of the low-pass; none means open. */
  cutoff?: number;
  attackS: number;
  holdS: number;
  decayS: number;
  sustain: number;
  releaseS: number;
}

/** Layers for velocities up to `velocity`, included; bands rise. */
export interface Band {
  velocity: number;
  layers: number[];
}

/** Bands for keys up to `key`, included; zones rise and cover 0..127. */
export interface Zone {
  key: number;
  bands: Band[];
}

export interface SoundTable {
  id: string;
  samples: Sample[];
  layers: Layer[];
  zones: Zone[];
}

export interface SoundFile {
  table: SoundTable;
  /** One Ogg Vorbis stream per sample. */
  streams: Uint8Array<ArrayBuffer>[];
}

export function writeSoundFile(file: SoundFile): Uint8Array<ArrayBuffer> {
  const header = new TextEncoder().encode(JSON.stringify(file.table));
  const size = file.streams.reduce((sum, stream) => sum + stream.length, 4 + header.length);
  const bytes = new Uint8Array(size);
  new DataView(bytes.buffer).setUint32(0, header.length, true);
  bytes.set(header, 4);
  let at = 4 + header.length;
  for (const stream of file.streams) {
    bytes.set(stream, at);
    at += stream.length;
  }
  return bytes;
}

/** Raises an Error with one sentence when the file is cut short or is none of ours (an error page, say). */
export function readSoundFile(bytes: Uint8Array<ArrayBuffer>): SoundFile {
  const refuse = (got: string) => new Error(`expected a .sound file, got ${got}: build the sounds again`);
  if (bytes.length < 4) throw refuse(`${bytes.length} bytes`);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  if (4 + length > bytes.length) throw refuse("something else");
  let table: SoundTable;
  try {
    table = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  } catch {
    throw refuse("an unreadable header");
  }
  let at = 4 + length;
  const streams = table.samples.map((sample) => {
    at += sample.bytes;
    return bytes.slice(at - sample.bytes, at);
  });
  if (at !== bytes.length) throw refuse(`${bytes.length} bytes instead of ${at}`);
  return { table, streams };
}

/** The layers that sound together for one key and velocity. */
export function layersFor(table: SoundTable, pitch: number, velocity: number): Layer[] {
  const zone = table.zones.find((candidate) => pitch <= candidate.key);
  const band = zone?.bands.find((candidate) => velocity <= candidate.velocity);
  return (band?.layers ?? []).map((index) => table.layers[index] as Layer);
}

/** Playback rate of a layer's sample for a pitch. */
export function rateFor(layer: Layer, pitch: number): number {
  return 2 ** ((pitch - layer.root) / 12);
}
