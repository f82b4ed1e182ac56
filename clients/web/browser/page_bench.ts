/** What the benchmark of sound and input may ask of the page. Shell. */

import type { NoteInput, Strike } from "../src/contracts.ts";
import { createKeyboardInput } from "../src/input/keys.ts";
import { createSound } from "../src/sound/sound.ts";

const ASSETS = "/instruments/";
const FRAME_S = 0.125;
const LOW_RATE = 8000; // half an hour of samples must fit in memory; voices do not care
const LOOKAHEAD_FRAMES = 16;

export interface KeyTimes {
  /** From the event's own time stamp to the note being in the audio clock's hands. */
  fromEventMs: number[];
  /** Of that, our own code. */
  ownMs: number[];
}

const times: KeyTimes = { fromEventMs: [], ownMs: [] };

/** Plays the piano from the keyboard, and writes down how long each press takes until its note is scheduled. */
async function timeKeys(): Promise<void> {
  const context = new AudioContext({ latencyHint: "interactive" });
  await context.resume();
  const sound = createSound(context, { assets: ASSETS });
  await sound.setInstrument("melody", "piano");
  let begunMs = 0;
  let stampMs = 0;
  addEventListener("keydown", (event) => {
    begunMs = performance.now();
    stampMs = event.timeStamp;
  });
  const sink = (note: NoteInput) => {
    if (!note.on) return sound.noteOff(note.pitch);
    sound.noteOn(note.pitch, note.velocity);
    const nowMs = performance.now();
    times.ownMs.push(nowMs - begunMs);
    times.fromEventMs.push(nowMs - stampMs);
  };
  createKeyboardInput(window, sink, { nowS: () => context.currentTime, ofEventS: () => context.currentTime }).attach();
}

function keyTimes(): KeyTimes {
  return times;
}

/** Milliseconds from asking for an instrument to being able to play it, its file fetched anew. */
async function timeToReady(instrument: "piano"): Promise<number> {
  const context = new AudioContext();
  const begunMs = performance.now();
  await createSound(context, { assets: ASSETS }).setInstrument("melody", instrument);
  const readyMs = performance.now() - begunMs;
  await context.close();
  return readyMs;
}

/** Bytes of used heap, after a collection, at every fifth minute of a jam of so many minutes: a note, a plan and a click in each frame. */
async function heapOverJam(minutes: number): Promise<number[]> {
  const context = new OfflineAudioContext(1, minutes * 60 * LOW_RATE, LOW_RATE);
  const sound = createSound(context, { assets: ASSETS });
  await Promise.all([sound.setInstrument("melody", "piano"), sound.setInstrument("chords", "epiano")]);
  const frames = Math.floor((minutes * 60) / FRAME_S);
  const heap: number[] = [];
  const play = async (frame: number): Promise<void> => {
    playFrame(frame, sound);
    if (frame % (300 / FRAME_S) === 0) heap.push(await settledHeap());
    if (frame + 1 < frames) void context.suspend((frame + 1) * FRAME_S).then(() => play(frame + 1));
    if (frame > 0) await context.resume();
  };
  await play(0);
  await context.startRendering();
  heap.push(await settledHeap());
  return heap;
}

function playFrame(frame: number, sound: ReturnType<typeof createSound>): void {
  if (frame % 2 === 0) sound.noteOn(60 + ((frame / 2) % 24), 80);
  else sound.noteOff(60 + (((frame - 1) / 2) % 24));
  // A chord a beat; every tick brings a new plan of it, whose end is another chord each time.
  const strikes: Strike[] = [];
  for (let at = frame - (frame % 4); at < frame + LOOKAHEAD_FRAMES; at += 4) {
    strikes.push({ timeS: at * FRAME_S, pitches: [48, 64, 67 + (at > frame + 8 ? frame % 3 : 0)], velocity: 78 });
  }
  sound.followChords(strikes);
  sound.followClicks(strikes.map(({ timeS }) => ({ timeS, accent: false })));
}

async function settledHeap(): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 50));
  (globalThis as unknown as { gc(): void }).gc();
  return (performance as unknown as { memory: { usedJSHeapSize: number } }).memory.usedJSHeapSize;
}

export const benchFunctions = { timeKeys, keyTimes, timeToReady, heapOverJam };
