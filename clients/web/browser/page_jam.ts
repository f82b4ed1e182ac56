/**
 * The whole app in simulated time, for the benchmark: half an hour of a jam in a minute, with everything that a jam fills. Shell.
 *
 * The audio context is an offline one that renders step by step and so is the clock; it comes from a frame of its own, so that the
 * app takes it for a live one. The gateway is a socket that plans the same four chords for ever.
 */

import { encode as pack, decode as unpack } from "@msgpack/msgpack";
import { type ClientMessage, DEFAULT_SETTINGS, type GatewayMessage, type Plan, type Settings } from "sideman-client";

const RATE = 8_000; // half an hour of samples must fit in memory; voices do not care
const LONGEST_S = 31 * 60;
const STEP_S = 0.125; // a frame
const STRETCH_S = 1; // rendered at once, after the app has gone through its steps
const PICTURE_S = 0.25;
const NOTE_S = 0.5;
const SYMBOLS = ["C", "Am7", "F", "G7"] as const;
const TUNE = [64, 65, 67, 69, 67, 64, 62, 60] as const;
const LIMITS = { max_message_bytes: 16_384, messages_per_second: 1e6, message_burst: 1e6, max_events_per_tick: 64, history_frames: 1_024 };

let nowS = 0;

const realm = document.body.appendChild(document.createElement("iframe"));
realm.hidden = true;
const Foreign = (realm.contentWindow as Window & typeof globalThis).OfflineAudioContext;

class SteppedContext extends Foreign {
  readonly baseLatency = 0;
  readonly outputLatency = 0;
  #isRendering = false;

  constructor() {
    super(1, LONGEST_S * RATE, RATE);
  }

  /** The app lives through a stretch of time before it is rendered: what it does then lies in the future of the samples, as always. */
  override get currentTime(): number {
    return nowS;
  }

  override get state(): "running" {
    return "running";
  }

  override async resume(): Promise<void> {}

  /** Renders up to a moment; it must not lie in what is rendered already. */
  renderTo(atS: number): Promise<void> {
    const there = this.suspend(atS);
    if (this.#isRendering) void super.resume();
    else void this.startRendering();
    this.#isRendering = true;
    return there;
  }
}

class PlanningSocket extends EventTarget {
  binaryType = "arraybuffer";
  readyState = 0;
  onopen: ((event: Event) => void) | null = null;
  onclose: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  #settings: Settings = DEFAULT_SETTINGS;

  constructor() {
    super();
    queueMicrotask(() => {
      this.readyState = 1;
      this.onopen?.(new Event("open"));
    });
  }

  close(): void {}

  send(packet: Uint8Array): void {
    const message = unpack(packet) as ClientMessage;
    if (message.type === "hello") {
      this.#tell({ type: "welcome", session: "page", seed: 7, version: 1, models: ["endless"], settings: this.#settings, limits: LIMITS });
    } else if (message.type === "configure") {
      const { type: _, ...change } = message;
      this.#settings = { ...this.#settings, ...Object.fromEntries(Object.entries(change).filter(([, value]) => value != null)) };
      this.#tell({ type: "configured", settings: this.#settings, from_frame: 0 });
    } else if (message.type === "reset") this.#tell({ type: "configured", settings: this.#settings, from_frame: 0 });
    else if (message.type === "tick") this.#tell(planOf(message.seq, message.frame + 1));
  }

  #tell(message: GatewayMessage): void {
    this.onmessage?.(new MessageEvent("message", { data: pack(message, { ignoreUndefined: true }).slice().buffer }));
  }
}

/** A chord for every two beats. */
function planOf(seq: number, first: number): Plan {
  const chords = Array.from({ length: 3 }, (_, index) => {
    const start = index === 0 ? first : (Math.floor(first / 8) + index) * 8;
    const symbol = SYMBOLS[Math.floor(start / 8) % 4] as string;
    return { start, length: (Math.floor(start / 8) + 1) * 8 - start, symbol, pitches: [36, 55, 60, 64], onset: start % 8 === 0 };
  });
  const timing = { gateway_ms: 0, queue_ms: 0, device_ms: 0, steps: 1, reused: 1, batch: 1, unrefined: 0 };
  return { type: "plan", seq, first_frame: first, committed_until: first + 8, chords, timing };
}

Object.assign(window, { AudioContext: SteppedContext, WebSocket: PlanningSocket });
Object.defineProperty(navigator, "connection", { value: { saveData: true } }); // the page's own planner stays away
localStorage.clear();
localStorage.setItem("sideman.visited", "1");
location.hash = "bpm=120&silence_beats=2";
await import("../src/main.ts");

const app = window.sideman;
const context = app.context as unknown as SteppedContext;
let down = -1;
let note = 0;
let [nextNoteS, nextPictureS] = [0, 0];

function play(): void {
  if (down >= 0) app.play({ pitch: down, velocity: 80, on: false, timeS: nowS, source: "demo" });
  down = TUNE[note++ % TUNE.length] as number;
  app.play({ pitch: down, velocity: 80, on: true, timeS: nowS, source: "demo" });
}

/** Goes on with the jam for so many minutes; begins one if there is none. */
async function advance(minutes: number): Promise<void> {
  const untilS = nowS + minutes * 60;
  if (app.performer.phase === "idle") {
    app.toggle();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  while (nowS < untilS) {
    const endS = nowS + STRETCH_S;
    for (; nowS < endS; nowS += STEP_S) step();
    await context.renderTo(nowS);
  }
}

function step(): void {
  if (nowS >= nextNoteS) {
    play();
    nextNoteS += NOTE_S;
  }
  app.advance();
  if (nowS < nextPictureS) return;
  app.picture.draw();
  nextPictureS += PICTURE_S;
}

/** What a jam leaves in memory on purpose, counted. */
function kept(): Readonly<Record<string, number>> {
  const { jam, performance: played } = app.performer;
  return { frames: jam.frames.length, melody: jam.melody.length, notes: played.notes.length };
}

declare global {
  var simulation: { advance(minutes: number): Promise<void>; kept(): Readonly<Record<string, number>> };
}

globalThis.simulation = { advance, kept };
