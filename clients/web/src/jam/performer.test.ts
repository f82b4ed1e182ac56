/** A jam from start to stop on a clock of the test's own; the session is the SDK's jam with a gateway that plans by hand. */

import { Jam, type Plan } from "sideman-client";
import { beforeEach, describe, expect, test } from "vitest";
import type { Click, NoteInput, Strike } from "../contracts.ts";
import { type AppSettings, DEFAULTS } from "../settings.ts";
import { Performer } from "./performer.ts";

const SETTINGS: AppSettings = { ...DEFAULTS, bpm: 120, silence_beats: 2, metronome: true };
const FRAME_S = 0.125;
const STEP_S = 0.005;

class Stand {
  jam = new Jam({ ...DEFAULTS, silence_beats: 2 });
  ticks: number[] = [];
  strikes: readonly Strike[] = [];
  clicks: readonly Click[] = [];
  answer: ((frame: number) => Plan | null) | null = null;
  isOnline = true;
  nowS = 0;
  readonly performer: Performer;

  constructor(settings = SETTINGS) {
    const ignore = async () => ({ type: "configured", settings: DEFAULTS, from_frame: 0 }) as const;
    const stand = this;
    const session = {
      get jam() {
        return stand.jam;
      },
      sendTick: (frame: number) => this.#tick(frame),
      reset: () => {
        this.jam = this.jam.forgotten();
        return ignore();
      },
      configure: ignore,
    };
    const sound = {
      followChords: (strikes: readonly Strike[]) => {
        this.strikes = strikes;
      },
      followClicks: (clicks: readonly Click[]) => {
        this.clicks = clicks;
      },
      allNotesOff: () => {},
    };
    this.performer = new Performer(session, sound, settings);
  }

  #tick(frame: number) {
    this.ticks.push(frame);
    if (!this.isOnline) return null;
    const tick = this.jam.tick(frame);
    const plan = this.answer?.(frame);
    if (plan) {
      this.jam.receive({ ...plan, seq: tick.seq });
      this.performer.receive(plan, this.nowS);
    }
    return tick;
  }

  run(untilS: number): void {
    for (; this.nowS < untilS; this.nowS += STEP_S) this.performer.advance(this.nowS);
  }

  play(pitch: number, on = true): void {
    const note: NoteInput = { pitch, velocity: 80, on, timeS: this.nowS, source: "keys" };
    this.performer.note(note);
  }
}

function planFrom(frame: number, symbols: readonly string[], committed: number): Plan {
  const chords = symbols.map((symbol, index) => ({
    start: frame + index * 4,
    length: 4,
    symbol,
    pitches: symbol === "N" ? [] : [48 + symbol.charCodeAt(0)],
    onset: symbol !== "N",
  }));
  const timing = { gateway_ms: 0, queue_ms: 0, device_ms: 0, steps: 1, reused: 1, batch: 1, unrefined: 0 };
  return { type: "plan", seq: 0, first_frame: frame, committed_until: frame + committed, chords, timing };
}

let stand: Stand;
beforeEach(() => {
  stand = new Stand();
});

describe("before the first note", () => {
  test("the metronome counts, nothing is sent", () => {
    stand.performer.start(0);
    stand.run(1);
    expect(stand.ticks).toEqual([]);
    expect(stand.clicks[0]?.accent).toBe(false);
    expect(stand.performer.phase).toBe("armed");
  });

  test("G1 the grid begins on the bar line at or before the first note", () => {
    stand.performer.start(0); // clicks from 0.15 on, a bar is 2 s
    stand.run(3.2);
    stand.play(60);
    stand.run(3.3);
    expect(stand.performer.grid?.originS).toBeCloseTo(2.15);
    expect(stand.ticks).toEqual([8, 9]);
    expect(stand.jam.melody[0]?.start).toBe(8);
  });

  test("a first note just before a bar line means that bar line", () => {
    stand.performer.start(0);
    stand.run(2.12);
    stand.play(60);
    expect(stand.performer.grid?.originS).toBeCloseTo(2.15);
    expect(stand.jam.melody[0]?.start).toBe(0);
  });

  test("G1 without a metronome that note is the beginning", () => {
    stand = new Stand({ ...SETTINGS, metronome: false, countIn: false });
    stand.performer.start(0);
    stand.run(1.23);
    stand.play(60);
    expect(stand.performer.grid?.originS).toBeCloseTo(1.23);
    expect(stand.clicks).toEqual([]);
  });
});

test("a count-in clicks until the first note, also when the metronome is off", () => {
  stand = new Stand({ ...SETTINGS, metronome: false });
  stand.performer.start(0);
  stand.run(1);
  expect(stand.clicks.length).toBeGreaterThan(0);
  stand.play(60);
  stand.run(1.1);
  expect(stand.clicks).toEqual([]);
  expect(stand.performer.grid?.originS).toBeCloseTo(0.15);
});

