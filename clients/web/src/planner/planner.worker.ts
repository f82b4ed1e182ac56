/** The page's planner in a thread of its own, so that drawing and sound never wait for it. Shell. */

import { encode, decode as unpack } from "@msgpack/msgpack";
import type { ClientMessage, GatewayMessage } from "sideman-client";
import { type Model, PageGateway } from "./gateway.ts";
import type { FromWorker, Packet, ToWorker, WeightsFrom } from "./link.ts";
import { loadModel } from "./load.ts";
import { Slot } from "./slots.ts";

let model: Model | null = null;
let slots: readonly [Slot, Slot] | null = null; // outlive sessions: a client that comes back need not wait for the same again
let current: { readonly session: number; readonly gateway: PageGateway } | null = null;
let isText = false; // the client's encoding is ours

// One step of work a turn: what comes in meanwhile is heard between two steps, and timers would wait for milliseconds.
const turns = new MessageChannel();
let isTurnDue = false;

addEventListener("message", ({ data }: MessageEvent<ToWorker>) => {
  if (data.kind === "load") void load(data.url, data.from);
  else if (data.kind === "begin" && model !== null) begin(model, data.session, data.seed);
  else if (data.kind === "said" && data.session === current?.session) hear(data.packet);
});

turns.port1.onmessage = () => {
  isTurnDue = false;
  if (current === null) return;
  tell(current.gateway.work(performance.now()));
  takeTurns();
};

async function load(url: string, from: WeightsFrom): Promise<void> {
  try {
    model = await loadModel(url, from);
    post({ kind: "ready", model: model.name });
  } catch (problem) {
    post({ kind: "failed", problem: String(problem) });
  }
}

function begin(model: Model, session: number, seed: number): void {
  slots ??= [new Slot(model.network), new Slot(model.network)];
  current = { session, gateway: new PageGateway(model, seed, slots) };
}

function hear(packet: Packet): void {
  isText = typeof packet === "string";
  const message = (typeof packet === "string" ? JSON.parse(packet) : unpack(packet)) as ClientMessage;
  try {
    tell(current?.gateway.receive(message, performance.now()) ?? []);
  } catch (problem) {
    if (!(problem instanceof Error)) throw problem;
    tell([{ type: "error", code: "bad_field", message: problem.message, field: `$.${message.type}` }]);
  }
  takeTurns();
}

function takeTurns(): void {
  if (isTurnDue || !current?.gateway.isBusy) return;
  isTurnDue = true;
  turns.port2.postMessage(0);
}

function tell(messages: readonly GatewayMessage[]): void {
  for (const message of messages) {
    if (current === null) return;
    const packet = isText ? JSON.stringify(message) : encode(message, { ignoreUndefined: true }).slice().buffer;
    post({ kind: "told", session: current.session, packet });
  }
}

function post(message: FromWorker): void {
  postMessage(message);
}
