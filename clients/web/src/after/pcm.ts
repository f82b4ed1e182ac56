/** Samples as a WAV file: 16 bits, interleaved. Pure. */

const HEADER_BYTES = 44;
const BYTES = 2;

/** The header of a file of `frames` sample frames. */
export function wavHeader(frames: number, channels: number, sampleRate: number): Uint8Array<ArrayBuffer> {
  const dataBytes = frames * channels * BYTES;
  const header = new Uint8Array(HEADER_BYTES);
  const view = new DataView(header.buffer);
  const text = (at: number, word: string) => header.set(new TextEncoder().encode(word), at);
  text(0, "RIFF");
  view.setUint32(4, HEADER_BYTES - 8 + dataBytes, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, channels, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * channels * BYTES, true);
  view.setUint16(32, channels * BYTES, true);
  view.setUint16(34, 8 * BYTES, true);
  text(36, "data");
  view.setUint32(40, dataBytes, true);
  return header;
}

/** Samples from -1 to 1, a channel each, as interleaved 16-bit numbers; what is beyond stays at the limit. */
export function interleave(channels: readonly Float32Array[], frames: number): Int16Array<ArrayBuffer> {
  const samples = new Int16Array(frames * channels.length);
  channels.forEach((channel, c) => {
    for (let i = 0; i < frames; i++) {
      const value = channel[i] ?? 0;
      samples[i * channels.length + c] = Math.round(Math.max(-1, Math.min(1, value)) * 32767);
    }
  });
  return samples;
}

/** Adds `later` to `earlier`; the longer one's end stays. */
export function mixed(earlier: Float32Array, later: Float32Array): Float32Array {
  const [sum, other] = earlier.length >= later.length ? [earlier.slice(), later] : [later.slice(), earlier];
  other.forEach((value, i) => {
    sum[i] = (sum[i] as number) + value;
  });
  return sum;
}
