/** What sounds in each frame, what ticks report, and what a history says: golden vectors and hand-made plans. */

import { describe, expect, test } from "vitest";
import { DEFAULT_SETTINGS, EventOutOfOrder, Frames, Jam, type NoteEvent, type Plan, runAt } from "../src/index.ts";
import { MELODIES, SOUNDING } from "./vectors.ts";

const TIMING = { gateway_ms: 1, queue_ms: 0, device_ms: 0, steps: 1, reused: 1, batch: 1, unrefined: 0 };
const AT_ONCE = { ...DEFAULT_SETTINGS, silence_beats: 0 };

type Run = readonly [length: number, symbol: string, onset: boolean];

/** A plan of adjoining runs; a chord's only pitch tells the length of its name, to tell chords apart. */
function plan(seq: number, firstFrame: number, runs: readonly Run[], committed = 0): Plan {
  let start = firstFrame;
  const chords = runs.map(([length, symbol, onset]) => {
    const run = { start, length, symbol, pitches: symbol === "N" ? [] : [36 + symbol.length], onset };
    start += length;
    return run;
  });
  return { type: "plan", seq, first_frame: firstFrame, committed_until: firstFrame + committed, chords, timing: TIMING };
}

/** Frames as text: `C!` struck, `C` held, `.` no chord. */
function sounds(jam: Jam, first: number, end: number): string {
  const frames = Array.from({ length: end - first }, (_, index) => jam.beginFrame(first + index));
  return frames.map(({ symbol, struck }) => (symbol === "N" ? "." : symbol + (struck ? "!" : ""))).join(" ");
}

const press = (frame: number, pitch: number): NoteEvent => ({ frame, pitch, on: true });
const release = (frame: number, pitch: number): NoteEvent => ({ frame, pitch, on: false });

describe("golden", () => {
  test.each(SOUNDING.map((vector) => [vector.name, vector] as const))("P3 P4 P5 %s", (_, vector) => {
    const jam = new Jam();
    const heard: { symbol: string; onset: boolean }[] = [];
    for (let frame = 0; frame < vector.from_frame + vector.frames.length; frame++) {
      const { symbol, struck } = jam.beginFrame(frame);
      heard.push({ symbol, onset: struck });
      for (const told of vector.plans.filter((each) => each.arrives_in === frame)) {
        jam.receive(
          plan(
            told.seq,
            told.first_frame,
            told.chords.map((run) => [run.length, run.symbol, run.onset] as const),
          ),
        );
      }
    }
    expect(heard.slice(vector.from_frame)).toEqual(vector.frames);
  });

  test.each(MELODIES.map((vector) => [vector.name, vector] as const))("G3 %s", (_, vector) => {
    const jam = new Jam();
    for (const event of vector.events) jam.note(event);
    expect(jam.melodyRuns(0, vector.values.length)).toEqual(vector.melody);
  });
});

test("P3 an older plan never replaces a newer one", () => {
  const jam = new Jam(AT_ONCE);
  jam.receive(plan(2, 1, [[4, "C", true]]));
  jam.receive(plan(1, 1, [[4, "G", true]]));
  expect(sounds(jam, 0, 3)).toBe(". C! C");
});

test("P5 a frame without a plan goes on and keeps its pitches", () => {
  const jam = new Jam(AT_ONCE);
  jam.receive(plan(1, 1, [[2, "C", true]]));
  expect(sounds(jam, 0, 5)).toBe(". C! C C C");
  expect(jam.frames.slice(2, 5).map((each) => [each.planned, each.pitches[0]])).toEqual([
    [true, 37],
    [false, 37],
    [false, 37],
  ]);
});

test("a frame that has begun never changes", () => {
  const jam = new Jam(AT_ONCE);
  const first = jam.beginFrame(3);
  jam.receive(plan(1, 1, [[8, "C", true]]));
  expect(jam.beginFrame(3)).toEqual(first);
  expect(sounds(jam, 0, 5)).toBe(". . . . C!");
});

test("ahead says what will sound and decides nothing", () => {
  const jam = new Jam(AT_ONCE);
  jam.receive(
    plan(1, 1, [
      [2, "C", true],
      [3, "G", true],
    ]),
  );
  jam.beginFrame(1);
  expect(jam.ahead(6).map(({ symbol, struck }) => symbol + (struck ? "!" : ""))).toEqual(["C", "G!", "G", "G"]);
  jam.receive(plan(2, 2, [[4, "F", true]]));
  expect(sounds(jam, 1, 4)).toBe("C! F! F");
});

