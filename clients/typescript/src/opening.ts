/** Opens a session: WebSocket, hello, welcome; and says why one was closed. Shell. */

import { decode, encode, type Subprotocol } from "./codec.ts";
import { CannotConnect, ClosedByGateway, SidemanError } from "./errors.ts";
import { CLOSE_REASONS, shouldReconnect } from "./generated/codes.ts";
import type { ClientMessage, GatewayMessage, Hello, Welcome } from "./generated/messages.ts";

const OPENING_TIMEOUT_MS = 10_000;

/** How to come back: full jitter below a bound that doubles, so that a thousand clients do not knock together. */
export interface Backoff {
  readonly firstMs: number;
  readonly longestMs: number;
  readonly attempts: number;
}

export const PATIENT: Backoff = { firstMs: 250, longestMs: 10_000, attempts: Number.POSITIVE_INFINITY };

/** Milliseconds before attempt 0, 1, ...; `chance` is uniform in [0, 1). */
export function delayMs(backoff: Backoff, attempt: number, chance: number): number {
  return chance * Math.min(backoff.longestMs, backoff.firstMs * 2 ** attempt);
}

export interface Opening {
  readonly url: string;
  readonly hello: Hello;
  readonly subprotocol: Subprotocol;
  readonly WebSocket: typeof WebSocket;
}

/** The close as an error, with its reason and whether trying again helps. */
export function refusal(code: number, reason: string): ClosedByGateway {
  const advice = shouldReconnect(code) ? "try again in a few seconds" : "trying again would not help: see the close codes of the protocol";
  const why = reason || CLOSE_REASONS[code] || "the connection broke";
  return new ClosedByGateway({ expected: "an open session", got: `close code ${code} (${why})`, advice }, code);
}

/** One open connection on which `welcome` has come. It ends once: `onClosed` is called with why, unless it was dropped here. */
export class Connection {
  onMessage: (message: GatewayMessage) => void = () => {};
  onClosed: (problem: SidemanError, code: number) => void = () => {};
  readonly welcome: Welcome;
  readonly #socket: WebSocket;
  readonly #subprotocol: Subprotocol;

  private constructor(socket: WebSocket, subprotocol: Subprotocol, welcome: Welcome) {
    this.#socket = socket;
    this.#subprotocol = subprotocol;
    this.welcome = welcome;
    socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => this.#take(event.data);
    socket.onclose = (event) => this.onClosed(refusal(event.code, event.reason), event.code);
  }

  /** Rejects with CannotConnect or ClosedByGateway. */
  static open({ url, hello, subprotocol, WebSocket }: Opening): Promise<Connection> {
    const { promise, resolve, reject } = makePromise<Connection>();
    const socket = new WebSocket(url, subprotocol);
    socket.binaryType = "arraybuffer";
    const give = (got: string, advice: string) => {
      letGo(socket);
      reject(new CannotConnect({ expected: `a gateway at ${url}`, got, advice }));
    };
    const timer = setTimeout(() => give("no answer in time", "check the address and the network"), OPENING_TIMEOUT_MS);
    promise.finally(() => clearTimeout(timer)).catch(() => {}); // its rejection is the caller's
    socket.onopen = () => socket.send(encode(hello, subprotocol));
    socket.onclose = (event) => {
      if (event.code === 1006) give("no connection", "check that the service is running and the network is there");
      else reject(refusal(event.code, event.reason));
    };
    socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => {
      try {
        const message = decode(event.data, subprotocol);
        if (message?.type === "welcome") resolve(new Connection(socket, subprotocol, message));
        else give(message?.type ?? "an unknown message", "check that this is a Sideman gateway of this version");
      } catch (problem) {
        letGo(socket);
        reject(problem);
      }
    };
    return promise;
  }

  /** Sends, or leaves it: if the connection is gone `onClosed` tells, and history makes up for it. */
  send(message: ClientMessage): void {
    if (this.#socket.readyState === 1) this.#socket.send(encode(message, this.#subprotocol));
  }

  encoded(message: ClientMessage): Uint8Array | string {
    return encode(message, this.#subprotocol);
  }

  /** Lets go at once, without another call to `onClosed`. */
  drop(): void {
    letGo(this.#socket);
  }

  #take(data: string | ArrayBuffer): void {
    try {
      const message = decode(data, this.#subprotocol);
      if (message !== null) this.onMessage(message);
    } catch (problem) {
      if (!(problem instanceof SidemanError)) throw problem;
      letGo(this.#socket);
      this.onClosed(problem, 1002);
    }
  }
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (problem: unknown) => void;
}

/** A promise and its two ends (Promise.withResolvers is younger than the browsers we support). */
export function makePromise<T>(): Deferred<T> {
  let ends: Omit<Deferred<T>, "promise"> | undefined;
  const promise = new Promise<T>((resolve, reject) => {
    ends = { resolve, reject };
  });
  if (ends === undefined) throw new Error("a promise runs its executor at once");
  return { promise, ...ends };
}

function letGo(socket: WebSocket): void {
  socket.onopen = socket.onmessage = socket.onclose = socket.onerror = null;
  socket.close();
}
