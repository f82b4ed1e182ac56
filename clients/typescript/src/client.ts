/**
 * The client: one session with a gateway, kept through lost connections. Shell.
 *
 *     const client = new SidemanClient("wss://...", { onMessage: (message, roundTripMs) => ... });
 *     await client.opened;
 *     client.jam.beginFrame(frame);   // at the start of every frame, by your own clock
 *     client.sendTick(frame);
 *
 * When the connection is lost the client comes back by itself and sends the settings and the history, while `jam` goes on sounding
 * the plan it has. Only close codes that ask for it are retried (C10). A browser learns late that a network is gone; so a
 * connection on which ticks stay unanswered is given up (T3).
 */

import { MSGPACK, numBytes, type Subprotocol } from "./codec.ts";
import { NoAnswer, NotConnected, SettingRefused, SidemanError } from "./errors.ts";
import { shouldReconnect } from "./generated/codes.ts";
import {
  type ChordRun,
  type ClientMessage,
  type Configure,
  type Configured,
  type ErrorMessage,
  FRAMES_PER_BEAT,
  type GatewayMessage,
  type History,
  MAX_HISTORY_FRAMES,
  type MelodyRun,
  type Reset,
  type Tick,
  type Welcome,
} from "./generated/messages.ts";
import { Harmonizer, type OnProgress } from "./harmonizing.ts";
import { Jam } from "./jam.ts";
import { type Backoff, Connection, delayMs, makePromise, type Opening, PATIENT } from "./opening.ts";
import { Stretches } from "./stretches.ts";

const ANSWER_TIMEOUT_MS = 10_000;
const UNANSWERED_MS = 4_000; // then the connection counts as lost
const NORMAL_CLOSE = 1000;

export type State = "connecting" | "open" | "reconnecting" | "closed";
export type Change = Omit<Configure, "type">;

export interface ClientOptions {
  readonly name?: string; // tells the operator what you are
  readonly token?: string;
  readonly subprotocol?: Subprotocol;
  readonly backoff?: Backoff;
  readonly WebSocket?: typeof WebSocket; // for surroundings without one of their own
  readonly onMessage?: (message: GatewayMessage, roundTripMs: number | null) => void; // after `jam` took it; the trip of a tick's answer
  readonly onState?: (state: State, problem: SidemanError | null) => void;
}

/** A message that `configured` or `error` will answer, and the frame of the tick before it. */
interface Asked {
  readonly message: Configure | Reset;
  readonly frame: number | null;
  readonly settle: { resolve(answer: Configured): void; reject(problem: SidemanError): void } | null;
}

/** One session; `jam` is its musical state, `state` that of the connection. */
export class SidemanClient {
  jam = new Jam();
  reconnects = 0;
  readonly opened: Promise<Welcome>; // rejects if the gateway refuses for good, or after `leave`
  readonly #options: ClientOptions;
  readonly #opening: Opening;
  readonly #backoff: Backoff;
  readonly #settleOpened: { resolve(welcome: Welcome): void; reject(problem: unknown): void };
  readonly #harmonizer: Harmonizer;
  #state: State = "connecting";
  #problem: SidemanError | null = null;
  #connection: Connection | null = null;
  #welcome: Welcome | null = null;
  #chosen: Change = {};
  #toAsk: Asked[] = []; // while there is no connection
  #asked: Asked[] = [];
  #attempt = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #sentAt = new Map<number, number>();
  #roundTripMs: number | null = null;

  constructor(url: string, options: ClientOptions = {}) {
    const { name = "", token = "", subprotocol = MSGPACK, backoff = PATIENT } = options;
    this.#options = options;
    this.#backoff = backoff;
    const hello = { type: "hello", ...(name && { client: name }), ...(token && { token }) } as const;
    this.#opening = { url, hello, subprotocol, WebSocket: options.WebSocket ?? WebSocket };
    const { promise, resolve, reject } = makePromise<Welcome>();
    this.opened = promise;
    this.opened.catch(() => {}); // whoever awaits it hears of it
    this.#settleOpened = { resolve, reject };
    this.#harmonizer = new Harmonizer((message) => this.#send(message));
    void this.#connect();
  }

  get state(): State {
    return this.#state;
  }

  /** The newest welcome; null before the first connection. */
  get welcome(): Welcome | null {
    return this.#welcome;
  }

  /** Changes settings; what is left out stays. Rejects with SettingRefused, NoAnswer, or why the session ended. */
  configure(change: Change): Promise<Configured> {
    return this.#ask({ type: "configure", ...change });
  }

  /** Forgets melody, chords and plans here and there. Rejects with NoAnswer, or why the session ended. */
  reset(): Promise<Configured> {
    this.jam = this.jam.forgotten();
    return this.#ask({ type: "reset" });
  }

