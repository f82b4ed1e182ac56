/** A jam as a WAV file, rendered offline by the sampler that plays live, window by window so that an hour fits in memory. Shell. */

import type { SessionRecord, WavOptions } from "../contracts.ts";
import { Library } from "../sound/library.ts";
import { soundWith } from "../sound/sound.ts";
import { interleave, mixed, wavHeader } from "./pcm.ts";
import { replayTimeline } from "./replay.ts";
import { type Window, windowsOf } from "./windows.ts";

const RATE = 44100;
const CHANNELS = 2;
const WINDOW_S = 10;
/** The last notes ring out. */
const TAIL_S = 2.5;

/** Rejects with one sentence when an instrument cannot be loaded. */
export async function toWav(record: SessionRecord, options: WavOptions): Promise<Blob> {
  const library = new Library(new OfflineAudioContext(1, 1, RATE), options.assets);
  const timeline = replayTimeline(record, 0, 0);
  const windows = windowsOf(timeline, WINDOW_S);
  const windowFrames = WINDOW_S * RATE;

  const parts: Int16Array<ArrayBuffer>[] = [];
  let tail: Float32Array[] = [new Float32Array(), new Float32Array()];
  for (const [i, window] of windows.entries()) {
    const rendered = await render(window, record, library, options);
    const sum = tail.map((channel, c) => mixed(channel, rendered[c] as Float32Array));
    const isLast = i === windows.length - 1;
    parts.push(interleave(sum, isLast ? Math.ceil((timeline.endS - i * WINDOW_S + TAIL_S) * RATE) : windowFrames));
    tail = sum.map((channel) => channel.slice(windowFrames));
    options.onProgress?.((i + 1) / windows.length);
  }
  const frames = parts.reduce((total, part) => total + part.length / CHANNELS, 0);
  return new Blob([wavHeader(frames, CHANNELS, RATE), ...parts], { type: "audio/wav" });
}

async function render(window: Window, record: SessionRecord, library: Library, options: WavOptions): Promise<Float32Array[]> {
  const context = new OfflineAudioContext(CHANNELS, Math.ceil((window.lastsS + TAIL_S) * RATE), RATE);
  const sound = soundWith(context, library);
  sound.setVolume("melody", options.volumes.melody);
  sound.setVolume("chords", options.volumes.chords);
  const { melody, chords } = record.instruments;
  await Promise.all([sound.setInstrument("melody", melody), sound.setInstrument("chords", chords)]);
  sound.followChords(window.strikes);
  for (const { pitch, velocity, atS, untilS } of window.notes) {
    sound.noteOn(pitch, velocity, atS);
    sound.noteOff(pitch, untilS);
  }
  const audio = await context.startRendering();
  return Array.from({ length: CHANNELS }, (_, channel) => audio.getChannelData(channel));
}