test("P7 late frames are counted once plans are due", () => {
  const jam = new Jam({ ...DEFAULT_SETTINGS, silence_beats: 2 });
  for (let frame = 0; frame < 4; frame++) jam.tick(frame);
  expect(jam.lateFrames).toBe(0);
  expect(jam.beginFrame(4).late).toBe(true);
  jam.tick(4);
  jam.receive(
    plan(6, 6, [
      [2, "N", false],
      [8, "C", true],
    ]),
  );
  expect(jam.beginFrame(5).late).toBe(false);
});

test("P6 listening is not late", () => {
  const jam = new Jam(AT_ONCE);
  jam.receive({ type: "keep", seq: jam.tick(0).seq, reason: "listening" });
  expect(jam.beginFrame(1).late).toBe(false);
  jam.receive({ type: "keep", seq: jam.tick(1).seq, reason: "late" });
  expect(jam.beginFrame(2).late).toBe(true);
});

test("T2 a tick reports each event once and none of later frames", () => {
  const jam = new Jam();
  for (const event of [press(0, 60), release(2, 60), press(2, 62), press(5, 64)]) jam.note(event);
  expect(jam.tick(1).events).toEqual([press(0, 60)]);
  expect(jam.tick(2).events).toEqual([release(2, 60), press(2, 62)]);
  expect(jam.tick(3).events).toBeUndefined();
  expect(jam.tick(5).events).toEqual([press(5, 64)]);
});

test("T2 an event older than the last tick is refused", () => {
  const jam = new Jam();
  jam.tick(4);
  expect(() => jam.note(press(3, 60))).toThrow(EventOutOfOrder);
});

test("T4 a long jump, or more events than a tick holds, need a history first", () => {
  const jam = new Jam();
  jam.tick(0);
  expect([jam.needsHistory(256), jam.needsHistory(257)]).toEqual([false, true]);
  for (let frame = 0; frame < 65; frame++) jam.note(press(frame, 60));
  expect(jam.needsHistory(65)).toBe(true);
});

test("T5 a tick names the plan that sounds and since when", () => {
  const jam = new Jam(AT_ONCE);
  expect(jam.tick(0).applied).toBeUndefined();
  jam.receive(plan(1, 1, [[8, "C", true]]));
  expect(jam.tick(2).applied).toEqual({ seq: 1, from_frame: 1 });
});

test("H2 H3 a history has what sounded, and what is still planned", () => {
  const jam = new Jam(AT_ONCE);
  jam.seed = 7;
  jam.note(press(1, 60));
  jam.note(release(3, 60));
  jam.receive(
    plan(
      1,
      1,
      [
        [2, "C", true],
        [6, "G", true],
      ],
      4,
    ),
  );
  jam.tick(4);
  expect(jam.history(4)).toEqual({
    type: "history",
    frame: 4,
    first_frame: 0,
    melody: [{ start: 1, length: 2, pitch: 60 }],
    chords: [
      { start: 0, length: 1, symbol: "N", onset: true },
      { start: 1, length: 2, symbol: "C", onset: true },
      { start: 3, length: 2, symbol: "G", onset: true },
    ],
    plan: { seq: 1, committed_until: 5, chords: [{ start: 5, length: 4, symbol: "G", onset: false }] },
    seed: 7,
  });
  expect(jam.history(4, 2)).toMatchObject({ first_frame: 3, chords: [{ start: 3, length: 2, symbol: "G", onset: true }] });
});

test("H7 a note released in the frame of the history is released again", () => {
  const jam = new Jam();
  jam.note(press(2, 60));
  jam.note(release(2, 60));
  jam.tick(2);
  jam.beginFrame(3);
  jam.history(3);
  expect(jam.tick(4).events).toEqual([release(3, 60)]);
});

test("P10 H8 the warm start is kept and sent back while it is inside the history", () => {
  const jam = new Jam(AT_ONCE);
  const warm = [{ start: 0, length: 4, symbol: "C", onset: true }];
  jam.receive({ ...plan(1, 1, [[8, "C", true]]), warm_start: warm });
  jam.receive(plan(2, 2, [[8, "C", true]]));
  jam.beginFrame(6);
  expect(jam.history(6).warm_start).toEqual(warm);
  expect(jam.history(6, 2).warm_start).toBeUndefined();
});

test("G4 where the bar changes its length the last bar line before stays one", () => {
  const jam = new Jam();
  jam.followSettings({ ...DEFAULT_SETTINGS, beats_per_bar: 3 }, 37);
  expect(jam.barLine).toBe(32);
});

