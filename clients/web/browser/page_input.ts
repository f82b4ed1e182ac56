/** What tests of the input may ask of the page: devices that write down the notes they tell. Shell. */

import type { MidiState, NoteInput } from "../src/contracts.ts";
import { createKeyboardInput } from "../src/input/keys.ts";
import { createMidiInput } from "../src/input/midi.ts";
import { createPointerInput } from "../src/input/pointer.ts";

const notes: NoteInput[] = [];
const states: MidiState[] = [];
const sink = (note: NoteInput) => notes.push(note);
const clock = { nowS: () => performance.now() / 1000, ofEventS: (timeStampMs: number) => timeStampMs / 1000 };

let keyboard = createKeyboardInput(window, sink, clock);
let midi = createMidiInput(navigator, sink, clock);

/** An empty page with devices of its own, as if it had been opened just now. */
function openAnew(): void {
  for (const device of [keyboard, midi]) device.detach();
  document.body.replaceChildren();
  keyboard = createKeyboardInput(window, sink, clock);
  midi = createMidiInput(navigator, sink, clock);
  midi.onState = (state) => states.push(state);
  fake = new FakeMidi();
  notes.length = states.length = 0;
}

function attachKeyboard(): void {
  keyboard.attach();
}

/** A field of every kind that takes letters, and some that take none, by id. */
function drawFields(): void {
  document.body.innerHTML = `
    <input id="text"><input id="number" type="number"><textarea id="area"></textarea><select id="select"><option>a<option>s</select>
    <div id="editable" contenteditable tabindex="0"></div><input id="slider" type="range"><input id="box" type="checkbox"><div id="host"></div>`;
  const host = document.getElementById("host") as HTMLElement;
  host.attachShadow({ mode: "open" }).innerHTML = "<input>";
}

function focusOn(id: string): void {
  const element = document.getElementById(id);
  (element?.shadowRoot?.querySelector("input") ?? element)?.focus();
}

/** Twelve keys of 40 by 100 pixels in the corner of the page, the lowest is 60; the gap below them is no key. */
function drawKeys(): void {
  document.body.innerHTML = '<div style="position: fixed; inset: 0"></div>';
  const element = document.body.firstElementChild as HTMLElement;
  const pitchAt = (x: number, y: number) =>
    y < 100 && x < 480 ? { pitch: 60 + Math.floor(x / 40), velocity: 40 + Math.floor(y / 2) } : null;
  createPointerInput(element, pitchAt, sink, clock).attach();
}

/** A browser with MIDI, whose devices tests plug and play. */
class FakeMidi extends EventTarget {
  readonly inputs = new Map<string, { id: string; name: string; state: string; onmidimessage: ((event: unknown) => void) | null }>();
  onstatechange: (() => void) | null = null;
}
let fake = new FakeMidi();

async function openMidi(answer: "granted" | "refused"): Promise<MidiState> {
  const request = () => (answer === "granted" ? Promise.resolve(fake) : Promise.reject(new DOMException("no", "NotAllowedError")));
  Object.defineProperty(navigator, "requestMIDIAccess", { value: request, configurable: true });
  midi.attach();
  return midi.open();
}

function plug(id: string, isIn: boolean): void {
  const port = fake.inputs.get(id) ?? { id, name: `Piano ${id}`, state: "", onmidimessage: null };
  port.state = isIn ? "connected" : "disconnected";
  fake.inputs.set(id, port);
  fake.onstatechange?.();
}

function sendMidi(id: string, ...bytes: number[]): void {
  fake.inputs.get(id)?.onmidimessage?.({ data: new Uint8Array(bytes), timeStamp: performance.now() });
}

function chooseMidi(id: string | null): void {
  midi.choose(id);
}

/** Notes told since the last call, as `+60` and `-60`. */
function takeNotes(): string[] {
  return notes.splice(0).map(({ pitch, on }) => `${on ? "+" : "-"}${pitch}`);
}

/** The same with all there is to a note. */
function takeWhole(): NoteInput[] {
  return notes.splice(0);
}

function lastMidi(): { state: MidiState | undefined; lastMessageS: number | null; nowS: number } {
  return { state: states.at(-1), lastMessageS: midi.lastMessageS, nowS: clock.nowS() };
}

function octave(): number {
  return keyboard.octave;
}

export const inputFunctions = {
  openAnew,
  attachKeyboard,
  drawFields,
  focusOn,
  drawKeys,
  openMidi,
  plug,
  sendMidi,
  chooseMidi,
  takeNotes,
  takeWhole,
  lastMidi,
  octave,
};
