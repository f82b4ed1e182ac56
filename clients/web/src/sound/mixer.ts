/** The way from every part to the loudspeaker: a volume each, a master volume, and a limiter. Shell. */

import type { Channel } from "../contracts.ts";
import { limiterCurve, RANGE } from "./limiter.ts";

/** Volumes move without a click in the loudspeaker. */
const GLIDE_S = 0.015;

export class Mixer {
  private readonly channels: Record<Channel, GainNode>;

  constructor(private readonly context: BaseAudioContext) {
    // Not a DynamicsCompressor: its look-ahead would put 6 ms on every note played.
    const limiter = new WaveShaperNode(context, { curve: limiterCurve() });
    const master = new GainNode(context);
    master
      .connect(new GainNode(context, { gain: 1 / RANGE }))
      .connect(limiter)
      .connect(context.destination);
    const part = () => {
      const gain = new GainNode(context);
      gain.connect(master);
      return gain;
    };
    this.channels = { melody: part(), chords: part(), metronome: part(), master };
  }

  output(channel: Channel): AudioNode {
    return this.channels[channel];
  }

  /** 0..1; squared, because that is how loudness is heard. */
  setVolume(channel: Channel, volume: number): void {
    const level = Math.min(1, Math.max(0, volume)) ** 2;
    const { gain } = this.channels[channel];
    // A chosen volume holds from the first sample on; only changes while it sounds must glide.
    if (this.context.currentTime === 0) gain.value = level;
    else gain.setTargetAtTime(level, this.context.currentTime, GLIDE_S / 3);
  }
}
