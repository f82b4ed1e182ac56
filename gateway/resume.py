"""From a client's history to the state a session goes on with; all of it is checked before any of it counts. Pure.

`read_chords` and `read_melody` read the runs of any message; their errors name the run and carry the message's `seq`.

A history ends with the chord of `frame` sounding and the frames below complete, so the next tick is for `frame` or later
and brings every note event from `frame` on. A note that reaches `frame` sounds on until its key is released: if that
happened in the frame before, the tick brings the release too, stamped `frame` (the values are the same either way).
"""

from collections.abc import Sequence
from typing import NamedTuple

from gateway.jam import Jam, Planned, WarmStart
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
    chords = values(read_chords(history.chords, "$.history.chords", start=history.first_frame))
    _check_cover(history, history.first_frame + len(chords))
    melody = read_melody(history.melody, "$.history", frames=range(history.first_frame, history.frame), end="frame")
    jam = Jam(
        history.frame,
        tuple(chords[-WINDOW_FRAMES:]),
        tuple(melody[1 - WINDOW_FRAMES :]),
        melody_before=melody[-1] if melody else NOTHING,
        voicing=voice(chord_of(chords[-1]), (), settings.voicing),
        warm_start=_warm_start(history, max_frames),
    )
    return Resumed(jam, _planned(history.plan, jam, settings) if history.plan else None)


def _check_extent(history: History, max_frames: int) -> None:
    """All arithmetic on lengths comes before anything is spelt out frame by frame, so a short message cannot ask for much memory."""
    if history.first_frame > history.frame:
        raise bad_run("$.history.first_frame", f"{history.frame} ($.history.frame) or less", history.first_frame)
    if history.frame - history.first_frame >= max_frames:
        raise bad_run(
            "$.history.first_frame", f"{history.frame - max_frames + 1} or more: {max_frames} frames at most", history.first_frame
        )
    total = sum(run.length for run in history.chords)
    if total > max_frames:
        raise bad_run("$.history.chords", f"{history.frame - history.first_frame + 1} frames", f"{total} frames")


def _check_cover(history: History, end_frame: int) -> None:
    """Chords reach up to and including the chord of `frame` (H2)."""
    if end_frame != history.frame + 1:
        raise bad_run(
            "$.history.chords", f"runs that end with frame {history.frame} ($.history.frame)", f"runs that end before {end_frame}"
        )


def read_chords(symbol_runs: Sequence[SymbolRun], path: str, *, start: int, seq: int | None = None) -> list[Run]:
    """Runs that adjoin from `start` on (H2, H3). Raises ProtocolError (BAD_HISTORY)."""
    result: list[Run] = []
    for index, run in enumerate(symbol_runs):
        here = f"{path}[{index}]"
        if run.start != start:
            raise bad_run(f"{here}.start", f"{start}, where the run before ends", run.start, seq)
        chord = _chord(run.symbol, f"{here}.symbol", seq)
        if chord is None:
            value = NOTHING  # neither struck nor held: `onset` says nothing here
        elif run.onset:
            value = chord_onset(chord)
        else:
            value = chord_hold(chord)
            if result and chord_of(result[-1].value) != chord:
                raise bad_run(f"{here}.onset", "true, because the run before is another chord", "false", seq)
        result.append(Run(run.start, run.length, value, is_onset(value, NUM_CHORDS)))
        start += run.length
    return result


def _chord(symbol: str, path: str, seq: int | None) -> Chord | None:
    try:
        return parse_symbol(symbol).chord
    except UnknownChord:
        raise bad_run(path, "a chord symbol such as Cm7 or N", repr(symbol), seq) from None


def read_melody(melody_runs: Sequence[MelodyRun], path: str, *, frames: range, end: str, seq: int | None = None) -> list[int]:
    """Melody values of `frames`, which end with the message's field `end` (H2). Raises ProtocolError (BAD_HISTORY)."""
    spans: list[NoteSpan] = []
    free_from = frames.start
    for index, run in enumerate(melody_runs):
        if run.start < free_from:
            expected = f"{free_from} or later, where the run before ends"
            raise bad_run(f"{path}.melody[{index}].start", expected, run.start, seq)
        free_from = run.start + run.length
        if free_from > frames.stop:
            expected = f"an end at frame {frames.stop} ({path}.{end}) or before"
            raise bad_run(f"{path}.melody[{index}].length", expected, _span(run), seq)
        spans.append(NoteSpan(run.start - frames.start, free_from - frames.start, run.pitch))
    return frames_of_spans(spans, len(frames))


def must_strike(chord_runs: Sequence[Run], path: str, seq: int | None = None) -> None:
    """Refuse runs whose first one continues a chord, where there is nothing to continue."""
    if chord_runs and chord_runs[0].value != NOTHING and not chord_runs[0].onset:
        raise bad_run(f"{path}[0].onset", "true, because nothing runs before", "false", seq)


def _warm_start(history: History, max_frames: int) -> WarmStart | None:
    """What a plan brought under that name (H8)."""
    path = "$.history.warm_start"
    total = sum(run.length for run in history.warm_start)
    if not total:
        return None
    if total > max_frames:
        raise bad_run(path, f"{max_frames} frames at most", f"{total} frames")
    first_frame = history.warm_start[0].start
    chord_runs = read_chords(history.warm_start, path, start=first_frame)
    must_strike(chord_runs, path)
    return WarmStart(first_frame, tuple(values(chord_runs)))


def _planned(pending: PendingPlan, jam: Jam, settings: Settings) -> Planned:
    """The plan the client holds, from the frame after `jam.frame` on; what it said about earlier frames has sounded or is void."""
    first_frame = jam.frame + 1
    start = pending.chords[0].start
    if start > first_frame:
        raise bad_run("$.history.plan.chords[0].start", f"{first_frame} ($.history.frame + 1) or less", start)
    chord_runs = read_chords(pending.chords, "$.history.plan.chords", start=start)
    end_frame = chord_runs[-1].start + chord_runs[-1].length
    if end_frame > first_frame + MAX_PLAN_FRAMES:
        raise bad_run("$.history.plan.chords", f"an end at frame {first_frame + MAX_PLAN_FRAMES} or before", f"an end at {end_frame}")
    if pending.committed_until > end_frame:
        raise bad_run("$.history.plan.committed_until", f"{end_frame} or less, where the plan's chords end", pending.committed_until)
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


def bad_run(field: str, expected: str, got: object, seq: int | None = None) -> ProtocolError:
    """The error for a run, or what holds it, that cannot be."""
    return ProtocolError(ErrorCode.BAD_HISTORY, field=field, expected=expected, got=str(got), seq=seq)
