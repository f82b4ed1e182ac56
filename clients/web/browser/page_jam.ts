/** What the benchmark asks of a page without a server: half an hour of a jam in a few seconds, drawn and given to the audio clock. Shell. */

import { FRAMES_PER_BEAT, Jam, type Plan } from "sideman-client";
import { AudioClock } from "../src/clock.ts";
import { Performer, type Session } from "../src/jam/performer.ts";
import { DEFAULTS } from "../src/settings.ts";
import { createSound } from "../src/sound/sound.ts";
import { chordSpans } from "../src/stage/scene.ts";
import { Stage } from "../src/stage/stage.ts";
import { soundingAt } from "../src/stage/view.ts";

const STEP_S = 0.025;
const PICTURES_A_SECOND = 10;
const SYMBOLS = ["C", "Am7", "F", "G7"] as const;
const TUNE = [64, 65, 67, 69, 67, 64, 62, 60] as const;

/** A gateway that plans the same four chords for ever. */
class Endless {
  jam = new Jam({ ...DEFAULTS });

  sendTick(frame: number): ReturnType<Session["sendTick"]> {
    const tick = this.jam.tick(frame);
    this.jam.receive(this.#plan(tick.seq, frame + 1));
    return tick;
  }

  reset = async () => this.#configured();
  configure = async () => this.#configured();

  #configured() {
    return { type: "configured", settings: DEFAULTS, from_frame: 0 } as const;
  }

  #plan(seq: number, first: number): Plan {
    const chords = Array.from({ length: 3 }, (_, index) => {
      const start = index === 0 ? first : (Math.floor(first / 8) + index) * 8;
      const symbol = SYMBOLS[Math.floor(start / 8) % 4] as string;
      return { start, length: (Math.floor(start / 8) + 1) * 8 - start, symbol, pitches: [36, 55, 60, 64], onset: start % 8 === 0 };
    });
    const timing = { gateway_ms: 0, queue_ms: 0, device_ms: 0, steps: 1, reused: 1, batch: 1, unrefined: 0 };
    return { type: "plan", seq, first_frame: first, committed_until: first + 8, chords, timing };
  }
}

export interface Simulation {
  advance(minutes: number): number; // mean milliseconds of a picture
}

function start(): Simulation {
  const [stage, fall, strip, hands] = ["stage", "fall", "strip", "hands"].map((id) => document.getElementById(id) as HTMLElement);
  if (!stage || !fall || !strip || !hands) throw new Error("half_hour.html has all four");
  const drawn = new Stage({ stage, fall, strip, hands });
  const context = new OfflineAudioContext(1, 44_100, 44_100);
  const sound = createSound(context, { assets: "/instruments/" });
  const session = new Endless();
  const performer = new Performer(session, sound, { ...DEFAULTS, bpm: 120 });
  const labels = { computer: new Map<number, string>(), notes: "c" } as const;
  let nowS = new AudioClock(context).nowS();
  let note = 0;
  performer.start(nowS);
  nowS += 0.2;

  const picture = () => {
    const { jam, grid } = performer;
    const chords = chordSpans(jam.frames, jam.ahead(jam.frames.length + 16), jam.plan?.committed_until ?? 0, jam.frames.length - 64);
    const pitches = soundingAt(chords, grid?.position(nowS) ?? 0);
    const view = { nowS, grid, barFrames: 16, barLine: 0, isCounting: true, lookaheadFrames: 16, commitFrames: 8, chords };
    const more = { notes: performer.performance.notes.slice(-64), showChords: true, calmMotion: false, commitText: "decided below" };
    drawn.draw({ ...view, ...more }, { player: new Set([TUNE[note % TUNE.length] ?? 60]), agent: new Set(pitches) }, labels);
  };
  const play = () => {
    const previous = TUNE[(note + TUNE.length - 1) % TUNE.length] ?? 60;
    performer.note({ pitch: previous, velocity: 80, on: false, timeS: nowS, source: "demo" });
    performer.note({ pitch: TUNE[note % TUNE.length] ?? 60, velocity: 80, on: true, timeS: nowS, source: "demo" });
    note += 1;
  };
  return {
    advance(minutes) {
      let [spentMs, pictures] = [0, 0];
      const steps = Math.round((minutes * 60) / STEP_S);
      for (let step = 0; step < steps; step++) {
        nowS += STEP_S;
        if (step % (FRAMES_PER_BEAT * 5) === 0) play(); // a note each half second
        performer.advance(nowS);
        if (step % Math.round(1 / STEP_S / PICTURES_A_SECOND) !== 0) continue;
        const beganMs = performance.now();
        picture();
        spentMs += performance.now() - beganMs;
        pictures += 1;
      }
      return spentMs / pictures;
    },
  };
}

declare global {
  var simulation: { start(): Simulation; running: Simulation | undefined };
}

globalThis.simulation = { start, running: undefined };
