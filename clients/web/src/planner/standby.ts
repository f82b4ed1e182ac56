/**
 * Steps in when no service answers: sockets that end in this page's own planner, until the service is there again. Shell.
 *
 *     const standby = new Standby(plannerUrl);
 *     const client = new SidemanClient(url, { WebSocket: standby.WebSocket });
 *
 * The client knows nothing of it. It opens a socket, and gets a real one as long as those are answered; after ENOUGH that were not, one
 * of the page. Meanwhile the service is tried now and then; when it answers, the page's socket closes with 1012 and the client comes
 * back to it with its history, as after any lost connection.
 */

import type { FromWorker, Packet, ToWorker, WeightsFrom } from "./link.ts";

const ENOUGH = 2; // openings in a row without an answer
const OPENING_MS = 3_000; // a network that is gone may say so late
const TRY_AGAIN_MS = 5_000;
const [LOST, RESTARTED] = [1006, 1012]; // close codes that ask the client to come back

export class Standby {
  readonly WebSocket: typeof WebSocket;
  onChange: (isActive: boolean) => void = () => {};
  readonly #plannerUrl: string;
  #numUnanswered = 0;
  #socket: PageSocket | null = null;
  #worker: Worker | null = null;
  #ready: Promise<Worker> | null = null;
  #trying: ReturnType<typeof setInterval> | undefined;
  #nextSession = 1;

  /** `plannerUrl` is the address of `planner.json`; nothing is loaded from it before it is needed, or `prepare` is called. */
  constructor(plannerUrl: string) {
    this.#plannerUrl = plannerUrl;
    const open = (url: string | URL, protocols?: string | string[]) => this.#open(url, protocols);
    // A constructor that returns an object gives that object: the client says `new WebSocket(...)` and gets what `open` chose.
    this.WebSocket = function StandbySocket(url: string | URL, protocols?: string | string[]) {
      return open(url, protocols);
    } as unknown as typeof WebSocket;
  }

  /** Whether the page plans now. */
  get isActive(): boolean {
    return this.#socket !== null;
  }

  /** Loads the planner, so that it is there when the service and its files are gone; resolves with whether it is. */
  prepare(onlyKept: boolean): Promise<boolean> {
    return this.#load(onlyKept ? "kept" : "idly").then(
      () => true,
      () => false, // whoever needs it hears of it
    );
  }

  #open(url: string | URL, protocols?: string | string[]): WebSocket {
    const enough = navigator.onLine ? ENOUGH : 1;
    return this.#numUnanswered >= enough ? (this.#openHere(url, protocols) as unknown as WebSocket) : this.#openThere(url, protocols);
  }

  /** A real socket that is given up early and watched for an answer. */
  #openThere(url: string | URL, protocols?: string | string[]): WebSocket {
    const socket = new WebSocket(url, protocols);
    const giveUp = setTimeout(() => socket.close(), OPENING_MS);
    let isAnswered = false;
    socket.addEventListener("message", () => {
      clearTimeout(giveUp);
      isAnswered = true;
      this.#numUnanswered = 0;
    });
    socket.addEventListener("close", () => {
      clearTimeout(giveUp);
      if (!isAnswered) this.#numUnanswered += 1;
    });
    return socket;
  }

  #openHere(url: string | URL, protocols?: string | string[]): PageSocket {
    const session = this.#nextSession++;
    const socket = new PageSocket(
      (packet) => this.#worker?.postMessage({ kind: "said", session, packet } satisfies ToWorker),
      () => this.#leave(socket, LOST),
    );
    this.#load("anywhere").then(
      (worker) => {
        worker.postMessage({ kind: "begin", session, seed: crypto.getRandomValues(new Uint32Array(1))[0] ?? 0 } satisfies ToWorker);
        worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
          if (data.kind === "told" && data.session === session) socket.take(data.packet);
        };
        if (!socket.open()) return;
        this.#socket = socket;
        this.#trying = setInterval(() => this.#try(socket, url, protocols), TRY_AGAIN_MS);
        this.onChange(true);
      },
      () => {
        this.#numUnanswered = 0; // nothing to plan with here: the service is asked again
        socket.shut(LOST);
      },
    );
    return socket;
  }

  /** Goes back to the service as soon as it opens a socket. */
  #try(socket: PageSocket, url: string | URL, protocols?: string | string[]): void {
    const real = new WebSocket(url, protocols);
    const giveUp = setTimeout(() => real.close(), OPENING_MS);
    real.onclose = () => clearTimeout(giveUp);
    real.onopen = () => {
      real.close();
      this.#numUnanswered = 0;
      this.#leave(socket, RESTARTED);
    };
  }

  #leave(socket: PageSocket, code: number): void {
    const wasActive = this.#socket === socket;
    if (wasActive) {
      this.#socket = null;
      clearInterval(this.#trying);
    }
    socket.shut(code);
    if (wasActive) this.onChange(false);
  }

  /** The worker with the model in it; rejects with why it cannot be had, and begins anew the next time. */
  #load(from: WeightsFrom): Promise<Worker> {
    this.#ready ??= new Promise<Worker>((resolve, reject) => {
      const worker = new Worker(new URL("./planner.worker.ts", import.meta.url), { type: "module" });
      const fail = (problem: string) => {
        worker.terminate();
        this.#ready = null;
        reject(new Error(problem));
      };
      worker.onerror = (event) => fail(event.message);
      worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
        if (data.kind === "failed") fail(data.problem);
        if (data.kind === "ready") resolve(worker);
      };
      worker.postMessage({ kind: "load", url: this.#plannerUrl, from } satisfies ToWorker);
      this.#worker = worker;
    });
    this.#ready.catch(() => {
      this.#ready = null;
    });
    return this.#ready;
  }
}

/** A socket whose other end is the worker: as much of a WebSocket as the client uses. */
class PageSocket {
  binaryType: BinaryType = "arraybuffer";
  onopen: WebSocket["onopen"] = null;
  onclose: WebSocket["onclose"] = null;
  onerror: WebSocket["onerror"] = null;
  onmessage: WebSocket["onmessage"] = null;
  readyState: 0 | 1 | 3 = 0;
  readonly #said: (packet: Packet) => void;
  readonly #left: () => void;

  constructor(said: (packet: Packet) => void, left: () => void) {
    this.#said = said;
    this.#left = left;
  }

  send(data: string | Uint8Array): void {
    this.#said(typeof data === "string" ? data : data.slice().buffer);
  }

  /** By the client. */
  close(): void {
    this.#left();
  }

  /** The worker is ready; false if the client has gone meanwhile. */
  open(): boolean {
    if (this.readyState !== 0) return false;
    this.readyState = 1;
    this.#call(this.onopen, new Event("open"));
    return true;
  }

  take(packet: Packet): void {
    if (this.readyState === 1) this.#call(this.onmessage, new MessageEvent("message", { data: packet }));
  }

  /** Closes from this end; the client hears of it once. */
  shut(code: number): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.#call(this.onclose, new CloseEvent("close", { code }));
  }

  #call<E extends Event>(listener: ((this: WebSocket, event: E) => void) | null, event: E): void {
    listener?.call(this as unknown as WebSocket, event);
  }
}
