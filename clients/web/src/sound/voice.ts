/** One note of one recording on the audio clock, whose end may be set, moved and taken back as long as it sounds. Shell. */

import { curve, cutOff, diesAfterS, type Envelope, type Step, silentAtS } from "./envelope.ts";

const FADE_S = 0.02;
/** A sustained note that everybody forgot ends after all. */
const LONGEST_S = 600;

export interface Voice {
  /** Lets go at `endS`; null takes an end in the future back. */
  end(endS: number | null): void;
  /** Silent almost at once, started or not. */
  cut(): void;
}

/** What a voice is made of: a source not yet started, and the gain that shapes it. */
export interface Chain {
  source: AudioScheduledSourceNode;
  gain: GainNode;
  /** All nodes from source to output, taken apart when the voice has ended. */
  nodes: AudioNode[];
}

/** Starts the chain's source at `startS` and tells when the last sample of it has sounded. */
export function startVoice(chain: Chain, envelope: Envelope, startS: number, onEnded: () => void): Voice {
  const { source, gain, nodes } = chain;
  const context = gain.context;
  let endS: number | null = null;

  const follow = (steps: readonly Step[], fromS: number) => {
    gain.gain.cancelScheduledValues(fromS);
    for (const { shape, level, atS } of steps) {
      if (shape === "set") gain.gain.setValueAtTime(level, atS);
      else if (shape === "linear") gain.gain.linearRampToValueAtTime(level, atS);
      else gain.gain.exponentialRampToValueAtTime(level, atS);
    }
  };
  const shape = (fromS: number) => {
    follow(curve(envelope, startS, fromS, endS), fromS);
    const diesS = diesAfterS(envelope);
    if (endS !== null) source.stop(silentAtS(envelope, endS));
    else source.stop(diesS === null ? startS + LONGEST_S : startS + diesS);
  };

  let isOver = false;
  const over = () => {
    if (isOver) return;
    isOver = true;
    for (const node of nodes) node.disconnect();
    onEnded();
  };

  gain.gain.value = 0;
  source.onended = over;
  source.start(startS);
  shape(startS);

  return {
    end(newEndS) {
      const nowS = context.currentTime;
      if (endS !== null && endS <= nowS) return;
      const before = endS ?? Number.POSITIVE_INFINITY;
      endS = newEndS === null ? null : Math.max(newEndS, startS, nowS);
      shape(Math.min(before, endS ?? Number.POSITIVE_INFINITY));
    },
    cut() {
      const nowS = context.currentTime;
      if (nowS < startS) {
        source.stop(0);
        over();
        return;
      }
      follow(cutOff(envelope, startS, endS, nowS, FADE_S), nowS);
      source.stop(nowS + FADE_S);
    },
  };
}
