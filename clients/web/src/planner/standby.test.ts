import { decode, encode } from "@msgpack/msgpack";
import { type ClientMessage, type GatewayMessage, type Plan, SidemanClient, type State } from "sideman-client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { PageGateway } from "./gateway.ts";
import type { ToWorker } from "./link.ts";
import { checkedModel } from "./load.ts";
import { Standby } from "./standby.ts";
import { tiny } from "./vectors.ts";

const model = checkedModel(tiny.manifest, tiny.data);
const packed = (message: GatewayMessage) => encode(message, { ignoreUndefined: true }).slice().buffer;

/** Stands in for the network: a gateway answers, or nobody does. */
let isServing = true;
let opened = 0;
const sockets = new Set<Wire>();

class Wire extends EventTarget {
  binaryType = "arraybuffer";
  readyState = 0;
  onopen: (() => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onmessage: ((event: { data: ArrayBuffer }) => void) | null = null;
  #gateway = new PageGateway({ ...model, name: "service" }, 7);

  constructor() {
    super();
    opened += 1;
    sockets.add(this);
    setTimeout(() => (isServing ? this.#begin() : this.lose()), 1);
  }

  send(data: Uint8Array): void {
    const told = [...this.#gateway.receive(decode(data) as ClientMessage, 0)];
    while (this.#gateway.isBusy) told.push(...this.#gateway.work(0));
    for (const message of told) setTimeout(() => this.#tell(message), 1);
  }

  close(): void {
    this.readyState = 3;
    sockets.delete(this);
  }

  lose(): void {
    this.close();
    this.dispatchEvent(new Event("close"));
    this.onclose?.({ code: 1006, reason: "" });
  }

  #begin(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  #tell(message: GatewayMessage): void {
    if (this.readyState !== 1) return;
    this.dispatchEvent(new Event("message"));
    this.onmessage?.({ data: packed(message) });
  }
}

/** The worker's shell, without a thread. */
class Thread {
  static fails = false;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onerror = null;
  #gateway: PageGateway | null = null;

  postMessage(data: ToWorker): void {
    if (data.kind === "load") this.#post(Thread.fails ? { kind: "failed", problem: "404" } : { kind: "ready", model: model.name });
    if (data.kind === "begin") this.#gateway = new PageGateway(model, data.seed);
    if (data.kind === "said" && this.#gateway !== null) {
      const told = [...this.#gateway.receive(decode(new Uint8Array(data.packet as ArrayBuffer)) as ClientMessage, 0)];
      while (this.#gateway.isBusy) told.push(...this.#gateway.work(0));
      for (const message of told) this.#post({ kind: "told", session: data.session, packet: packed(message) });
    }
  }

  terminate(): void {}

  #post(data: unknown): void {
    setTimeout(() => this.onmessage?.({ data }), 1);
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  [isServing, opened, Thread.fails] = [true, 0, false];
  vi.stubGlobal("WebSocket", Wire);
  vi.stubGlobal("Worker", Thread);
  vi.stubGlobal("navigator", { onLine: true });
  vi.stubGlobal(
    "CloseEvent",
    class extends Event {
      readonly code: number;
      readonly reason = "";
      constructor(type: string, { code }: { code: number }) {
        super(type);
        this.code = code;
      }
    },
  );
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** A client behind a standby, with all that it was told. */
function join() {
  const standby = new Standby("https://page/planner/planner.json");
  const told: GatewayMessage[] = [];
  const states: State[] = [];
  const client = new SidemanClient("wss://page/jam", {
    WebSocket: standby.WebSocket,
    onMessage: (message) => told.push(message),
    onState: (state) => states.push(state),
  });
  const plans = () => told.filter((message): message is Plan => message.type === "plan");
  const play = async (frames: number) => {
    for (let index = 0; index < frames; index++) {
      const frame = client.jam.frames.length;
      if (frame % 3 === 0) client.jam.note({ frame, pitch: 60 + (frame % 5), on: true });
      client.jam.beginFrame(frame);
      client.sendTick(frame);
      await vi.advanceTimersByTimeAsync(125);
    }
  };
  return { standby, client, states, plans, play };
}

test("while a service answers, the page has no part in it and loads nothing", async () => {
  const { standby, client, plans, play } = join();
  await vi.advanceTimersByTimeAsync(50);
  void client.configure({ silence_beats: 0 });
  await play(12);
  expect(plans()).toHaveLength(12);
  expect([standby.isActive, client.welcome?.models]).toEqual([false, ["service"]]);
});

test("a service that is gone in mid-jam: the page goes on from the history, keeps what was promised, and gives back", async () => {
  const { standby, client, states, plans, play } = join();
  const changes: boolean[] = [];
  standby.onChange = (isActive) => changes.push(isActive);
  await vi.advanceTimersByTimeAsync(50);
  void client.configure({ silence_beats: 0, temperature: 1 });
  await play(20);
  isServing = false;
  for (const socket of sockets) socket.lose();
  await play(16);
  expect([standby.isActive, client.state, client.welcome?.models]).toEqual([true, "open", ["tiny"]]);
  isServing = true;
  const seed = client.jam.seed;
  await play(60);
  expect([standby.isActive, client.state, client.welcome?.models, client.jam.seed]).toEqual([false, "open", ["service"], seed]);
  expect(changes).toEqual([true, false]);
  expect(states.filter((state) => state === "open")).toHaveLength(3);
  const promised = new Map<number, string>();
  for (const plan of plans()) {
    for (const run of plan.chords) {
      for (let frame = run.start; frame < run.start + run.length; frame++) {
        if (promised.has(frame)) expect(run.symbol).toBe(promised.get(frame));
        else if (frame < plan.committed_until) promised.set(frame, run.symbol);
      }
    }
  }
  expect(client.jam.frames.slice(-40).every((frame) => frame.planned)).toBe(true);
});

test("where there never was a service, the page plans from the start after two tries", async () => {
  isServing = false;
  const { standby, client, plans, play } = join();
  await vi.advanceTimersByTimeAsync(2_000);
  expect([standby.isActive, client.state]).toEqual([true, "open"]);
  expect(opened).toBe(2);
  void client.configure({ silence_beats: 0 });
  await play(8);
  expect(plans()).toHaveLength(8);
});

test("if the planner cannot be had either, the service is asked again and again", async () => {
  [isServing, Thread.fails] = [false, true];
  const { standby, client } = join();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(standby.isActive).toBe(false);
  expect(opened).toBeGreaterThan(4);
  isServing = true;
  await vi.advanceTimersByTimeAsync(25_000);
  expect([client.state, client.welcome?.models]).toEqual(["open", ["service"]]);
});