  /** Reports `frame` at its start; null while there is no connection (history makes up for it). */
  sendTick(frame: number): Tick | null {
    this.jam.beginFrame(frame);
    const now = performance.now();
    const oldest = this.#sentAt.values().next();
    if (!oldest.done && now - oldest.value > UNANSWERED_MS) this.#lose(unanswered());
    if (this.#state !== "open") return null;
    if (this.jam.needsHistory(frame)) this.#send(this.#history(frame - 1));
    const tick = this.jam.tick(frame, this.#roundTripMs);
    this.#roundTripMs = null;
    this.#sentAt.set(tick.seq, now);
    this.#send(tick);
    return tick;
  }

  /**
   * Chords for a whole melody of any length, frames [0, numFrames), by the gateway's offline model and this session's settings.
   * One at a time: another call waits for this one. Rejects with HarmonizeRefused, NoAnswer, or why the session ended.
   */
  async harmonize(
    melody: readonly MelodyRun[],
    numFrames: number,
    { barLine = 0, onProgress = null }: { barLine?: number; onProgress?: OnProgress | null } = {},
  ): Promise<readonly ChordRun[]> {
    const { limits } = await this.opened;
    const barFrames = this.jam.settings.beats_per_bar * FRAMES_PER_BEAT;
    const stretches = new Stretches({ melody, numFrames, barFrames, barLine }, (message) => this.#fits(message, limits.max_message_bytes));
    return this.#harmonizer.harmonize(stretches, onProgress);
  }

  /** Comes back now instead of after the pause, for instance when the network is there again. */
  hurry(): void {
    if (this.#retry === undefined) return;
    clearTimeout(this.#retry);
    this.#attempt = 0;
    void this.#connect();
  }

  /** Says `bye` and lets go of everything. May be called in any state. */
  leave(): void {
    if (this.#state === "open") this.#send({ type: "bye" });
    this.#end(new NotConnected({ expected: "an open session", got: "one that has ended", advice: "open a new one" }), null);
  }

  async #connect(): Promise<void> {
    this.#retry = undefined;
    try {
      const connection = await Connection.open(this.#opening);
      if (this.#state === "closed") connection.drop();
      else this.#begin(connection);
    } catch (problem) {
      if (!(problem instanceof SidemanError)) throw problem;
      const code = "code" in problem && typeof problem.code === "number" ? problem.code : 1006;
      this.#closed(problem, code);
    }
  }

  #begin(connection: Connection): void {
    const isFirst = this.#welcome === null;
    this.#connection = connection;
    this.#welcome = connection.welcome;
    connection.onMessage = (message) => this.#take(message);
    connection.onClosed = (problem, code) => this.#closed(problem, code);
    if (!isFirst) this.reconnects += 1;
    this.#resume(connection.welcome);
    this.#tell("open", null);
    this.#settleOpened.resolve(connection.welcome);
    this.#harmonizer.beginAgain();
  }

  /** Settings first, then the history, then what is still unanswered; ticks go on from here. */
  #resume(welcome: Welcome): void {
    this.#toAsk.unshift(...this.#asked.filter((asked) => asked.settle !== null));
    this.#asked = [];
    if (Object.keys(this.#chosen).length === 0) this.jam.followSettings(welcome.settings, null);
    else this.#put({ message: { type: "configure", ...this.#chosen }, frame: null, settle: null });
    const frame = this.jam.frames.length - 1;
    if (frame < 0) this.jam.seed = welcome.seed;
    else this.#send(this.#history(frame));
    const waiting = this.#toAsk;
    this.#toAsk = [];
    for (const asked of waiting) this.#put({ ...asked, frame: frame < 0 ? null : frame });
  }

  #take(message: GatewayMessage): void {
    let roundTripMs: number | null = null;
    if (message.type === "plan" || message.type === "keep") {
      this.#attempt = 0;
      roundTripMs = this.#roundTripOf(message.seq);
      if (message.type === "plan") this.#roundTripMs = roundTripMs; // a `keep` can be instant
    } else if (message.type === "harmonized" || message.type === "error") {
      const isTaken = this.#harmonizer.take(message);
      if (message.type === "error" && !isTaken) this.#refuse(message);
    } else if (message.type === "configured") {
      this.#confirm(message);
    }
    this.jam.receive(message);
    this.#options.onMessage?.(message, roundTripMs);
  }

  #roundTripOf(seq: number): number | null {
    const sentAt = this.#sentAt.get(seq);
    for (const older of this.#sentAt.keys()) if (older <= seq) this.#sentAt.delete(older); // answers keep the order of ticks
    return sentAt === undefined ? null : performance.now() - sentAt;
  }

  #confirm(message: Configured): void {
    const asked = this.#asked.shift();
    if (asked === undefined) return;
    this.jam.followSettings(message.settings, asked.frame);
    if (asked.message.type === "configure") {
      const { type: _, ...change } = asked.message;
      this.#chosen = { ...this.#chosen, ...Object.fromEntries(Object.entries(change).filter(([, value]) => value != null)) };
    } else {
      this.jam.barLine = 0; // S4: also if a `configure` before it moved the bar line after `reset` began the new jam
    }
    asked.settle?.resolve(message);
  }

  /** Errors name the message they refuse in `field`, ticks by `seq`; `slow_down` (C5) met any message, most likely a tick. */
  #refuse(message: ErrorMessage): void {
    if (message.seq != null) this.#roundTripOf(message.seq);
    const named = (message.field ?? "").replace(/^\$\./, "").split(".")[0] ?? "";
    if (message.code === "slow_down") {
      this.#sentAt.clear();
      return;
    }
    if (message.seq != null || ["tick", "history", "harmonize", "hello", "bye"].includes(named)) return;
    const problem = { expected: "settings the gateway takes", got: `${message.code}: ${message.message}`, advice: "change the setting" };
    this.#asked.shift()?.settle?.reject(new SettingRefused(problem));
  }

  #ask(message: Configure | Reset): Promise<Configured> {
    if (this.#state === "closed") return Promise.reject(this.#problem);
    const { promise, resolve, reject } = makePromise<Configured>();
    const asked: Asked = { message, frame: this.jam.tickedFrame, settle: { resolve, reject } };
    if (this.#state === "open") this.#put(asked);
    else this.#toAsk.push(asked);
    const timer = setTimeout(() => {
      if (this.#state !== "open") return; // it is asked again on the next connection
      this.#asked = this.#asked.filter((other) => other !== asked); // so that the next answer is not taken for this one's
      reject(new NoAnswer({ expected: "an answer in time", got: "none", advice: "try again, or connect to another gateway" }));
    }, ANSWER_TIMEOUT_MS);
    return promise.finally(() => clearTimeout(timer));
  }

  #put(asked: Asked): void {
    this.#asked.push(asked);
    this.#send(asked.message);
  }

  #send(message: ClientMessage): void {
    this.#connection?.send(message);
  }

  /** The longest history that fits one message (H2, C5), by bisection; most often that is all there is to tell. */
  #history(frame: number): History {
    const maxBytes = this.#welcome?.limits.max_message_bytes ?? 0;
    let message = this.jam.history(frame, 1);
    let numFrames = Math.min(frame + 1, MAX_HISTORY_FRAMES, this.#welcome?.limits.history_frames ?? 1);
    let [fitting, tooMany] = [1, numFrames + 1];
    while (fitting < numFrames) {
      const longer = this.jam.history(frame, numFrames);
      if (this.#fits(longer, maxBytes)) [message, fitting] = [longer, numFrames];
      else tooMany = numFrames;
      numFrames = Math.floor((fitting + tooMany) / 2);
    }
    return message;
  }

  #fits(message: ClientMessage, maxBytes: number): boolean {
    return this.#connection === null || numBytes(this.#connection.encoded(message)) <= maxBytes;
  }

  #lose(problem: SidemanError): void {
    this.#connection?.drop();
    this.#closed(problem, 1006);
  }

  #closed(problem: SidemanError, code: number): void {
    if (this.#state === "closed") return;
    this.#connection = null;
    this.#sentAt.clear();
    if (!shouldReconnect(code) || this.#attempt >= this.#backoff.attempts) {
      this.#end(problem, code === NORMAL_CLOSE ? null : problem);
      return;
    }
    this.#tell(this.#welcome === null ? "connecting" : "reconnecting", problem);
    this.#retry = setTimeout(() => void this.#connect(), delayMs(this.#backoff, this.#attempt, Math.random()));
    this.#attempt += 1; // back to 0 only when a tick is answered
  }

  #end(problem: SidemanError, told: SidemanError | null): void {
    if (this.#state === "closed") return;
    clearTimeout(this.#retry);
    this.#problem = problem;
    this.#connection?.drop();
    this.#connection = null;
    this.#tell("closed", told);
    this.#settleOpened.reject(problem);
    for (const asked of [...this.#asked, ...this.#toAsk]) asked.settle?.reject(problem);
    this.#harmonizer.end(problem);
  }

  #tell(state: State, problem: SidemanError | null): void {
    this.#state = state;
    this.#options.onState?.(state, problem);
  }
}

function unanswered(): SidemanError {
  const got = `none for ${UNANSWERED_MS / 1000} s`;
  return new NoAnswer({ expected: "answers to ticks", got, advice: "wait: the client opens a new connection" });
}
