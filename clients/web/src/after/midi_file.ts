/** Writes a jam as a MIDI file: melody and chords as played, chord symbols as markers, every tempo and metre. Pure. */

import type { Instrument, SessionRecord } from "../contracts.ts";
import { PROGRAMS } from "../sound/programs.ts";
import { frameAtS, struckChords } from "./timeline.ts";

const TICKS_PER_FRAME = 120;
const TICKS_PER_QUARTER = 4 * TICKS_PER_FRAME;
const CHORD_VELOCITY = 78;
const [MELODY_CHANNEL, CHORD_CHANNEL] = [0, 1];

interface Event {
  readonly tick: number;
  /** Of events at one tick the lower goes first: a note ends before the next begins. */
  readonly order: number;
  readonly bytes: readonly number[];
}

export function toMidi(record: SessionRecord): Uint8Array<ArrayBuffer> {
  const tracks = [conductor(record), melody(record), chords(record)];
  const end = tickOf(record.frames);
  const header = chunk("MThd", [...u16(1), ...u16(tracks.length), ...u16(TICKS_PER_QUARTER)]);
  return Uint8Array.from([...header, ...tracks.flatMap((events) => chunk("MTrk", trackBytes(events, end)))]);
}

function conductor(record: SessionRecord): Event[] {
  const tempo = record.tempo.map(({ frame, bpm }) => meta(frame, 0, 0x51, u24(Math.round(60_000_000 / bpm))));
  const metre = record.metre.map(({ frame, beatsPerBar }) => meta(frame, 1, 0x58, [beatsPerBar, 2, 24, 8])); // 2: quarter notes
  const symbols = struckChords(record).map(({ frame, symbol }) => meta(frame, 2, 0x06, ascii(symbol)));
  return [named("sideman"), ...tempo, ...metre, ...symbols];
}

function melody(record: SessionRecord): Event[] {
  const notes = record.notes.flatMap(({ pitch, velocity, startS, endS }) =>
    note(MELODY_CHANNEL, pitch, velocity, tickOf(frameAtS(record.tempo, startS)), tickOf(frameAtS(record.tempo, endS))),
  );
  return [named("melody"), program(MELODY_CHANNEL, record.instruments.melody), ...notes];
}

function chords(record: SessionRecord): Event[] {
  const notes = struckChords(record).flatMap(({ frame, untilFrame, pitches }) =>
    pitches.flatMap((pitch) => note(CHORD_CHANNEL, pitch, CHORD_VELOCITY, tickOf(frame), tickOf(untilFrame))),
  );
  return [named("chords"), program(CHORD_CHANNEL, record.instruments.chords), ...notes];
}

function note(channel: number, pitch: number, velocity: number, from: number, until: number): Event[] {
  return [
    { tick: from, order: 4, bytes: [0x90 | channel, pitch, velocity] },
    { tick: Math.max(until, from + 1), order: 3, bytes: [0x80 | channel, pitch, 0] },
  ];
}

function program(channel: number, instrument: Instrument): Event {
  return { tick: 0, order: 1, bytes: [0xc0 | channel, PROGRAMS[instrument]] };
}

function named(name: string): Event {
  return meta(0, -1, 0x03, ascii(name));
}

function meta(frame: number, order: number, type: number, data: readonly number[]): Event {
  return { tick: tickOf(frame), order, bytes: [0xff, type, data.length, ...data] };
}

/** Events become their distance from the one before, and their bytes; the track is as long as the jam. */
function trackBytes(events: readonly Event[], end: number): number[] {
  const inOrder = [...events].sort((a, b) => a.tick - b.tick || a.order - b.order);
  const last = inOrder.at(-1)?.tick ?? 0;
  const all = [...inOrder, { tick: Math.max(end, last), bytes: [0xff, 0x2f, 0] }];
  return all.flatMap(({ tick, bytes }, i) => [...variableLength(tick - (all[i - 1]?.tick ?? 0)), ...bytes]);
}

function tickOf(frame: number): number {
  return Math.max(0, Math.round(frame * TICKS_PER_FRAME));
}

function chunk(name: string, bytes: readonly number[]): number[] {
  return [...ascii(name), ...u16(bytes.length >>> 16), ...u16(bytes.length & 0xffff), ...bytes];
}

/** Seven bits a byte, the highest first; all but the last have the eighth bit set. */
function variableLength(value: number): number[] {
  const bytes = [value & 0x7f];
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) bytes.unshift((rest & 0x7f) | 0x80);
  return bytes;
}

function u16(value: number): number[] {
  return [value >>> 8, value & 0xff];
}

function u24(value: number): number[] {
  return [value >>> 16, (value >>> 8) & 0xff, value & 0xff];
}

function ascii(text: string): number[] {
  return [...text].map((character) => character.charCodeAt(0) & 0x7f);
}
