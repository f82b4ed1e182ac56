import { expect, test } from "vitest";
import { MidiNotes } from "./midi_notes.ts";

const on = (pitch: number, velocity: number) => ({ pitch, on: true, velocity });
const off = (pitch: number) => ({ pitch, on: false, velocity: 0 });

/** The changes that each message makes. */
function play(notes: MidiNotes, ...messages: number[][]) {
  return messages.map((message) => notes.receive(new Uint8Array(message)));
}

test("a key goes down with its velocity and up, on any channel", () => {
  expect(play(new MidiNotes(), [0x90, 60, 100], [0x80, 60, 64], [0x9f, 61, 1], [0x8f, 61, 0])).toEqual([
    [on(60, 100)],
    [off(60)],
    [on(61, 1)],
    [off(61)],
  ]);
});

test("velocity 0 lifts a key", () => {
  expect(play(new MidiNotes(), [0x90, 60, 100], [0x90, 60, 0])).toEqual([[on(60, 100)], [off(60)]]);
});

test("under the pedal notes go up when it does, but keys still down stay", () => {
  const changes = play(new MidiNotes(), [0xb0, 64, 127], [0x90, 60, 80], [0x80, 60, 0], [0x90, 64, 80], [0xb0, 64, 0], [0x80, 64, 0]);
  expect(changes).toEqual([[], [on(60, 80)], [], [on(64, 80)], [off(60)], [off(64)]]);
});

test("half a pedal is counted as down from 64 on", () => {
  expect(play(new MidiNotes(), [0xb0, 64, 63], [0x90, 60, 80], [0x80, 60, 0])).toEqual([[], [on(60, 80)], [off(60)]]);
  expect(play(new MidiNotes(), [0xb0, 64, 64], [0x90, 60, 80], [0x80, 60, 0])).toEqual([[], [on(60, 80)], []]);
});

test("a note struck again under the pedal goes up first, and then belongs to its key", () => {
  const changes = play(new MidiNotes(), [0xb0, 64, 127], [0x90, 60, 80], [0x80, 60, 0], [0x90, 60, 90], [0xb0, 64, 0], [0x80, 60, 0]);
  expect(changes).toEqual([[], [on(60, 80)], [], [off(60), on(60, 90)], [], [off(60)]]);
});

test("pedals are a channel's own", () => {
  const changes = play(new MidiNotes(), [0xb1, 64, 127], [0x90, 60, 80], [0x80, 60, 0]);
  expect(changes).toEqual([[], [on(60, 80)], [off(60)]]);
});

test("the same pitch on two channels goes up when both are up", () => {
  const changes = play(new MidiNotes(), [0x90, 60, 80], [0x91, 60, 90], [0x80, 60, 0], [0x81, 60, 0]);
  expect(changes).toEqual([[on(60, 80)], [off(60), on(60, 90)], [], [off(60)]]);
});

test.each([
  ["all sound off", 120],
  ["all notes off", 123],
  ["mono mode", 126],
])("%s lifts the keys of its channel", (_, controller) => {
  expect(play(new MidiNotes(), [0x90, 60, 80], [0x91, 62, 80], [0xb0, controller, 0]).at(-1)).toEqual([off(60)]);
});

test("reset controllers lifts the pedal", () => {
  expect(play(new MidiNotes(), [0xb0, 64, 127], [0x90, 60, 80], [0x80, 60, 0], [0xb0, 121, 0]).at(-1)).toEqual([off(60)]);
});

test("what is no note changes nothing", () => {
  expect(play(new MidiNotes(), [0xe0, 0, 64], [0xd0, 12], [0xc0, 5], [0xf8], [0xb0, 1, 99], [])).toEqual([[], [], [], [], [], []]);
});

test("releasing everything lifts keys and what the pedal holds, and the pedal", () => {
  const notes = new MidiNotes();
  play(notes, [0xb0, 64, 127], [0x90, 60, 80], [0x80, 60, 0], [0x90, 62, 80]);
  expect(notes.liftAll()).toEqual([off(60), off(62)]);
  expect(play(notes, [0x90, 60, 80], [0x80, 60, 0])).toEqual([[on(60, 80)], [off(60)]]);
});
