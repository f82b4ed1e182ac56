/**
 * What MIDI messages mean for the notes of one port: keys of all sixteen channels, and the sustain pedal of each. Pure.
 *
 * A note under the pedal goes up when the pedal does. The same pitch on two channels is one pitch (see `holding.ts`).
 */

import { type Change, Holding } from "./holding.ts";

const NOTE_OFF = 0x80;
const NOTE_ON = 0x90;
const CONTROL = 0xb0;
const SUSTAIN = 64;
const ALL_SOUND_OFF = 120;
const RESET_CONTROLLERS = 121;
const ALL_NOTES_OFF = 123;
const LAST_MODE = 127; // 124 to 127 change the mode of a channel, and end its notes too
const PEDAL_DOWN = 64;

export interface MidiChange extends Change {
  readonly velocity: number;
}

export class MidiNotes {
  private readonly holding = new Holding<number>();
  /** Keys that are up again, but sound on under the pedal of their channel. */
  private readonly sustained = new Set<number>();
  private readonly pedals = new Set<number>();

  /** One message, as a port delivers it. What says nothing about notes (clock, bend, pressure) gives no change. */
  receive(message: Uint8Array): MidiChange[] {
    const [status = 0, first = 0, second = 0] = message;
    const channel = status & 0x0f;
    switch (status & 0xf0) {
      case NOTE_ON:
        return second > 0 ? this.keyDown(channel, first, second) : this.keyUp(channel, first);
      case NOTE_OFF:
        return this.keyUp(channel, first);
      case CONTROL:
        return this.control(channel, first, second);
      default:
        return [];
    }
  }

  liftAll(): MidiChange[] {
    this.sustained.clear();
    this.pedals.clear();
    return this.holding.liftAll().map(withVelocity(0));
  }

  private keyDown(channel: number, pitch: number, velocity: number): MidiChange[] {
    const key = keyOf(channel, pitch);
    this.sustained.delete(key);
    return this.holding.press(key, pitch).map(withVelocity(velocity));
  }

  private keyUp(channel: number, pitch: number): MidiChange[] {
    const key = keyOf(channel, pitch);
    if (this.pedals.has(channel)) {
      if (this.holding.pitchOf(key) !== undefined) this.sustained.add(key);
      return [];
    }
    return this.holding.lift(key).map(withVelocity(0));
  }

  private control(channel: number, number: number, value: number): MidiChange[] {
    if (number === SUSTAIN && value >= PEDAL_DOWN) this.pedals.add(channel);
    else if (number === SUSTAIN || number === RESET_CONTROLLERS) return this.pedalUp(channel);
    else if (number === ALL_SOUND_OFF || (number >= ALL_NOTES_OFF && number <= LAST_MODE)) return this.silence(channel);
    return [];
  }

  private pedalUp(channel: number): MidiChange[] {
    this.pedals.delete(channel);
    return this.liftWhere((key) => channelOf(key) === channel && this.sustained.has(key));
  }

  private silence(channel: number): MidiChange[] {
    return this.liftWhere((key) => channelOf(key) === channel);
  }

  private liftWhere(isMeant: (key: number) => boolean): MidiChange[] {
    const keys = this.holding.holders().filter(isMeant);
    for (const key of keys) this.sustained.delete(key);
    return keys.flatMap((key) => this.holding.lift(key)).map(withVelocity(0));
  }
}

function keyOf(channel: number, pitch: number): number {
  return channel * 128 + pitch;
}

function channelOf(key: number): number {
  return Math.floor(key / 128);
}

function withVelocity(velocity: number): (change: Change) => MidiChange {
  return (change) => ({ ...change, velocity: change.on ? velocity : 0 });
}