describe("in the jam", () => {
  beforeEach(() => {
    stand.performer.start(0);
    stand.run(0.15);
    stand.play(60);
  });

  test("T1 one tick a frame, at its start", () => {
    const sent: number[] = [];
    stand.answer = () => {
      sent.push(stand.nowS);
      return null;
    };
    stand.run(0.15 + 6 * FRAME_S + 0.01);
    expect(stand.ticks).toEqual([0, 1, 2, 3, 4, 5, 6]);
    for (const [index, atS] of sent.entries()) expect(atS - (0.15 + (index + 1) * FRAME_S)).toBeLessThan(STEP_S + 1e-9);
  });

  test("the silence is counted down, then it plays", () => {
    stand.run(0.15 + 2 * FRAME_S + 0.01);
    expect([stand.performer.phase, stand.performer.silenceLeft]).toEqual(["listening", 6]);
    stand.run(0.15 + 8 * FRAME_S + 0.01);
    expect(stand.performer.phase).toBe("playing");
  });

  test("what is committed goes to the audio clock as the plan arrives, what is not waits", () => {
    stand.answer = (frame) => (frame === 7 ? planFrom(8, ["C", "F", "G"], 5) : null);
    stand.run(0.15 + 7 * FRAME_S + 0.01);
    const times = stand.strikes.map((strike) => (strike.timeS - 0.15) / FRAME_S);
    expect(times.map(Math.round)).toEqual([8, 12]);
    stand.run(0.15 + 16 * FRAME_S - 0.015);
    expect(stand.strikes.map((strike) => Math.round((strike.timeS - 0.15) / FRAME_S))).toContain(16);
  });

  test("T2 a note that comes late belongs to the frame that is still open", () => {
    stand.run(0.15 + 4 * FRAME_S + 0.01);
    stand.performer.note({ pitch: 64, velocity: 80, on: true, timeS: 0.15 + 1.5 * FRAME_S, source: "midi" });
    expect(stand.jam.melody.at(-1)).toEqual({ start: 4, end: null, pitch: 64 });
  });

  test("after a stall only the newest frame gets a tick, and the skipped ones sound as planned", () => {
    stand.answer = (frame) => (frame === 7 ? planFrom(8, ["C", "F", "G"], 8) : null);
    stand.run(0.15 + 8 * FRAME_S + 0.01);
    stand.nowS += 6 * FRAME_S;
    stand.run(stand.nowS + 0.01);
    expect(stand.ticks.slice(-2)).toEqual([8, 14]);
    expect(
      stand.jam.frames
        .slice(8, 15)
        .map((each) => each.symbol)
        .join(""),
    ).toBe("CCCCFFF");
  });

  test("a change of tempo begins with the next frame", () => {
    stand.run(0.15 + 4 * FRAME_S + 0.01);
    stand.performer.configure({ ...SETTINGS, bpm: 60 }, stand.nowS);
    expect(stand.performer.grid?.stretches.map((each) => each.frame)).toEqual([0, 5]);
    expect(stand.performer.grid?.timeS(5)).toBeCloseTo(0.15 + 5 * FRAME_S);
  });

  test("G4 a change of metre keeps the bar line before it, and the record says where", () => {
    stand.run(0.15 + 20 * FRAME_S + 0.01);
    stand.performer.configure({ ...SETTINGS, beats_per_bar: 3 }, stand.nowS);
    expect(stand.performer.record(stand.nowS)?.metre).toEqual([
      { frame: 0, beatsPerBar: 4 },
      { frame: 16, beatsPerBar: 3 },
    ]);
  });

  test("without a network the plan plays on, the last chord holds, then the last bar repeats", () => {
    stand.answer = (frame) => (frame === 7 ? planFrom(8, ["N", "N", "C", "F", "G", "A"], 24) : null);
    stand.run(0.15 + 8 * FRAME_S + 0.01);
    stand.isOnline = false;
    stand.run(0.15 + 80 * FRAME_S);
    const heard = [...stand.jam.frames].map((each) => each.symbol).join("");
    expect(heard.slice(16, 32)).toBe("CCCCFFFFGGGGAAAA");
    expect(heard.slice(32, 48)).toBe("A".repeat(16));
    expect(heard.slice(48, 64)).toBe("CCCCFFFFGGGGAAAA");
    expect(heard.slice(64, 80)).toBe("CCCCFFFFGGGGAAAA");
  });

  test("stop gives the record of it, and takes back what has not sounded", () => {
    stand.answer = (frame) => (frame === 7 ? planFrom(8, ["C", "F"], 8) : null);
    stand.run(0.15 + 3 * FRAME_S);
    stand.play(60, false);
    stand.run(0.15 + 10 * FRAME_S + 0.01);
    const record = stand.performer.stop(stand.nowS);
    expect(record?.frames).toBe(11);
    expect(record?.chords.map((chord) => [chord.start, chord.length, chord.symbol])).toEqual([
      [0, 8, "N"],
      [8, 3, "C"],
    ]);
    expect(record?.notes).toHaveLength(1);
    expect(record?.melody).toEqual([{ start: 0, length: 3, pitch: 60 }]);
    expect(stand.strikes.map((strike) => strike.pitches)).toEqual([[]]);
    expect(stand.clicks).toEqual([]);
    expect(stand.performer.phase).toBe("idle");
  });

  test("S4 the next jam begins anew", () => {
    stand.run(1);
    stand.performer.stop(stand.nowS);
    stand.performer.start(stand.nowS);
    expect([stand.jam.frames.length, stand.performer.phase, stand.performer.frame]).toEqual([0, "armed", -1]);
  });
});

test("a jam without a note has no record", () => {
  stand.performer.start(0);
  stand.run(1);
  expect(stand.performer.stop(stand.nowS)).toBeNull();
});
