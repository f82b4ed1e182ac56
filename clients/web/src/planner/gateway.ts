/**
 * A gateway for one player inside the page: the protocol of `schema/PROTOCOL.md`, answered by the small model itself. Pure.
 *
 * It is spoken to by our own client only, so it checks no more than it needs. What it cannot do it says: it has one model and takes
 * every name for it, no warm start (P10 asks for an offline model) and no whole melodies (W4).
 *
 * `receive` answers at once what can be; a tick that needs a plan waits, the newest only (T6). `work` is one step of whatever there is
 * to compute; it tells a plan when one is complete, and spends idle time on the window after the next hop.
 */

import {
  type ClientMessage,
  type Configure,
  DEFAULT_SETTINGS,
  FRAMES_PER_BEAT,
  type GatewayMessage,
  type History,
  type Settings,
  type Tick,
} from "sideman-client";
import { begin, chordValues, type Jam, play, resumed, runningOf, type SentPlan } from "./jam.ts";
import type { Network } from "./network.ts";
import { isListening, pitchesOf, planMessage, requestAhead, requestFor, type Situation, sentPlan } from "./planning.ts";
import { type Planned, type PlanRequest, Slot } from "./slots.ts";
import type { Symbols } from "./symbols.ts";
import { sounded } from "./values.ts";
import { voice } from "./voicing.ts";

const PROTOCOL_VERSION = 1;
const HISTORY_FRAMES = 256;
const LIMITS = {
  max_message_bytes: 1 << 16,
  messages_per_second: 1000,
  message_burst: 1000,
  max_events_per_tick: 64,
  history_frames: HISTORY_FRAMES,
};

/** The model as the gateway needs it. */
export interface Model {
  readonly name: string;
  readonly temperature: number; // suggested default
  readonly network: Network;
  readonly symbols: Symbols;
}

/** A tick that waits for its plan. */
interface Asked {
  readonly seq: number;
  readonly arrivedMs: number;
}

/** The plan being made. */
interface Flight {
  readonly asked: Asked;
  readonly situation: Situation;
  readonly request: PlanRequest;
  readonly begunMs: number;
  readonly making: Generator<number, Planned>;
  numDecided: number;
}

/** One session. `nowMs` is milliseconds of any clock that does not stand still. */
export class PageGateway {
  readonly #model: Model;
  readonly #slots: [Slot, Slot]; // that of the newest plan first
  #settings: Settings;
  #isTemperatureChosen = false;
  #seed: number;
  #barLine = 0;
  #jam: Jam | null = null; // until the first tick
  #applied: SentPlan | null = null; // sounds
  #previous: SentPlan | null = null; // sent last
  #sent = new Map<number, SentPlan>();
  #waiting: Asked | null = null;
  #flight: Flight | null = null;
  #ahead: Generator<void, void> | null = null;

  /** `slots` may remember another session: only what is the same by value is reused. */
  constructor(model: Model, seed: number, slots: readonly [Slot, Slot] = [new Slot(model.network), new Slot(model.network)]) {
    this.#model = model;
    this.#slots = [...slots];
    this.#settings = { ...DEFAULT_SETTINGS, model: model.name, temperature: model.temperature };
    this.#seed = seed;
  }

  /** Whether `work` has something to do. */
  get isBusy(): boolean {
    return this.#flight !== null || this.#waiting !== null || this.#ahead !== null;
  }

