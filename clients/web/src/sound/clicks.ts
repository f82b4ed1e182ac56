/** The metronome: clicks handed to the audio clock ahead of time, and taken back when they are no longer wanted. Shell. */

import type { Click } from "../contracts.ts";

const CLICK_S = 0.04;
/** As loud as a loud note. */
const CLICK_LEVEL = 0.8;
const ACCENT_HZ = 1760;
const PLAIN_HZ = 1175;
/** A click that comes later than this would mislead: it is left out. */
const TOO_LATE_S = 0.02;
const SAME_S = 0.002;

export class Clicks {
  private readonly accent: AudioBuffer;
  private readonly plain: AudioBuffer;
  private readonly ahead = new Map<Click, AudioBufferSourceNode>();

  constructor(private readonly output: AudioNode) {
    this.accent = clickBuffer(output.context, ACCENT_HZ);
    this.plain = clickBuffer(output.context, PLAIN_HZ);
  }

  follow(clicks: readonly Click[]): void {
    const nowS = this.output.context.currentTime;
    for (const [click, source] of this.ahead) {
      if (click.timeS > nowS && !clicks.some((wanted) => isSame(wanted, click))) {
        source.stop(0);
        this.forget(click);
      }
    }
    const known = [...this.ahead.keys()];
    for (const click of clicks) {
      if (click.timeS > nowS - TOO_LATE_S && !known.some((other) => isSame(other, click))) this.schedule(click);
    }
  }

  private schedule(click: Click): void {
    const source = new AudioBufferSourceNode(this.output.context, { buffer: click.accent ? this.accent : this.plain });
    source.connect(this.output);
    source.onended = () => this.forget(click);
    source.start(Math.max(0, click.timeS));
    this.ahead.set(click, source);
  }

  private forget(click: Click): void {
    this.ahead.get(click)?.disconnect();
    this.ahead.delete(click);
  }
}

function isSame(one: Click, other: Click): boolean {
  return one.accent === other.accent && Math.abs(one.timeS - other.timeS) < SAME_S;
}

/** A short sine that dies away: its first period is its loudest, so the beat is where it begins. */
function clickBuffer(context: BaseAudioContext, frequencyHz: number): AudioBuffer {
  const { sampleRate } = context;
  const buffer = context.createBuffer(1, Math.ceil(CLICK_S * sampleRate), sampleRate);
  const audio = buffer.getChannelData(0);
  for (let i = 0; i < audio.length; i++)
    audio[i] = CLICK_LEVEL * Math.sin((2 * Math.PI * frequencyHz * i) / sampleRate) * (1 - i / audio.length) ** 4;
  return buffer;
}
