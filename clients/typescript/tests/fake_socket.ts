/** A WebSocket without a network: the test is its gateway. */

import { type ClientMessage, decode, encode, type GatewayMessage, JSON_TEXT, type Welcome } from "../src/index.ts";

export const WELCOME: Welcome = {
  type: "welcome",
  session: "s1",
  seed: 11,
  version: 1,
  models: ["online"],
  settings: {
    bpm: 120,
    beats_per_bar: 4,
    model: "online",
    temperature: 0.8,
    lookahead_beats: 4,
    commit_beats: 2,
    silence_beats: 0,
    density: "unspecified",
    style: "unspecified",
    voicing: "led",
  },
  limits: { max_message_bytes: 16384, messages_per_second: 25, message_burst: 50, max_events_per_tick: 64, history_frames: 1024 },
};

/** Sockets in the order in which they were opened. */
export class FakeGateway {
  readonly sockets: FakeSocket[] = [];
  readonly WebSocket: typeof WebSocket;

  constructor() {
    const { sockets } = this;
    this.WebSocket = class extends FakeSocket {
      constructor() {
        super();
        sockets.push(this);
      }
    } as unknown as typeof WebSocket;
  }

  get last(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (socket === undefined) throw new Error("nobody has connected");
    return socket;
  }
}

export class FakeSocket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: (() => void) | null = null;
  readyState = 0;
  isDropped = false;
  readonly sent: ClientMessage[] = [];

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(): void {
    this.readyState = 3;
    this.isDropped = true;
  }

  accept(welcome: Welcome = WELCOME): void {
    this.readyState = 1;
    this.onopen?.();
    this.say(welcome);
  }

  say(message: GatewayMessage): void {
    const text = encode(message as unknown as ClientMessage, JSON_TEXT) as string;
    decode(text, JSON_TEXT); // a fake that says what no gateway could would prove nothing
    this.onmessage?.({ data: text });
  }

  end(code: number, reason = ""): void {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }

  types(): string[] {
    return this.sent.map((message) => message.type);
  }
}
