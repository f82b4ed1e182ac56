"""From a client's history to the state a session goes on with; all of it is checked before any of it counts. Pure.

A history ends with the chord of `frame` sounding and the frames below complete, so the next tick is for `frame` or later
and brings every note event from `frame` on. A note that reaches `frame` sounds on until its key is released: if that
happened in the frame before, the tick brings the release too, stamped `frame` (the values are the same either way).
"""

from collections.abc import Sequence
from typing import NamedTuple

from gateway.jam import Jam, Planned
from gateway.planning import planned_again
from schema.chords import Chord, UnknownChord, parse_symbol
from schema.client_messages import History, MelodyRun, PendingPlan, Settings, SymbolRun
from schema.codes import ErrorCode, ProtocolError
from schema.grid import FRAMES_PER_BEAT, WINDOW_FRAMES
from schema.melody import NoteSpan, frames_of_spans
from schema.plan import ChordPlan, Run, values
from schema.tokens import NOTHING, NUM_CHORDS, chord_hold, chord_of, chord_onset, is_onset, sounded
from schema.voicing import voice

MAX_PLAN_FRAMES = 8 * FRAMES_PER_BEAT  # the largest lookahead_beats and commit_beats


class Resumed(NamedTuple):
    """Where a session goes on: what has sounded, and the plan the client holds (it sounds from the next frame on)."""

    jam: Jam
    planned: Planned | None


def resume(history: History, settings: Settings, max_frames: int) -> Resumed:
    """Read a history of at most `max_frames` frames. Raises ProtocolError (BAD_HISTORY)."""
    _check_extent(history, max_frames)
    chords = values(_chord_runs(history.chords, "$.history.chords", history.first_frame))
    _check_cover(history, history.first_frame + len(chords))
    melody = _melody(history)
    voicing = voice(chord_of(chords[-1]), (), settings.voicing)
    melody_before = melody[-1] if melody else NOTHING
    jam = Jam(
        history.frame, tuple(chords[-WINDOW_FRAMES:]), tuple(melody[1 - WINDOW_FRAMES :]), melody_before=melody_before, voicing=voicing
    )
    return Resumed(jam, _planned(history.plan, jam, settings) if history.plan else None)


def _check_extent(history: History, max_frames: int) -> None:
    """All arithmetic on lengths comes before anything is spelt out frame by frame, so a short message cannot ask for much memory."""
    if history.first_frame > history.frame:
        raise _bad("$.history.first_frame", f"{history.frame} ($.history.frame) or less", history.first_frame)
    if history.frame - history.first_frame >= max_frames:
        raise _bad("$.history.first_frame", f"{history.frame - max_frames + 1} or more: {max_frames} frames at most", history.first_frame)
    total = sum(run.length for run in history.chords)
    if total > max_frames:
        raise _bad("$.history.chords", f"{history.frame - history.first_frame + 1} frames", f"{total} frames")


def _check_cover(history: History, end_frame: int) -> None:
    """Chords reach up to and including the chord of `frame` (H2)."""
    if end_frame != history.frame + 1:
        raise _bad("$.history.chords", f"runs that end with frame {history.frame} ($.history.frame)", f"runs that end before {end_frame}")


def _chord_runs(symbol_runs: Sequence[SymbolRun], path: str, start: int) -> list[Run]:
    """Runs that adjoin from `start` on (H2, H3)."""
    result: list[Run] = []
    for index, run in enumerate(symbol_runs):
        here = f"{path}[{index}]"
        if run.start != start:
            raise _bad(f"{here}.start", f"{start}, where the run before ends", run.start)
        chord = _chord(run.symbol, f"{here}.symbol")
        if chord is None:
            value = NOTHING  # neither struck nor held: `onset` says nothing here
        elif run.onset:
            value = chord_onset(chord)
        else:
            value = chord_hold(chord)
            if result and chord_of(result[-1].value) != chord:
                raise _bad(f"{here}.onset", "true, because the run before is another chord", "false")
        result.append(Run(run.start, run.length, value, is_onset(value, NUM_CHORDS)))
        start += run.length
    return result


def _chord(symbol: str, path: str) -> Chord | None:
    try:
        return parse_symbol(symbol).chord
    except UnknownChord:
        raise _bad(path, "a chord symbol such as Cm7 or N", repr(symbol)) from None


def _melody(history: History) -> list[int]:
    """Melody values of [first_frame, frame)."""
    spans: list[NoteSpan] = []
    end = history.first_frame
    for index, run in enumerate(history.melody):
        if run.start < end:
            raise _bad(f"$.history.melody[{index}].start", f"{end} or later, where the run before ends", run.start)
        end = run.start + run.length
        if end > history.frame:
            raise _bad(f"$.history.melody[{index}].length", f"an end at frame {history.frame} ($.history.frame) or before", _span(run))
        spans.append(NoteSpan(run.start - history.first_frame, end - history.first_frame, run.pitch))
    return frames_of_spans(spans, history.frame - history.first_frame)


def _planned(pending: PendingPlan, jam: Jam, settings: Settings) -> Planned:
    """The plan the client holds, from the frame after `jam.frame` on; what it said about earlier frames has sounded or is void."""
    first_frame = jam.frame + 1
    start = pending.chords[0].start
    if start > first_frame:
        raise _bad("$.history.plan.chords[0].start", f"{first_frame} ($.history.frame + 1) or less", start)
    chord_runs = _chord_runs(pending.chords, "$.history.plan.chords", start)
    end_frame = chord_runs[-1].start + chord_runs[-1].length
    if end_frame > first_frame + MAX_PLAN_FRAMES:
        raise _bad("$.history.plan.chords", f"an end at frame {first_frame + MAX_PLAN_FRAMES} or before", f"an end at {end_frame}")
    if pending.committed_until > end_frame:
        raise _bad("$.history.plan.committed_until", f"{end_frame} or less, where the plan's chords end", pending.committed_until)
    ahead = values(_cut(run, first_frame) for run in chord_runs if run.start + run.length > first_frame)
    plan = ChordPlan(first_frame, max(first_frame, pending.committed_until), tuple(sounded(ahead, jam.running, NUM_CHORDS)))
    return planned_again(pending.seq, plan, jam, settings)


def _cut(run: Run, first_frame: int) -> Run:
    """The part of a run from `first_frame` on: a chord that began before is held there."""
    missing = first_frame - run.start
    if missing <= 0:
        return run
    value = run.value + NUM_CHORDS if run.onset else run.value
    return Run(first_frame, run.length - missing, value, onset=False)


def _span(run: MelodyRun) -> str:
    return f"[{run.start}, {run.start + run.length})"


def _bad(field: str, expected: str, got: object) -> ProtocolError:
    return ProtocolError(ErrorCode.BAD_HISTORY, field=field, expected=expected, got=str(got))
