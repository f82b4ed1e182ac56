/** Turns one preset of a SoundFont into the region table and streams of a `.sound` file. Pure. */
import { type BasicPreset, type BasicSample, GeneratorTypes as G, type VoiceParameters } from "spessasynth_core";
import type { Band, Layer, Sample, SoundFile, SoundTable, Zone } from "../src/sound/soundfile.ts";
import { withWholeEnd } from "./ogg.ts";

// Chords follow each other in a jam: strings that ring for 10 s after release would blur every change of harmony.
const LONGEST_RELEASE_S = 2.5;
const SHORTEST_S = 0.001;
/** SoundFont 2.04, 8.1.3: from this cutoff on the filter is open. */
const OPEN_FILTER_CENTS = 13500;
/** Loudness every instrument is brought to: root mean square of the loudest third of a second, averaged over keys. */
const TARGET_RMS = 0.25;
const LEVEL_KEYS = [48, 55, 60, 67, 72];
const LEVEL_VELOCITY = 100;
/** SoundFont instruments have one release per velocity; the difference is not worth its bytes. */
const RELEASE_VELOCITY = 100;

/** `octaves` moves the whole preset. */
export function bakePreset(id: string, preset: BasicPreset, octaves = 0): SoundFile {
  const samples: BasicSample[] = [];
  const layers: Layer[] = [];
  const layerKeys = new Map<string, number>();

  const indexOf = (layer: Layer): number => {
    const key = JSON.stringify(layer);
    const known = layerKeys.get(key);
    if (known !== undefined) return known;
    layerKeys.set(key, layers.length);
    return layers.push(layer) - 1;
  };
  const sampleIndex = (sample: BasicSample): number => {
    const known = samples.indexOf(sample);
    return known >= 0 ? known : samples.push(sample) - 1;
  };

  const zones: Zone[] = [];
  for (let key = 0; key < 128; key++) {
    // A preset may be silent at the ends of the keyboard: the nearest sounding key is stretched.
    const nearest = nearestSounding(preset, key);
    const bands: Band[] = [];
    for (let velocity = 1; velocity < 128; velocity++) {
      const voices = preset.getVoiceParameters(nearest, velocity);
      const releases = preset.getVoiceParameters(nearest, RELEASE_VELOCITY);
      const indices = voices.map((voice, i) => indexOf(layerOf(voice, releases[i] ?? voice, sampleIndex(voice.sample))));
      addOrExtend(bands, { velocity, layers: indices }, (band) => JSON.stringify(band.layers));
    }
    addOrExtend(zones, { key, bands }, (zone) => JSON.stringify(zone.bands));
  }

  const gain = TARGET_RMS / loudness(preset);
  for (const layer of layers) {
    layer.gain = rounded(layer.gain * gain);
    layer.root = rounded(layer.root - 12 * octaves);
  }
  const streams = samples.map((sample) => withWholeEnd(new Uint8Array(sample.getRawData(true))));
  const table: SoundTable = {
    id,
    samples: samples.map((sample, i) => sampleOf(sample, streams[i]?.length ?? 0, layers, i)),
    layers,
    zones,
  };
  return { table, streams };
}

/** Appends an entry, or lets the last one reach further if both say the same. */
function addOrExtend<T extends Band | Zone>(entries: T[], entry: T, say: (entry: T) => string): void {
  const last = entries.at(-1);
  if (last && say(last) === say(entry)) Object.assign(last, entry);
  else entries.push(entry);
}

function nearestSounding(preset: BasicPreset, key: number): number {
  for (let distance = 0; distance < 128; distance++) {
    for (const candidate of [key - distance, key + distance]) {
      const sounds = candidate >= 0 && candidate < 128 && preset.getVoiceParameters(candidate, LEVEL_VELOCITY).length > 0;
      if (sounds) return candidate;
    }
  }
  throw new Error(`expected a preset that sounds, got silence on every key: ${preset.name}`);
}

function layerOf(voice: VoiceParameters, releaseOf: VoiceParameters, sample: number): Layer {
  const at = (type: number): number => voice.generators[type] ?? 0;
  const { originalKey, pitchCorrection } = voice.sample;
  const overriding = at(G.overridingRootKey);
  const root = overriding >= 0 ? overriding : originalKey;
  const tuningCents = at(G.coarseTune) * 100 + at(G.fineTune) + pitchCorrection;
  const cutoffCents = at(G.initialFilterFc) + Math.max(0, at(G.modEnvToFilterFc)) / 2;
  if (at(G.scaleTuning) !== 100)
    throw new Error(`expected semitones between keys, got ${at(G.scaleTuning)} cents: teach the table scale tuning`);
  const layer: Layer = {
    sample,
    root: rounded(root - tuningCents / 100),
    gain: rounded(10 ** (-at(G.initialAttenuation) / 200)),
    pan: rounded(at(G.pan) / 500),
    attackS: seconds(at(G.attackVolEnv)),
    holdS: seconds(at(G.holdVolEnv)),
    decayS: seconds(at(G.decayVolEnv)),
    sustain: rounded(10 ** (-at(G.sustainVolEnv) / 200)),
    releaseS: Math.min(LONGEST_RELEASE_S, seconds(releaseOf.generators[G.releaseVolEnv] ?? 0)),
  };
  if (cutoffCents < OPEN_FILTER_CENTS) layer.cutoff = Math.round(8.176 * 2 ** (cutoffCents / 1200));
  return layer;
}

/** SoundFont 2.04, 8.1.2: times are in timecents, 1200 to the octave of a second. */
function seconds(timecents: number): number {
  return Math.max(SHORTEST_S, rounded(2 ** (timecents / 1200)));
}

function sampleOf(sample: BasicSample, bytes: number, layers: Layer[], index: number): Sample {
  if (!sample.isCompressed) throw new Error(`expected an Ogg Vorbis stream, got PCM: ${sample.name}`);
  const isUsed = layers.some((layer) => layer.sample === index);
  if (!isUsed) throw new Error(`expected a sample that some layer plays, got none: ${sample.name}`);
  return { bytes, loop: [sample.loopStart / sample.sampleRate, sample.loopEnd / sample.sampleRate].map(exact) as [number, number] };
}

/** Mean over the middle keys of the loudest third of a second: what quiet and loud instruments are levelled by. */
function loudness(preset: BasicPreset): number {
  const levels = LEVEL_KEYS.map((key) => {
    const powers = preset.getVoiceParameters(key, LEVEL_VELOCITY).map((voice) => {
      const gain = 10 ** (-(voice.generators[G.initialAttenuation] ?? 0) / 200);
      return (gain * loudestRms(voice.sample.getAudioData(), Math.round(voice.sample.sampleRate / 3))) ** 2;
    });
    return Math.sqrt(powers.reduce((sum, power) => sum + power, 0));
  });
  return levels.reduce((sum, level) => sum + level, 0) / levels.length;
}

function loudestRms(audio: Float32Array, window: number): number {
  let power = 0;
  let loudest = 0;
  for (let i = 0; i < audio.length; i++) {
    power += (audio[i] as number) ** 2;
    if (i >= window) power -= (audio[i - window] as number) ** 2;
    loudest = Math.max(loudest, power);
  }
  return Math.sqrt(loudest / Math.min(window, audio.length));
}

function rounded(value: number): number {
  return Number(value.toPrecision(5));
}

/** Loop points need their sample: a tenth of a microsecond is enough. */
function exact(value: number): number {
  return Number(value.toFixed(7));
}
