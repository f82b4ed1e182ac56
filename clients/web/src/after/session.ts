/** A jam as a JSON file, and back: whatever is read is checked as a whole before anything of it is used. Pure. */

import {
  type GridNote,
  INSTRUMENTS,
  type MetreMark,
  type PlayedNote,
  type SessionRecord,
  type SoundedChord,
  type TempoMark,
} from "../contracts.ts";
import { type Check, either, fields, flag, list, number, oneOf, SessionUnreadable, table, text, whole } from "./checks.ts";

export { SessionUnreadable } from "./checks.ts";

const MOST_FRAMES = 10_000_000; // as in the protocol
const MOST_S = 1e7;

const frame = whole(0, MOST_FRAMES);
const length = whole(1, MOST_FRAMES);
const pitch = whole(0, 127);
const seconds = number(0, MOST_S);

const tempoMark: Check<TempoMark> = fields({ frame, timeS: seconds, bpm: number(1, 1000) });
const metreMark: Check<MetreMark> = fields({ frame, beatsPerBar: whole(2, 12) });
const playedNote: Check<PlayedNote> = fields({ pitch, velocity: whole(1, 127), startS: seconds, endS: seconds });
const gridNote: Check<GridNote> = fields({ start: frame, length, pitch });
const soundedChord: Check<SoundedChord> = fields({ start: frame, length, symbol: text(16), pitches: list(pitch), onset: flag });
const setting = either((value) => typeof value === "number", number(-MOST_S, MOST_S), text(64));

const session: Check<SessionRecord> = fields({
  format: oneOf("sideman-session"),
  version: oneOf(1),
  startedAt: text(40),
  frames: frame,
  tempo: list(tempoMark),
  metre: list(metreMark),
  notes: list(playedNote),
  melody: list(gridNote),
  chords: list(soundedChord),
  settings: table(setting),
  instruments: fields({ melody: oneOf(...INSTRUMENTS), chords: oneOf(...INSTRUMENTS) }),
  lateFrames: frame,
});

export function toJson(record: SessionRecord): string {
  return `${JSON.stringify(record, null, 1)}\n`;
}

/** Raises SessionUnreadable. */
export function parseSession(json: string): SessionRecord {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new SessionUnreadable("a session as JSON", "something else", "choose a .json file that Sideman has saved");
  }
  const { format, version } = fields({ format: anything, version: anything })(value, "$");
  if (format === "sideman-session" && typeof version === "number" && version > 1) {
    throw new SessionUnreadable("a session of version 1", `one of version ${version}`, "open it with the newer Sideman that saved it");
  }
  const record = session(value, "$");
  checkOrder(record);
  return record;
}

function anything(value: unknown): unknown {
  return value;
}

/** What no single field tells: that marks rise from frame 0 and that chords cover every frame once. */
function checkOrder(record: SessionRecord): void {
  checkMarks("tempo", record.tempo);
  checkMarks("metre", record.metre);
  let reached = 0;
  record.chords.forEach(({ start, length }, i) => {
    if (start !== reached) throw disorder(`a chord that starts in frame ${reached} at $.chords[${i}]`, `one that starts in ${start}`);
    reached = start + length;
  });
  if (reached !== record.frames) throw disorder(`chords over ${record.frames} frames`, `chords over ${reached}`);
}

function checkMarks(name: string, marks: readonly { readonly frame: number; readonly timeS?: number }[]): void {
  if (marks[0]?.frame !== 0) throw disorder(`a first mark in frame 0 at $.${name}`, marks[0] ? `one in frame ${marks[0].frame}` : "none");
  marks.slice(1).forEach((mark, i) => {
    const before = marks[i] as (typeof marks)[number];
    const rises = mark.frame > before.frame && (mark.timeS ?? 1) > (before.timeS ?? 0);
    if (!rises) throw disorder(`marks that rise at $.${name}[${i + 1}]`, `frame ${mark.frame} after ${before.frame}`);
  });
}

function disorder(expected: string, got: string): SessionUnreadable {
  return new SessionUnreadable(expected, got, "choose a session that Sideman has saved, unchanged");
}
