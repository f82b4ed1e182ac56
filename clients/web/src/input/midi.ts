/** MIDI instruments: ports that come and go, their messages in, notes out. Shell. */

import type { EventClock, MidiInput, MidiPort, MidiState, NoteSink } from "../contracts.ts";
import { type MidiChange, MidiNotes } from "./midi_notes.ts";

const CLOCK = 0xf8; // timing clock and active sensing come all the time and are no sign that somebody plays
const SENSING = 0xfe;

export function createMidiInput(navigator: Navigator, sink: NoteSink, clock: EventClock): MidiInput {
  return new Midi(navigator, sink, clock);
}

class Midi implements MidiInput {
  state: MidiState = { kind: "off" };
  lastMessageS: number | null = null;
  onState: ((state: MidiState) => void) | null = null;
  private access: MIDIAccess | null = null;
  private isAttached = false;
  private chosen: string | null = null;
  /** Ports listened to, by id; each port holds its own keys, so that one that is unplugged leaves none of them down. */
  private readonly listened = new Map<string, { port: MIDIInput; notes: MidiNotes }>();

  constructor(
    private readonly navigator: Navigator,
    private readonly sink: NoteSink,
    private readonly clock: EventClock,
  ) {}

  async open(): Promise<MidiState> {
    if (!this.navigator.requestMIDIAccess) return this.tell({ kind: "unsupported" });
    try {
      this.access ??= await this.navigator.requestMIDIAccess({ sysex: false });
    } catch {
      return this.tell({ kind: "refused" });
    }
    this.access.onstatechange = () => this.update();
    return this.update();
  }

  choose(id: string | null): void {
    this.chosen = id;
    if (this.access) this.update();
  }

  attach(): void {
    this.isAttached = true;
    if (this.access) this.update();
  }

  detach(): void {
    this.isAttached = false;
    this.listenTo([]);
  }

  releaseAll(): void {
    for (const { notes } of this.listened.values()) this.play(notes.liftAll(), this.clock.nowS());
  }

  /** Listens to what is plugged in now and chosen. A chosen port that is unplugged stays chosen: it will come back. */
  private update(): MidiState {
    const connected = [...(this.access?.inputs.values() ?? [])].filter((port) => port.state === "connected");
    const wanted = connected.filter((port) => this.chosen === null || port.id === this.chosen);
    this.listenTo(this.isAttached ? wanted : []);
    return this.tell({ kind: "ready", ports: connected.map(describe), chosen: this.chosen });
  }

  private listenTo(ports: readonly MIDIInput[]): void {
    for (const [id, { port, notes }] of this.listened) {
      if (ports.includes(port)) continue;
      port.onmidimessage = null;
      this.listened.delete(id);
      this.play(notes.liftAll(), this.clock.nowS());
    }
    for (const port of ports) {
      if (this.listened.has(port.id)) continue;
      const notes = new MidiNotes();
      this.listened.set(port.id, { port, notes });
      port.onmidimessage = ({ data, timeStamp }) => {
        if (data && data[0] !== CLOCK && data[0] !== SENSING) this.receive(notes, data, timeStamp);
      };
    }
  }

  private receive(notes: MidiNotes, data: Uint8Array, timeStampMs: number): void {
    const timeS = this.clock.ofEventS(timeStampMs);
    this.play(notes.receive(data), timeS);
    this.lastMessageS = timeS;
  }

  private play(changes: readonly MidiChange[], timeS: number): void {
    for (const change of changes) this.sink({ ...change, timeS, source: "midi" });
  }

  private tell(state: MidiState): MidiState {
    this.state = state;
    this.onState?.(state);
    return state;
  }
}

function describe(port: MIDIInput): MidiPort {
  return { id: port.id, name: port.name || "MIDI" };
}