  /** Answers a message, or lets a tick wait for `work`. Throws UnknownWord for a symbol or setting it does not know. */
  receive(message: ClientMessage, nowMs: number): GatewayMessage[] {
    switch (message.type) {
      case "hello":
        return [this.#welcome()];
      case "configure":
        return [this.#configure(message)];
      case "history":
        return this.#history(message);
      case "tick":
        return this.#tick(message, nowMs);
      case "reset":
        return this.#reset();
      case "harmonize":
        return [{ type: "error", code: "unknown_model", message: NO_MELODIES, field: "$.harmonize", seq: message.seq, retry: false }];
      case "bye":
        return [];
    }
  }

  /** One step of the plan under way, of the next one, or ahead of the next hop; the plan if this step completes one. */
  work(nowMs: number): GatewayMessage[] {
    this.#flight ??= this.#takeOff(nowMs);
    if (this.#flight === null) {
      if (this.#ahead?.next().done) this.#ahead = null;
      return [];
    }
    const step = this.#flight.making.next();
    if (step.done) return [this.#land(this.#flight, step.value, nowMs)];
    this.#flight.numDecided = step.value;
    return [];
  }

  #welcome(): GatewayMessage {
    const { name } = this.#model;
    return {
      type: "welcome",
      session: "page",
      seed: this.#seed,
      version: PROTOCOL_VERSION,
      models: [name],
      settings: this.#settings,
      limits: LIMITS,
    };
  }

  #configured(): GatewayMessage {
    const from = this.#jam === null ? 0 : this.#jam.frame + (this.#waiting === null ? 2 : 1);
    return { type: "configured", settings: this.#settings, from_frame: from };
  }

  #configure({ type: _, model: __, ...change }: Configure): GatewayMessage {
    const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value != null));
    const settings: Settings = { ...this.#settings, ...given };
    this.#model.symbols.controlsOf(settings.density, settings.style);
    if (this.#jam !== null && settings.beats_per_bar !== this.#settings.beats_per_bar) {
      const bar = this.#settings.beats_per_bar * FRAMES_PER_BEAT; // G4
      this.#barLine = this.#jam.frame - ((((this.#jam.frame - this.#barLine) % bar) + bar) % bar);
    }
    if (change.temperature != null) this.#isTemperatureChosen = true;
    this.#settings = { ...settings, temperature: this.#isTemperatureChosen ? settings.temperature : this.#model.temperature };
    return this.#configured();
  }

  #history(history: History): GatewayMessage[] {
    const { symbols } = this.#model;
    const voiced = (value: number) => voice(symbols.tonesOf(value), [], this.#settings.voicing);
    const jam = resumed(history, symbols, voiced);
    const held = history.plan == null ? null : this.#heldPlan(history, jam);
    const overtaken = this.#abandon();
    this.#jam = jam;
    this.#applied = this.#previous = held;
    this.#seed = history.seed ?? this.#seed;
    this.#barLine = history.bar_line ?? 0;
    return overtaken;
  }

  /** The plan the client still holds, from the frame after the history's on (H4). */
  #heldPlan({ plan }: History, jam: Jam): SentPlan | null {
    const start = plan?.chords[0]?.start;
    if (plan == null || start === undefined) return null;
    const { symbols } = this.#model;
    const firstFrame = jam.frame + 1;
    const ahead = chordValues(plan.chords, symbols).slice(firstFrame - start);
    const chords = sounded(ahead, runningOf(jam), symbols.numChords);
    const pitches = pitchesOf(firstFrame, chords, { ...this.#situation(jam), previous: null }, symbols);
    return { seq: plan.seq, firstFrame, committedUntil: Math.max(firstFrame, plan.committed_until), chords, pitches };
  }

  #reset(): GatewayMessage[] {
    const overtaken = this.#abandon();
    this.#jam = this.#applied = this.#previous = null;
    this.#barLine = 0;
    return [...overtaken, this.#configured()];
  }

  #tick(tick: Tick, nowMs: number): GatewayMessage[] {
    const jam = this.#jam ?? begin(tick.frame);
    const [earlier, applied] = [this.#applied, tick.applied ?? null];
    const now = applied === null ? earlier : (this.#sent.get(applied.seq) ?? earlier);
    const planAt = (frame: number) => (applied === null || frame >= applied.from_frame ? now : earlier);
    this.#jam = play(jam, tick.frame, tick.events ?? [], planAt, this.#model.symbols.numChords);
    if (now !== earlier && now !== null) {
      this.#applied = now;
      for (const seq of this.#sent.keys()) if (seq <= now.seq) this.#sent.delete(seq);
    }
    const overtaken = this.#overtake();
    if (isListening(this.#situation(this.#jam))) return [...overtaken, { type: "keep", seq: tick.seq, reason: "listening" }];
    this.#waiting = { seq: tick.seq, arrivedMs: nowMs };
    return overtaken;
  }

  /** A tick that waits gives way to a newer one; so does a plan of which no frame is decided yet, for it comes too late. */
  #overtake(): GatewayMessage[] {
    const told: GatewayMessage[] = [];
    if (this.#flight?.numDecided === 0) {
      told.push({ type: "keep", seq: this.#flight.asked.seq, reason: "late" });
      this.#flight = null;
    }
    if (this.#waiting !== null) told.push({ type: "keep", seq: this.#waiting.seq, reason: "superseded" });
    this.#waiting = null;
    return told;
  }

  /** Begins the plan of the tick that waits. */
  #takeOff(nowMs: number): Flight | null {
    if (this.#waiting === null || this.#jam === null) return null;
    const { network, symbols } = this.#model;
    const situation = this.#situation(this.#jam);
    const request = requestFor(situation, symbols);
    this.#ahead = null;
    if (this.#slots[1].agreement(request) > this.#slots[0].agreement(request)) this.#slots.reverse();
    const flight = {
      asked: this.#waiting,
      situation,
      request,
      begunMs: nowMs,
      making: this.#slots[0].plan(network, request),
      numDecided: 0,
    };
    this.#waiting = null;
    return flight;
  }

  #land({ asked, situation, request, begunMs }: Flight, made: Planned, nowMs: number): GatewayMessage {
    const { network, symbols } = this.#model;
    const plan = sentPlan(asked.seq, made.chords, situation, symbols);
    this.#flight = null;
    this.#previous = plan;
    this.#sent.set(plan.seq, plan);
    const ahead = requestAhead(request, situation, symbols);
    this.#ahead = ahead === null ? null : this.#slots[1].prepare(network, ahead);
    const [gateway_ms, queue_ms, device_ms] = [nowMs - asked.arrivedMs, begunMs - asked.arrivedMs, nowMs - begunMs];
    const { steps, reused } = made;
    return planMessage(plan, { gateway_ms, queue_ms, device_ms, steps, reused, batch: 1, unrefined: 0 }, symbols);
  }

  /** Forgets all plans; ticks without an answer are superseded. */
  #abandon(): GatewayMessage[] {
    const unanswered = [this.#flight?.asked.seq, this.#waiting?.seq].filter((seq) => seq !== undefined);
    this.#flight = this.#waiting = this.#ahead = null;
    this.#sent.clear();
    return unanswered.map((seq): GatewayMessage => ({ type: "keep", seq, reason: "superseded" }));
  }

  #situation(jam: Jam): Situation {
    return { jam, previous: this.#previous, settings: this.#settings, seed: this.#seed, barLine: this.#barLine };
  }
}

const NO_MELODIES = "expected a service with an offline model, got the page alone: ask again when the service is there";
