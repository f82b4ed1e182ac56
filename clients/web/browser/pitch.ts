/** What a recording sounds like, in numbers: loudness, first sound, pitch. Pure; runs in the page and in Node. */

export function rms(audio: Float32Array): number {
  let power = 0;
  for (const value of audio) power += value * value;
  return Math.sqrt(power / audio.length);
}

export function peak(audio: Float32Array): number {
  let highest = 0;
  for (const value of audio) highest = Math.max(highest, Math.abs(value));
  return highest;
}

/** Index of the first value louder than `level`; null in silence. */
export function firstSound(audio: Float32Array, level: number): number | null {
  const index = audio.findIndex((value) => Math.abs(value) > level);
  return index < 0 ? null : index;
}

/** Partials of a recording: how strong it is at a fractional MIDI pitch. Half a second tells semitones apart from C3 (48) on. */
export function strengthAt(audio: Float32Array, sampleRate: number): (pitch: number) => number {
  const windowed = audio.map((value, i) => value * (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / audio.length)));
  // Goertzel's recurrence: one frequency of a Fourier transform.
  return (pitch) => {
    const turn = 2 * Math.cos((2 * Math.PI * 440 * 2 ** ((pitch - 69) / 12)) / sampleRate);
    let [before, last] = [0, 0];
    for (const value of windowed) [before, last] = [last, value + turn * last - before];
    return Math.sqrt(Math.max(0, before * before + last * last - turn * before * last)) / audio.length;
  };
}

export interface Tuning {
  /** How far the note and its first overtones are off, in semitones. */
  off: number;
  /** How much stronger they are than those of both semitones beside. */
  clarity: number;
  /** Strength of the note itself as a share of the strongest partial anywhere. */
  share: number;
}

const OVERTONES = [1, 2, 3].map((number) => 12 * Math.log2(number));

export function tuningOf(audio: Float32Array, sampleRate: number, pitch: number): Tuning {
  const strength = strengthAt(audio, sampleRate);
  const together = (candidate: number) => OVERTONES.reduce((sum, overtone) => sum + strength(candidate + overtone), 0);
  const offs = Array.from({ length: 57 }, (_, i) => (i - 28) / 40);
  const off = offs.reduce((best, candidate) => (together(pitch + candidate) > together(pitch + best) ? candidate : best), 0);
  const partials = Array.from({ length: 336 }, (_, i) => strength(24 + i / 4));
  return {
    off,
    clarity: together(pitch + off) / Math.max(together(pitch - 1), together(pitch + 1)),
    share: strength(pitch + off) / Math.max(...partials),
  };
}
