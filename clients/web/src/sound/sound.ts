/** The sounding part of the app: melody at once, chords and clicks ahead of time, two instruments, one limiter. Shell. */

import type { Channel, Click, CreateSound, Instrument, InstrumentState, Part, Sound, Strike } from "../contracts.ts";
import { Clicks } from "./clicks.ts";
import { Library } from "./library.ts";
import { Mixer } from "./mixer.ts";
import { type Player, tone } from "./sampler.ts";
import { reconcile, type Scheduled } from "./strikes.ts";
import type { Voice } from "./voice.ts";

/** Far enough for a hidden page, whose timers run once a second; near enough that a long replay is not thousands of voices. */
const HORIZON_S = 6;
const PUMP_MS = 1000;
/** Melody voices at once, released ones included; the oldest gives way. */
const MOST_VOICES = 32;

export const createSound: CreateSound = (context, { assets }) => soundWith(context, new Library(context, assets));

/** For whoever plays the same instruments into several contexts: they are loaded once. */
export function soundWith(context: BaseAudioContext, library: Library): Sound {
  return new WebSound(context, library);
}

class WebSound implements Sound {
  onInstrument: ((part: Part, state: InstrumentState) => void) | null = null;
  calibrationS = 0;
  private readonly mixer: Mixer;
  private readonly clicks: Clicks;
  private readonly players: Record<Part, Player> = { melody: tone, chords: tone };
  private readonly chosen: Record<Part, { instrument: Instrument | null; state: InstrumentState }> = {
    melody: { instrument: null, state: "loading" },
    chords: { instrument: null, state: "loading" },
  };

  private readonly held = new Map<number, Voice>();
  private readonly melody = new Set<Voice>();

  private strikes: readonly Strike[] = [];
  private scheduled: readonly Scheduled[] = [];
  private readonly chordVoices = new Map<Strike, Voice[]>();
  /** Offline all is told before the first sample sounds: nothing lies beyond a horizon, and no voice is over yet. */
  private readonly isLive: boolean;
  private pump: ReturnType<typeof setInterval> | null = null;

  constructor(
    readonly context: BaseAudioContext,
    private readonly library: Library,
  ) {
    this.isLive = !(context instanceof OfflineAudioContext);
    this.mixer = new Mixer(context);
    this.clicks = new Clicks(this.mixer.output("metronome"));
  }

  noteOn(pitch: number, velocity: number, timeS = this.context.currentTime): void {
    this.noteOff(pitch, timeS);
    const [oldest] = this.melody;
    if (oldest && this.isLive && this.melody.size >= MOST_VOICES) {
      oldest.cut();
      this.melody.delete(oldest);
    }
    const atS = Math.max(timeS, this.context.currentTime);
    const voice = this.players.melody.start(this.mixer.output("melody"), pitch, velocity, atS, () => this.melody.delete(voice));
    this.melody.add(voice);
    this.held.set(pitch, voice);
  }

  noteOff(pitch: number, timeS = this.context.currentTime): void {
    this.held.get(pitch)?.end(timeS);
    this.held.delete(pitch);
  }

  followChords(strikes: readonly Strike[]): void {
    this.strikes = strikes;
    this.advance();
  }

  followClicks(clicks: readonly Click[]): void {
    this.clicks.follow(clicks);
  }

  allNotesOff(): void {
    this.strikes = [];
    this.scheduled = [];
    for (const voices of this.chordVoices.values()) for (const voice of voices) voice.cut();
    for (const voice of this.melody) voice.cut();
    this.chordVoices.clear();
    this.melody.clear();
    this.held.clear();
    this.clicks.follow([]);
    this.setPump(false);
  }

  async setInstrument(part: Part, instrument: Instrument): Promise<void> {
    this.chosen[part].instrument = instrument;
    this.tell(part, "loading");
    try {
      const player = await this.library.load(instrument);
      // Whoever chose again meanwhile gets what was chosen last.
      if (this.chosen[part].instrument !== instrument) return;
      this.players[part] = player;
      this.tell(part, "ready");
    } catch (error) {
      if (this.chosen[part].instrument !== instrument) return;
      this.tell(part, "failed");
      throw error;
    } finally {
      this.library.keepOnly([this.chosen.melody.instrument, this.chosen.chords.instrument]);
    }
  }

  setVolume(channel: Channel, volume: number): void {
    this.mixer.setVolume(channel, volume);
  }

  instrumentState(part: Part): InstrumentState {
    return this.chosen[part].state;
  }

  outputDelayS(): number {
    const { baseLatency = 0, outputLatency = 0 } = this.context as Partial<AudioContext>;
    return Math.max(0, baseLatency + outputLatency + this.calibrationS);
  }

  private tell(part: Part, state: InstrumentState): void {
    this.chosen[part].state = state;
    this.onInstrument?.(part, state);
  }

  private advance(): void {
    const nowS = this.context.currentTime;
    const changes = reconcile(this.scheduled, this.strikes, nowS, this.isLive ? HORIZON_S : Number.POSITIVE_INFINITY);
    this.scheduled = changes.scheduled;
    for (const strike of changes.cut) for (const voice of this.chordVoices.get(strike) ?? []) voice.cut();
    for (const { strike, endS } of changes.moved) for (const voice of this.chordVoices.get(strike) ?? []) voice.end(endS);
    for (const entry of changes.begun) this.strike(entry, nowS);
    this.setPump(this.isLive && this.strikes.some((strike) => strike.timeS >= nowS + HORIZON_S));
  }

  private strike({ strike, endS }: Scheduled, nowS: number): void {
    let sounding = strike.pitches.length;
    const ended = () => --sounding || this.chordVoices.delete(strike);
    const output = this.mixer.output("chords");
    const voices = strike.pitches.map((pitch) =>
      this.players.chords.start(output, pitch, strike.velocity, Math.max(strike.timeS, nowS), ended),
    );
    if (endS !== null) for (const voice of voices) voice.end(endS);
    if (voices.length > 0) this.chordVoices.set(strike, voices);
  }

  private setPump(isNeeded: boolean): void {
    if (isNeeded && this.pump === null) this.pump = setInterval(() => this.advance(), PUMP_MS);
    if (!isNeeded && this.pump !== null) {
      clearInterval(this.pump);
      this.pump = null;
    }
  }
}
