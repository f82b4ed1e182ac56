/** One session kept through lost connections; time and network are the test's own. */

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type ClientOptions, JSON_TEXT, type Plan, SidemanClient, type State } from "../src/index.ts";
import { FakeGateway, WELCOME } from "./fake_socket.ts";

let gateway: FakeGateway;
let states: State[];

beforeEach(() => {
  vi.useFakeTimers();
  gateway = new FakeGateway();
  states = [];
});
afterEach(() => {
  vi.useRealTimers();
});

function open(options: ClientOptions = {}): SidemanClient {
  const onState = (state: State) => states.push(state);
  return new SidemanClient("ws://gateway/jam", { WebSocket: gateway.WebSocket, subprotocol: JSON_TEXT, onState, ...options });
}

async function opened(options: ClientOptions = {}): Promise<SidemanClient> {
  const client = open(options);
  gateway.last.accept();
  await client.opened;
  return client;
}

async function comeBack(): Promise<void> {
  await vi.advanceTimersByTimeAsync(10_000);
  gateway.last.accept();
  await vi.advanceTimersByTimeAsync(0);
}

function plan(seq: number, firstFrame: number): Plan {
  const timing = { gateway_ms: 1, queue_ms: 0, device_ms: 0, steps: 1, reused: 1, batch: 1, unrefined: 0 };
  const chords = [{ start: firstFrame, length: 16, symbol: "C", pitches: [36, 60], onset: true }];
  return { type: "plan", seq, first_frame: firstFrame, committed_until: firstFrame + 8, chords, timing };
}

test("C3 C4 hello comes first, and welcome opens the session", async () => {
  const client = open({ name: "test" });
  expect(client.state).toBe("connecting");
  gateway.last.accept();
  expect(await client.opened).toEqual(WELCOME);
  expect(gateway.last.sent).toEqual([{ type: "hello", client: "test" }]);
  expect([client.state, client.jam.seed, client.jam.settings]).toEqual(["open", 11, WELCOME.settings]);
});

test("a tick's answer goes to the jam, and its round trip into the next tick", async () => {
  const trips: (number | null)[] = [];
  const client = await opened({ onMessage: (_, roundTripMs) => trips.push(roundTripMs) });
  expect(client.sendTick(0)?.seq).toBe(1);
  await vi.advanceTimersByTimeAsync(30);
  gateway.last.say(plan(1, 1));
  expect(client.jam.beginFrame(1).symbol).toBe("C");
  expect(trips).toEqual([30]);
  expect(client.sendTick(1)).toMatchObject({ round_trip_ms: 30, applied: { seq: 1, from_frame: 1 } });
  expect(client.sendTick(2)?.round_trip_ms).toBeUndefined();
});

test("H1 after a lost connection settings and history are sent, and ticks go on", async () => {
  const client = await opened();
  const answer = client.configure({ bpm: 96 });
  gateway.last.say({ type: "configured", settings: { ...WELCOME.settings, bpm: 96 }, from_frame: 0 });
  expect((await answer).settings.bpm).toBe(96);
  client.sendTick(0);
  gateway.last.say(plan(1, 1));
  gateway.last.end(1006);
  expect(client.state).toBe("reconnecting");
  expect(client.sendTick(1)).toBeNull();
  expect(client.jam.frames.get(1)?.symbol).toBe("C");
  await comeBack();
  expect(gateway.last.sent.slice(1)).toMatchObject([
    { type: "configure", bpm: 96 },
    { type: "history", frame: 1, seed: 11, plan: { seq: 1 } },
  ]);
  expect(client.sendTick(2)?.frame).toBe(2);
  expect(states).toEqual(["open", "reconnecting", "open"]);
  expect(client.reconnects).toBe(1);
});

test("a change asked for while there is no connection is answered on the next one", async () => {
  const client = await opened();
  gateway.last.end(1012);
  const answer = client.configure({ commit_beats: 0 });
  await comeBack();
  expect(gateway.last.types()).toEqual(["hello", "configure"]);
  gateway.last.say({ type: "configured", settings: { ...WELCOME.settings, commit_beats: 0 }, from_frame: 0 });
  expect((await answer).settings.commit_beats).toBe(0);
});