test("S4 after a reset melody, chords and plans are gone, settings and seed stay, seq goes on", () => {
  const jam = new Jam(AT_ONCE);
  jam.seed = 7;
  jam.receive(plan(jam.tick(0).seq, 1, [[8, "C", true]]));
  const fresh = jam.forgotten();
  expect([fresh.seed, [...fresh.frames], fresh.plan, fresh.settings]).toEqual([7, [], null, AT_ONCE]);
  fresh.receive(plan(1, 1, [[8, "C", true]]));
  expect(fresh.plan).toBeNull();
  expect(fresh.tick(0).seq).toBe(2);
});

test("chords of our own sound where no plan says anything, and the gateway is told before the next tick", () => {
  const jam = new Jam(AT_ONCE);
  jam.receive(plan(1, 1, [[3, "C", true]]));
  jam.improvise([{ start: 4, length: 4, symbol: "G", pitches: [43], onset: true }]);
  expect(sounds(jam, 0, 7)).toBe(". C! C C G! G G");
  expect(jam.frames.get(4)?.planned).toBe(false);
  expect([jam.needsHistory(4), jam.needsHistory(5)]).toEqual([false, true]);
  expect(jam.history(4).chords?.at(-1)).toEqual({ start: 4, length: 1, symbol: "G", onset: true });
  expect(jam.needsHistory(6)).toBe(false);
});

test("runAt finds nothing where there is no plan", () => {
  expect(runAt(null, 3)).toBeNull();
  expect(runAt(plan(1, 4, [[2, "C", true]]), 6)).toBeNull();
});

test("H1 a jam that was kept goes on where it was, and the gateway is told first", () => {
  const jam = new Jam(AT_ONCE);
  jam.note(press(1, 60));
  jam.note(release(3, 60));
  jam.receive(
    plan(1, 1, [
      [2, "C", true],
      [6, "G", true],
    ]),
  );
  jam.beginFrame(5);
  const chords = jam.chordRuns(0, 6).map((run) => ({ ...run, onset: run.onset ?? true, pitches: [60] }));
  const kept = { settings: AT_ONCE, seed: 7, barLine: 0, warmStart: [], chords, melody: jam.melodyRuns(0, 6), lateFrames: 2 };
  const resumed = Jam.resumed(kept);
  expect([resumed.needsHistory(6), resumed.lateFrames, resumed.frames.length]).toEqual([true, 2, 6]);
  expect(resumed.history(5)).toEqual({ ...jam.history(5), plan: undefined, seed: 7 });
  expect(resumed.needsHistory(6)).toBe(false);
});

describe("a long jam", () => {
  test("reads frame by frame as it sounded, and a held chord is kept once", () => {
    const frames = new Frames();
    const chord = { symbol: "C", pitches: [48], planned: true, late: false };
    frames.push({ ...chord, struck: true });
    frames.push({ ...chord, struck: false });
    frames.push({ ...chord, pitches: [48], struck: false });
    expect([...frames].map((each) => [each.frame, each.symbol, each.struck])).toEqual([
      [0, "C", true],
      [1, "C", false],
      [2, "C", false],
    ]);
    expect([frames.get(-1), frames.at(-1)?.frame, frames.get(3)]).toEqual([undefined, 2, undefined]);
    expect(frames.slice(-2).map((each) => each.frame)).toEqual([1, 2]);
    expect(frames.slice(1, 2)).toEqual([frames.get(1)]);
    expect(frames.get(2)?.pitches).toBe(frames.get(0)?.pitches);
    expect(frames.findLastIndex((each) => each.struck)).toBe(0);
  });

  test("T2 H7 events that no message can report any more are forgotten, and none that one can", () => {
    const jam = new Jam(AT_ONCE);
    const reported: NoteEvent[] = [];
    for (let frame = 0; frame < 2_000; frame++) {
      jam.note(press(frame, 60 + (frame % 12)));
      reported.push(...(jam.tick(frame).events ?? []));
    }
    expect(reported.length).toBe(2_000);
    jam.note(press(2_000, 70));
    jam.beginFrame(2_000);
    const { melody } = jam.history(2_000);
    expect(melody?.at(-1)).toEqual({ start: 1_999, length: 1, pitch: 60 + (1_999 % 12) });
    expect(jam.tick(2_001).events).toEqual([release(2_000, 60 + (1_999 % 12)), press(2_000, 70)]);
  });
});
