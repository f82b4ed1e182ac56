/** One instrument in memory: decodes a `.sound` file and starts voices of its recordings. Shell. */

import type { Envelope } from "./envelope.ts";
import { type Layer, layersFor, rateFor, readSoundFile, type SoundTable } from "./soundfile.ts";
import { startVoice, type Voice } from "./voice.ts";
import { decodeVorbis } from "./vorbis.ts";

/** Anything that can sound a note into `output`: a sampler, or the plain tone that stands in until one is loaded. */
export interface Player {
  start(output: AudioNode, pitch: number, velocity: number, startS: number, onEnded: () => void): Voice;
}

/** Raises an Error with one sentence when the file is missing, or broken. */
export async function loadSampler(context: BaseAudioContext, url: string): Promise<Player> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`expected an instrument at ${url}, got HTTP ${response.status}: build the app again`);
  const { table, streams } = readSoundFile(new Uint8Array(await response.arrayBuffer()));
  const buffers = await Promise.all(streams.map((stream) => decodeVorbis(context, stream)));
  return new Sampler(table, buffers);
}

class Sampler implements Player {
  constructor(
    private readonly table: SoundTable,
    private readonly buffers: readonly AudioBuffer[],
  ) {}

  start(output: AudioNode, pitch: number, velocity: number, startS: number, onEnded: () => void): Voice {
    const layers = layersFor(this.table, pitch, velocity);
    let sounding = layers.length;
    const voices = layers.map((layer) => this.startLayer(layer, output, pitch, velocity, startS, () => --sounding || onEnded()));
    return {
      end: (endS) => {
        for (const voice of voices) voice.end(endS);
      },
      cut: () => {
        for (const voice of voices) voice.cut();
      },
    };
  }

  private startLayer(layer: Layer, output: AudioNode, pitch: number, velocity: number, startS: number, onEnded: () => void): Voice {
    const { context } = output;
    const source = new AudioBufferSourceNode(context, {
      buffer: this.buffers[layer.sample] as AudioBuffer,
      playbackRate: rateFor(layer, pitch),
    });
    const loop = this.table.samples[layer.sample]?.loop;
    if (loop) [source.loop, source.loopStart, source.loopEnd] = [true, ...loop];
    const gain = new GainNode(context);
    const nodes: AudioNode[] = [source];
    if (layer.cutoff && layer.cutoff < context.sampleRate / 2) nodes.push(new BiquadFilterNode(context, { frequency: layer.cutoff, Q: 0 }));
    nodes.push(gain);
    if (layer.pan) nodes.push(new StereoPannerNode(context, { pan: layer.pan }));
    connect([...nodes, output]);
    return startVoice({ source, gain, nodes }, { ...layer, peak: layer.gain * loudness(velocity) }, startS, onEnded);
  }
}

const TONE: Omit<Envelope, "peak"> = { attackS: 0.005, holdS: 0, decayS: 4, sustain: 0.3, releaseS: 0.4 };
const TONE_LEVEL = 0.4;

/** A triangle wave: what sounds while an instrument is on its way, or when it never came. */
export const tone: Player = {
  start(output, pitch, velocity, startS, onEnded) {
    const { context } = output;
    const source = new OscillatorNode(context, { type: "triangle", frequency: 440 * 2 ** ((pitch - 69) / 12) });
    const gain = new GainNode(context);
    connect([source, gain, output]);
    return startVoice({ source, gain, nodes: [source, gain] }, { ...TONE, peak: TONE_LEVEL * loudness(velocity) }, startS, onEnded);
  },
};

/** SoundFont 2.04, 8.4.1: loudness falls with the square of the velocity. */
function loudness(velocity: number): number {
  return (velocity / 127) ** 2;
}

function connect(chain: readonly AudioNode[]): void {
  chain.reduce((from, to) => from.connect(to));
}
