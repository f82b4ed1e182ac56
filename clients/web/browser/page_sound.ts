/** What tests of the sound may ask of the page: each function plays or renders something and tells it in numbers. Shell. */

import { toWav } from "../src/after/wav.ts";
import type { Channel, Click, Instrument, SessionRecord, Sound, Strike } from "../src/contracts.ts";
import { createSound } from "../src/sound/sound.ts";
import { readSoundFile } from "../src/sound/soundfile.ts";
import { firstSound, peak, rms, strengthAt, type Tuning, tuningOf } from "./pitch.ts";

const RATE = 44100;
const ASSETS = "/instruments/";

export interface Heard {
  rms: number;
  peak: number;
  firstSoundS: number | null;
  tuning: Tuning;
  afterReleasePeak: number;
}

/** One second of one note from `startS` on, rendered offline as the app would play it. */
async function renderNote(instrument: Instrument, pitch: number, velocity: number, startS: number): Promise<Heard> {
  const context = new OfflineAudioContext(1, 5 * RATE, RATE);
  const sound = createSound(context, { assets: ASSETS });
  await sound.setInstrument("melody", instrument);
  sound.noteOn(pitch, velocity, startS);
  sound.noteOff(pitch, startS + 1);
  const audio = (await context.startRendering()).getChannelData(0);
  const stretch = (fromS: number, toS: number) => audio.slice(Math.round(fromS * RATE), Math.round(toS * RATE));
  const first = firstSound(audio, 0.0005);
  return {
    rms: rms(stretch(startS, startS + 0.75)),
    peak: peak(audio),
    firstSoundS: first === null ? null : first / RATE,
    tuning: tuningOf(stretch(startS + 0.25, startS + 0.75), RATE, pitch),
    afterReleasePeak: peak(stretch(startS + 3.1, 5)),
  };
}

/** How many seconds the longest gap is between where a loop ends and what this browser decoded of its recording. */
async function missingBehindLoops(instrument: Instrument): Promise<number> {
  const context = new OfflineAudioContext(1, RATE, RATE);
  const { table, streams } = readSoundFile(new Uint8Array(await (await fetch(`${ASSETS}${instrument}.sound`)).arrayBuffer()));
  const decoded = await Promise.all(streams.map((stream) => context.decodeAudioData(stream.buffer)));
  return Math.max(...decoded.map((buffer, i) => (table.samples[i]?.loop?.[1] ?? 0) - buffer.duration));
}

/** A record rendered to WAV, decoded again by the browser. */
async function renderWav(record: SessionRecord): Promise<WavHeard> {
  const shares: number[] = [];
  const blob = await toWav(record, { assets: ASSETS, volumes: { melody: 1, chords: 1 }, onProgress: (share) => shares.push(share) });
  const audio = await new OfflineAudioContext(2, 1, RATE).decodeAudioData(await blob.arrayBuffer());
  const channel = audio.getChannelData(0);
  const stretch = (fromS: number, toS: number) => channel.slice(Math.round(fromS * RATE), Math.round(toS * RATE));
  const seconds = Array.from({ length: Math.floor(audio.duration) }, (_, second) => rms(stretch(second, second + 1)));
  return { type: blob.type, durationS: audio.duration, channels: audio.numberOfChannels, seconds, peak: peak(channel), shares };
}

export interface WavHeard {
  type: string;
  durationS: number;
  channels: number;
  /** Loudness of each second. */
  seconds: number[];
  peak: number;
  shares: number[];
}

/** Something that happens to the sound at a moment of the rendering. */
export interface Deed {
  atS: number;
  noteOn?: [pitch: number, velocity: number];
  noteOff?: number;
  chords?: Strike[];
  clicks?: Click[];
  volume?: [Channel, number];
  panic?: true;
}

const STEP_S = 0.1;

/**
 * Plays a script and tells, for each tenth of a second, how strong each pitch is and how loud all of it. No instrument is loaded, so the plain tone plays. The rendering
 * is halted at each deed, so deeds are exact to a render quantum, as live they are exact to the moment they are called.
 */
async function renderScript(script: Deed[], pitches: number[], lastsS: number): Promise<{ strengths: number[][]; peaks: number[] }> {
  const context = new OfflineAudioContext(1, lastsS * RATE, RATE);
  const sound = createSound(context, { assets: ASSETS });
  for (const deed of script) {
    if (deed.atS === 0) perform(sound, deed);
    else
      context.suspend(deed.atS).then(() => {
        perform(sound, deed);
        return context.resume();
      });
  }
  const audio = (await context.startRendering()).getChannelData(0);
  const steps = Array.from({ length: Math.round(lastsS / STEP_S) }, (_, i) => audio.slice(i * STEP_S * RATE, (i + 1) * STEP_S * RATE));
  const strengths = steps.map((step) => strengthAt(step, RATE));
  return { strengths: pitches.map((pitch) => strengths.map((strength) => strength(pitch))), peaks: steps.map(peak) };
}

function perform(sound: Sound, { noteOn, noteOff, chords, clicks, volume, panic }: Deed): void {
  if (noteOn) sound.noteOn(...noteOn);
  if (noteOff !== undefined) sound.noteOff(noteOff);
  if (chords) sound.followChords(chords);
  if (clicks) sound.followClicks(clicks);
  if (volume) sound.setVolume(...volume);
  if (panic) sound.allNotesOff();
}

/** The same on a browser whose own decoder refuses Ogg Vorbis, as Safari's does. */
async function renderNoteUndecoded(...note: Parameters<typeof renderNote>): Promise<Heard> {
  const native = BaseAudioContext.prototype.decodeAudioData;
  BaseAudioContext.prototype.decodeAudioData = () => Promise.reject(new DOMException("Decoding failed", "EncodingError"));
  try {
    return await renderNote(...note);
  } finally {
    BaseAudioContext.prototype.decodeAudioData = native;
  }
}

export const soundFunctions = { renderNote, renderNoteUndecoded, renderScript, renderWav, missingBehindLoops };
