/**
 * From the state of a jam to a plan request, and from the planned values to the plan that is sent (`gateway/planning.py`). Pure.
 *
 * What is known beforehand is given, not asked for: what sounded, what is committed (P2), and N for the rest of the silence (P7).
 */

import { type ChordRun, FRAMES_PER_BEAT, type Plan, type Settings, type Timing } from "sideman-client";
import { firstFrameOf, type Jam, openMelody, runningOf, type SentPlan } from "./jam.ts";
import { WINDOW_FRAMES } from "./network.ts";
import type { PlanRequest } from "./slots.ts";
import type { Symbols } from "./symbols.ts";
import { isOnset, NOTHING, runsOf, sounded } from "./values.ts";
import { voice } from "./voicing.ts";

const HEAD_START_FRAMES = 4; // P7: plans begin this long before the silence ends
export const HOP_FRAMES = 64; // windows start at multiples of this

/** Everything a plan depends on (P8). */
export interface Situation {
  readonly jam: Jam;
  readonly previous: SentPlan | null; // the last plan sent: its committed part binds
  readonly settings: Settings;
  readonly seed: number;
  readonly barLine: number;
}

/** Whether the tick comes too early in the initial silence to be answered by a plan (P7). */
export function isListening({ jam, previous, settings }: Situation): boolean {
  const begun = previous !== null || runningOf(jam) !== NOTHING;
  return !begun && jam.frame + 1 < settings.silence_beats * FRAMES_PER_BEAT - HEAD_START_FRAMES;
}

/** First frame of the history window of a plan. */
export function windowStart(firstFrame: number, lookaheadFrames: number): number {
  return Math.max(0, Math.ceil((firstFrame + lookaheadFrames - WINDOW_FRAMES) / HOP_FRAMES) * HOP_FRAMES);
}

/** The windowed history by value, and everything known beforehand. Throws UnknownWord. */
export function requestFor(situation: Situation, symbols: Symbols): PlanRequest {
  const { jam, previous, settings } = situation;
  const firstFrame = jam.frame + 1;
  const lookaheadFrames = Math.max(settings.lookahead_beats * FRAMES_PER_BEAT, (previous?.committedUntil ?? 0) - firstFrame);
  const start = Math.max(firstFrameOf(jam), windowStart(firstFrame, lookaheadFrames));
  return requestFrom(situation, symbols, start, lookaheadFrames);
}

/** The same history as it will stand in the window after the next hop; null while nothing of it has happened. Throws UnknownWord. */
export function requestAhead(request: PlanRequest, situation: Situation, symbols: Symbols): PlanRequest | null {
  const start = request.windowStart - (request.windowStart % HOP_FRAMES) + HOP_FRAMES;
  if (start >= situation.jam.frame) return null;
  const ahead = requestFrom(situation, symbols, start, request.lookaheadFrames);
  const settled = situation.jam.frame - start; // of both parts
  return { ...ahead, chords: ahead.chords.slice(0, settled), melody: ahead.melody.slice(0, settled) };
}

function requestFrom(situation: Situation, symbols: Symbols, windowStart: number, lookaheadFrames: number): PlanRequest {
  const { jam, settings, seed, barLine } = situation;
  const offset = windowStart - firstFrameOf(jam);
  const known = knownChords(situation, jam.frame + 1 + lookaheadFrames, symbols.numChords);
  return {
    seed,
    windowStart,
    firstFrame: jam.frame + 1,
    lookaheadFrames,
    chords: [...shown(jam), ...known].slice(offset),
    melody: [...jam.melody.slice(offset), ...openMelody(jam)],
    temperature: settings.temperature,
    barLine,
    controls: { ...symbols.controlsOf(settings.density, settings.style), beatsPerBar: settings.beats_per_bar },
  };
}

/** The plan that the planned values make. */
export function sentPlan(seq: number, chords: readonly number[], situation: Situation, symbols: Symbols): SentPlan {
  const { jam, previous, settings } = situation;
  const firstFrame = jam.frame + 1;
  const committedUntil = Math.max(previous?.committedUntil ?? 0, firstFrame + settings.commit_beats * FRAMES_PER_BEAT);
  return { seq, firstFrame, committedUntil, chords, pitches: pitchesOf(firstFrame, chords, situation, symbols) };
}

/** A plan as the client gets it. */
export function planMessage(plan: SentPlan, timing: Timing, symbols: Symbols): Plan {
  const chords = runsOf(plan.chords, plan.firstFrame, symbols.numChords).map(
    ({ start, length, value }): ChordRun => ({
      start,
      length,
      symbol: symbols.symbolOf(value),
      pitches: plan.pitches[start - plan.firstFrame] ?? [],
      onset: isOnset(value, symbols.numChords),
    }),
  );
  return { type: "plan", seq: plan.seq, first_frame: plan.firstFrame, committed_until: plan.committedUntil, chords, timing };
}

/** For each frame: what sounds keeps its pitches, committed chords keep those they were sent with, the rest is led on from there. */
export function pitchesOf(
  firstFrame: number,
  chords: readonly number[],
  { jam, previous, settings }: Situation,
  symbols: Symbols,
): readonly (readonly number[])[] {
  let voicing = jam.voicing;
  return runsOf(chords, firstFrame, symbols.numChords).flatMap(({ start, length, value }) => {
    if (isOnset(value, symbols.numChords)) {
      const isCommitted = previous !== null && start < previous.committedUntil;
      const sent = isCommitted ? previous.pitches[start - previous.firstFrame] : undefined;
      voicing = sent ?? voice(symbols.tonesOf(value), voicing, settings.voicing);
    }
    return new Array<readonly number[]>(length).fill(value === NOTHING ? [] : voicing);
  });
}

/** The chords from the plan's first frame on that are not to be chosen: committed ones, then N while the silence lasts. */
function knownChords({ jam, previous, settings }: Situation, endFrame: number, numChords: number): number[] {
  const firstFrame = jam.frame + 1;
  const head =
    previous === null || firstFrame < previous.firstFrame
      ? []
      : previous.chords.slice(firstFrame - previous.firstFrame, previous.committedUntil - previous.firstFrame);
  const committed = sounded(head, runningOf(jam), numChords);
  const silent = Math.min(endFrame, settings.silence_beats * FRAMES_PER_BEAT) - firstFrame - committed.length;
  return [...committed, ...new Array<number>(Math.max(0, silent)).fill(NOTHING)];
}

/** What sounded as the model sees it: the warm start in place of the N before the first chord; as it was while none has sounded (P10). */
function shown(jam: Jam): readonly number[] {
  const { chords, warmStart } = jam;
  if (warmStart === null) return chords;
  const offset = firstFrameOf(jam) - warmStart.firstFrame;
  const silence = chords.findIndex((value) => value !== NOTHING);
  return chords.map((value, index) => (index < silence ? warmStart.chords[offset + index] : undefined) ?? value);
}
