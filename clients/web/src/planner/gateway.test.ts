import type { ClientMessage, GatewayMessage, Tick } from "sideman-client";
import { describe, expect, test } from "vitest";
import { PageGateway } from "./gateway.ts";
import { Network } from "./network.ts";
import { Slot } from "./slots.ts";
import { Symbols } from "./symbols.ts";
import { tiny } from "./vectors.ts";
import { Weights } from "./weights.ts";

const { manifest } = tiny;
const network = new Network(new Weights(manifest, tiny.data), manifest.vocabulary);
const model = { name: manifest.model, temperature: manifest.temperature, network, symbols: new Symbols(manifest.vocabulary) };

/** Everything a message leads to, but for the timing. */
function answers(gateway: PageGateway, message: ClientMessage): object[] {
  const told = [...gateway.receive(message, 0)];
  while (gateway.isBusy) told.push(...gateway.work(0));
  return told.map((answer) => ({ ...answer, ...(answer.type === "plan" && { timing: null }) }));
}

function ticked(gateway: PageGateway, frames: number, from = 0): GatewayMessage[] {
  const told: GatewayMessage[] = [];
  for (let frame = from; frame < from + frames; frame++) {
    told.push(...gateway.receive(tick(frame), 0));
    while (gateway.isBusy) told.push(...gateway.work(0));
  }
  return told;
}

function tick(frame: number): Tick {
  return { type: "tick", seq: frame + 1, frame, events: frame % 4 === 0 ? [{ frame, pitch: 60 + (frame % 7), on: true }] : [] };
}

describe("whole jams", () => {
  test.each(tiny.jams)("$name: every answer is the gateway's", ({ seed, messages }) => {
    const gateway = new PageGateway(model, seed);
    answers(gateway, { type: "hello" });
    let plans = 0;
    for (const { client, gateway: expected } of messages) {
      const timeless = expected.map((answer) => ({ ...answer, ...(answer.type === "plan" && { timing: null }) }));
      expect(answers(gateway, client)).toEqual(timeless);
      plans += expected.filter((answer) => answer.type === "plan").length;
    }
    expect(plans).toBeGreaterThan(8);
  });
});

test("a newer tick supersedes one that waits, and the plan is that of the newest (T6)", () => {
  const gateway = new PageGateway(model, 1);
  answers(gateway, { type: "configure", silence_beats: 0 });
  expect(gateway.receive(tick(0), 0)).toEqual([]);
  for (let step = 0; step < 4; step++) expect(gateway.work(0)).toEqual([]); // under way, frames of it decided
  expect(gateway.receive(tick(1), 0)).toEqual([]);
  expect(gateway.receive(tick(2), 0)).toEqual([{ type: "keep", seq: 2, reason: "superseded" }]);
  const told: GatewayMessage[] = [];
  while (gateway.isBusy) told.push(...gateway.work(0));
  expect(told.map((answer) => answer.type === "plan" && answer.seq)).toEqual([1, 3]);
});

test("a plan of which nothing is decided yet gives way too, and what was fed for it is not fed again (P6)", () => {
  const gateway = new PageGateway(model, 1);
  answers(gateway, { type: "configure", silence_beats: 0 });
  answers(gateway, { type: "history", frame: 100, first_frame: 0, chords: [{ start: 0, length: 101, symbol: "C" }] });
  gateway.receive(tick(101), 0);
  for (let step = 0; step < 90; step++) gateway.work(0);
  expect(gateway.receive(tick(102), 0)).toEqual([{ type: "keep", seq: 102, reason: "late" }]);
  let steps = 0;
  const told: GatewayMessage[] = [];
  for (; told.length === 0; steps++) told.push(...gateway.work(0));
  expect(told).toMatchObject([{ type: "plan", seq: 103 }]);
  expect(steps).toBeLessThan(40);
});

test("a session that begins anew finds what the one before has computed", () => {
  const slots = [new Slot(network), new Slot(network)] as const;
  const resume = (gateway: PageGateway) => {
    answers(gateway, { type: "configure", silence_beats: 0 });
    answers(gateway, { type: "history", frame: 100, first_frame: 0, chords: [{ start: 0, length: 101, symbol: "C" }], seed: 7 });
    return ticked(gateway, 1, 101).find((answer) => answer.type === "plan");
  };
  const [first, second] = [resume(new PageGateway(model, 1, slots)), resume(new PageGateway(model, 2, slots))];
  expect(second?.chords).toEqual(first?.chords);
  expect(second?.timing.steps).toBe(0);
});

test("every tick gets one answer, also when a history overtakes it (T3, H6)", () => {
  const gateway = new PageGateway(model, 1);
  answers(gateway, { type: "configure", silence_beats: 0 });
  gateway.receive(tick(0), 0);
  for (let step = 0; step < 4; step++) gateway.work(0);
  gateway.receive(tick(1), 0);
  const told = answers(gateway, { type: "history", frame: 8, first_frame: 0, chords: [{ start: 0, length: 9, symbol: "C" }] });
  expect(told).toEqual([
    { type: "keep", seq: 1, reason: "superseded" },
    { type: "keep", seq: 2, reason: "superseded" },
  ]);
});

test("committed chords never change, and after a hop hardly anything is computed", () => {
  const gateway = new PageGateway(model, 3);
  answers(gateway, { type: "configure", silence_beats: 0, lookahead_beats: 2, commit_beats: 1, temperature: 1 });
  const plans = ticked(gateway, 330).filter((answer) => answer.type === "plan");
  expect(plans).toHaveLength(330);
  const promised = new Map<number, string>();
  for (const plan of plans) {
    for (const run of plan.chords) {
      for (let frame = run.start; frame < run.start + run.length; frame++) {
        if (promised.has(frame)) expect(run.symbol).toBe(promised.get(frame));
        else if (frame < plan.committed_until) promised.set(frame, run.symbol);
      }
    }
    expect(plan.timing.steps).toBeLessThanOrEqual(11); // eight frames of plan, and what was amended
  }
});

test("a model it does not have is taken for its own, and its temperature holds until the player chooses one (S1)", () => {
  const gateway = new PageGateway(model, 1);
  const [configured] = gateway.receive({ type: "configure", model: "another", bpm: 90 }, 0);
  expect(configured).toMatchObject({ settings: { model: manifest.model, bpm: 90, temperature: manifest.temperature } });
  const [chosen] = gateway.receive({ type: "configure", temperature: 0 }, 0);
  expect(chosen).toMatchObject({ settings: { temperature: 0 } });
});

test("whole melodies are refused, the jam goes on", () => {
  const gateway = new PageGateway(model, 1);
  expect(gateway.receive({ type: "harmonize", seq: 4, frames: 16 }, 0)).toMatchObject([{ type: "error", code: "unknown_model", seq: 4 }]);
});