test("S2 a refused change is told, and the answer after it belongs to the next change", async () => {
  const client = await opened();
  const [bad, good] = [client.configure({ commit_beats: 8 }), client.configure({ bpm: 90 })];
  gateway.last.say({ type: "error", code: "bad_setting", message: "expected at most 4", field: "$.configure.commit_beats" });
  gateway.last.say({ type: "configured", settings: { ...WELCOME.settings, bpm: 90 }, from_frame: 0 });
  await expect(bad).rejects.toThrow("expected settings the gateway takes, got bad_setting: expected at most 4");
  expect((await good).settings.bpm).toBe(90);
});

test("C10 codes of 4500 and more end the session for good", async () => {
  const client = await opened();
  gateway.last.end(4507, "too many errors: mend the client");
  await vi.advanceTimersByTimeAsync(60_000);
  expect([client.state, gateway.sockets.length]).toEqual(["closed", 1]);
  await expect(client.configure({ bpm: 90 })).rejects.toThrow("close code 4507 (too many errors: mend the client)");
});

test("C8 a full house, and a gateway that is not there yet, are tried again", async () => {
  const client = open();
  gateway.last.end(1013, "all seats taken: try again in a few seconds");
  await vi.advanceTimersByTimeAsync(10_000);
  gateway.last.end(1006);
  await comeBack();
  expect((await client.opened).session).toBe("s1");
  expect(states).toEqual(["connecting", "connecting", "open"]);
});

test("T3 a connection on which ticks stay unanswered is given up", async () => {
  const client = await opened();
  const [first] = gateway.sockets;
  client.sendTick(0);
  await vi.advanceTimersByTimeAsync(4_001);
  expect(client.sendTick(1)).toBeNull();
  expect([first?.isDropped, client.state]).toEqual([true, "reconnecting"]);
});

test("hurry comes back at once", async () => {
  const client = await opened();
  gateway.last.end(1006);
  client.hurry();
  expect(gateway.sockets.length).toBe(2);
});

test("C9 leave says bye, and nothing comes after it", async () => {
  const client = await opened();
  const socket = gateway.last;
  client.leave();
  expect([socket.types().at(-1), socket.isDropped, client.state]).toEqual(["bye", true, "closed"]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(gateway.sockets.length).toBe(1);
});

test("W2 a whole melody comes back in parts, and is asked for again after a lost connection", async () => {
  const client = await opened();
  const progress: number[] = [];
  const asked = client.harmonize([{ start: 0, length: 8, pitch: 60 }], 16, { onProgress: (decided) => progress.push(decided) });
  await vi.advanceTimersByTimeAsync(0);
  gateway.last.end(1006);
  await comeBack();
  const [message] = gateway.last.sent.filter((each) => each.type === "harmonize");
  expect(message).toMatchObject({ frames: 16, melody: [{ start: 0, length: 8, pitch: 60 }] });
  const chord = (start: number, symbol: string) => ({ start, length: 8, symbol, pitches: [36], onset: true });
  gateway.last.say({ type: "harmonized", seq: 1, first_frame: 0, until: 8, frames: 16, chords: [chord(0, "C")] });
  gateway.last.say({ type: "harmonized", seq: 1, first_frame: 8, until: 16, frames: 16, chords: [chord(8, "G")] });
  expect((await asked).map((run) => run.symbol)).toEqual(["C", "G"]);
  expect(progress).toEqual([8, 16]);
});

test("W4 a gateway without an offline model says so", async () => {
  const client = await opened();
  const asked = client.harmonize([], 16);
  await vi.advanceTimersByTimeAsync(0);
  gateway.last.say({ type: "error", code: "unknown_model", message: "no offline model", field: "$.harmonize", seq: 1 });
  await expect(asked).rejects.toThrow("use a gateway with an offline model");
});

test("H2 a long history is shortened until it fits one message", async () => {
  const client = open();
  gateway.last.accept({ ...WELCOME, limits: { ...WELCOME.limits, max_message_bytes: 600 } });
  await client.opened;
  for (let frame = 0; frame < 64; frame++) {
    client.jam.note({ frame, pitch: 60 + (frame % 12), on: true });
    client.jam.beginFrame(frame);
  }
  gateway.last.end(1006);
  await vi.advanceTimersByTimeAsync(10_000);
  gateway.last.accept({ ...WELCOME, limits: { ...WELCOME.limits, max_message_bytes: 600 } });
  await vi.advanceTimersByTimeAsync(0);
  const history = gateway.last.sent.find((message) => message.type === "history");
  expect(JSON.stringify(history).length).toBeLessThanOrEqual(600);
  expect(JSON.stringify(history).length).toBeGreaterThan(500);
  expect(history).toMatchObject({ frame: 63 });
});
