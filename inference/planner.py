"""Planning, exactly: what of a request is known, what must be computed, when a plan is complete. Pure.

Everything is counted relative to the window: frame i of the window is absolute frame window_start + i, position 0 is
the prefix and position i + 1 holds frame i. Feeding position i decides frame i. A *slot* remembers, by value, which
frames its keys and values stand for; a *plan in progress* (`Progress`) reuses the longest stretch of them that a fresh
computation would reproduce, and computes only what comes after (DESIGN 4, "reuse by value").

When may frame i be reused? Where the request gives a value, if the slot holds the same value. Where it does not, if the slot's
value was itself chosen by the same noise (seed) at the same temperature: the same inputs would choose it again.

What it may not reuse is still a good *draft* of what will be decided instead: a surprising note changes few chords. A call may feed
known positions and, behind them, positions of the draft as if it were decided, and decide a frame behind each at once: all that follow only
frames which came out as drafted are decided exactly as one after the other, and what came out behind them is the next draft
(speculative decoding, Leviathan et al., ICML 2023; with the last outcome as draft a fixed-point iteration, Song et al., ICML 2021).

An offline model heard the whole melody before it chose the first chord, so all of the melody counts as one of its controls:
another melody, and nothing can be reused.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from schema.engine_messages import PlanRequest, unpack_values
from schema.grid import WINDOW_FRAMES
from schema.tokens import DENSITIES, NUM_CHORDS, NUM_PITCHES, STYLES, action_of, first_break, value_of


class Decision(NamedTuple):
    """Chord and melody value of one frame."""

    chord: int
    melody: int
    likely: tuple[int, ...] = ()  # melody values, likeliest first; empty where nobody asked


class Bucket(NamedTuple):
    """Shape of one compiled call: decide frame after frame behind the last of the positions, or one frame behind each of them."""

    rows: int
    positions: int
    decisions: int
    at_once: bool = False  # then decisions are as many as positions


class Work(NamedTuple):
    """One row of one device call: feed known positions, then decide frames one after the other.

    Positions [position, position + len(chords)) are fed at once; at the prefix position the values do not count.
    The first of `decisions` decided frames follows the last of them. `given_chords` are the committed chords from the
    first decided frame on, `given_melody` its melody; there may be fewer of them than decisions, or none. An offline model hears
    the request's whole melody before it is fed position 0.

    With a draft, the last `drafted` positions hold frames that are not decided yet, and decisions are one more than those.
    """

    slot: int
    position: int
    chords: tuple[int, ...]
    melody: tuple[int, ...]
    decisions: int
    given_chords: tuple[int, ...]
    given_melody: tuple[int, ...]
    request: PlanRequest
    drafted: int = 0


class BadRequest(ValueError):
    """A request that no gateway of ours should send; the text says what was expected and what came."""


@dataclass
class SlotMemory:
    """What a slot's keys and values stand for: controls, then one decided frame after the other."""

    controls: tuple[object, ...] = ()
    window_start: int = 0
    noise: tuple[int, float] | None = None
    frames: list[Decision] = field(default_factory=list)
    chosen: list[tuple[bool, bool]] = field(default_factory=list)  # per frame and part: chosen by `noise`, not given
    fed: int = 0  # positions with keys: never more than frames + 1
    draft: list[Decision] = field(default_factory=list)  # what the frames behind those may become

    def cut(self, frames: int) -> None:
        """Forget everything from a frame on, but as a draft."""
        self.draft = self.frames[frames:] + self.draft
        del self.frames[frames:], self.chosen[frames:]
        self.fed = min(self.fed, frames + 1)

    def add(self, frame: Decision, chosen: tuple[bool, bool]) -> None:
        """One frame more, which takes the place of its draft."""
        self.frames.append(frame)
        self.chosen.append(chosen)
        del self.draft[:1]

    def take_draft(self, older: "SlotMemory") -> None:
        """Draft what comes next as it stands in the memory of this window or one before."""
        moved = self.window_start - older.window_start
        self.draft = (older.frames + older.draft)[moved + len(self.frames) :] if moved >= 0 else []

    def copy(self) -> "SlotMemory":
        """What a copy of the slot stands for."""
        return replace(self, frames=[*self.frames], chosen=[*self.chosen], draft=[*self.draft])

    def agreement(self, known_chords: Sequence[int], known_melody: Sequence[int]) -> int:
        """Frames at the start that a fresh computation with these values would reproduce, controls and noise being the same."""
        for index, (frame, chosen) in enumerate(zip(self.frames, self.chosen, strict=True)):
            chord = frame.chord == known_chords[index] if index < len(known_chords) else chosen[0]
            melody = frame.melody == known_melody[index] if index < len(known_melody) else chosen[1]
            if not (chord and melody):
                return index
        return len(self.frames)


class Progress:
    """A plan being made in a slot: `next_work` says what to compute, `absorb` takes what came back."""

    def __init__(self, request: PlanRequest, slot: int, memory: SlotMemory, *, offline: bool = False) -> None:
        """Raises BadRequest."""
        self.request = request
        self.slot = slot
        self.memory = memory
        self.known_chords, self.known_melody = known_values(request, offline=offline)
        self._controls: tuple[object, ...] = (*controls_of(request), *((request.melody,) if offline else ()))
        self.first = request.first_frame - request.window_start
        self.end = self.first + request.lookahead_frames
        self.steps = 0
        self.reused = self._recall()

    @property
    def done(self) -> bool:
        """Whether every frame of the plan is decided."""
        return len(self.memory.frames) >= self.end

    @property
    def num_decided(self) -> int:
        """Frames of the plan that are decided."""
        return max(0, min(len(self.memory.frames), self.end) - self.first)

    def chords(self) -> list[int]:
        """The plan's chord values, as far as they are decided."""
        return [frame.chord for frame in self.memory.frames[self.first : self.end]]

    def positions_left(self) -> int:
        """Known positions still to be fed before the next frame can be decided, at least 1."""
        return self._decide() - self._start() + 1

    def decisions_left(self) -> int:
        """Frames still to be decided, one dependent step each."""
        return self.end - self._decide()

    def drafts_left(self) -> int:
        """Frames, but the last, that are drafted and still to be decided."""
        return max(0, min(len(self.memory.draft) - (self._decide() - len(self.memory.frames)), self.decisions_left() - 1))

    def next_work(self, max_positions: int, max_decisions: int) -> Work:
        """The next call's row: as many known positions as fit, and decisions only if all of them do."""
        start, decide = self._start(), self._decide()
        stop = min(decide + 1, start + max_positions)
        fed = [self._frame(position - 1) for position in range(start, stop)]
        decisions = min(max_decisions, self.end - decide) if stop == decide + 1 else 0
        return Work(
            self.slot,
            start,
            tuple(frame.chord for frame in fed),
            tuple(frame.melody for frame in fed),
            decisions,
            tuple(self.known_chords[decide : decide + decisions]),
            tuple(self.known_melody[decide : decide + decisions]),
            self.request,
        )

    def next_check(self, max_positions: int) -> Work:
        """The next call's row with as much of the draft behind the known positions as fits; all of those must fit."""
        known = self.next_work(max_positions, 1)
        assert known.decisions, f"expected at most {max_positions} known positions, got {self.positions_left()}"
        decide, drafted = self._decide(), min(self.drafts_left(), max_positions - len(known.chords))
        unsaid = decide - len(self.memory.frames)
        draft = tuple(self._after(self._frame(decide - 1), self.memory.draft[unsaid : unsaid + drafted], decide))
        return known._replace(
            chords=known.chords + tuple(frame.chord for frame in draft),
            melody=known.melody + tuple(frame.melody for frame in draft),
            decisions=1 + drafted,
            given_chords=tuple(self.known_chords[decide : decide + 1 + drafted]),
            given_melody=tuple(self.known_melody[decide : decide + 1 + drafted]),
            drafted=drafted,
        )

    def absorb(self, work: Work, decided: list[Decision]) -> None:
        """Take the decided frames of `work` into the slot's memory: of drafted ones those that came out as they were fed."""
        memory = self.memory
        for index in range(len(memory.frames), self._decide()):
            memory.add(self._frame(index), (False, False))
        known = len(work.chords) - work.drafted
        fed = zip(work.chords[known:], work.melody[known:], strict=True)
        stood = next((at for at, (frame, drafted) in enumerate(zip(decided, fed, strict=False)) if frame[:2] != drafted), work.drafted)
        count = 1 + stood if work.drafted else len(decided)
        for decision in decided[:count]:
            index = len(memory.frames)
            memory.add(decision, (index >= len(self.known_chords), index >= len(self.known_melody)))
        if count < len(decided):
            memory.draft[: len(decided) - count] = decided[count:]
        memory.fed = work.position + known + max(0, count - 1)
        self.steps += 1 if work.drafted else max(1, work.decisions)

    def _recall(self) -> int:
        """Cut the slot's memory to what this request would reproduce; returns the frames kept."""
        memory, request = self.memory, self.request
        noise = (request.seed, request.temperature)
        if memory.controls != self._controls:
            older = memory.copy()
            memory.controls, memory.window_start = self._controls, request.window_start
            memory.cut(0)
            memory.fed = 0
            memory.take_draft(older)
        if memory.noise != noise:
            memory.noise = noise
            memory.chosen = [(False, False)] * len(memory.chosen)
        memory.cut(min(self.end, memory.agreement(self.known_chords, self.known_melody)))
        return len(memory.frames)

    def _decide(self) -> int:
        """The next frame that the network must decide: the first that is neither in memory nor given in both parts."""
        return max(len(self.memory.frames), min(len(self.known_chords), len(self.known_melody)))

    def _start(self) -> int:
        """The first position to feed: what has no keys yet, at the latest the one that decides."""
        return min(self.memory.fed, self._decide())

    def _after(self, before: Decision, draft: Sequence[Decision], index: int) -> Iterator[Decision]:
        """A draft as it would go on after the frame `before` frame `index`: the same actions, and what is given."""
        for at, frame in enumerate(draft, index):
            chord = value_of(action_of(frame.chord, NUM_CHORDS), before.chord, NUM_CHORDS)
            melody = value_of(action_of(frame.melody, NUM_PITCHES), before.melody, NUM_PITCHES)
            before = Decision(
                self.known_chords[at] if at < len(self.known_chords) else chord,
                self.known_melody[at] if at < len(self.known_melody) else melody,
            )
            yield before

    def _frame(self, index: int) -> Decision:
        """A frame in memory or given; the prefix (index -1) holds nothing."""
        if index < 0:
            return Decision(0, 0)
        frames = self.memory.frames
        return frames[index] if index < len(frames) else Decision(self.known_chords[index], self.known_melody[index])


def controls_of(request: PlanRequest) -> tuple[object, ...]:
    """What every position depends on beside the frames fed."""
    return (request.window_start, request.beats_per_bar, request.bar_line, request.density, request.style)


def known_values(request: PlanRequest, *, offline: bool = False) -> tuple[list[int], list[int]]:
    """Chord and melody values the request gives, checked. Raises BadRequest."""
    if len(request.chords) % 2 or len(request.melody) % 2:
        raise BadRequest(f"expected two bytes a frame, got {len(request.chords)} bytes of chords and {len(request.melody)} of melody")
    chords, melody = unpack_values(request.chords), unpack_values(request.melody)
    first = request.first_frame - request.window_start
    end = first + request.lookahead_frames
    if not (0 if offline else 1) <= first < end <= WINDOW_FRAMES:
        raise BadRequest(
            f"expected history and plan within {WINDOW_FRAMES} frames, got {first} frames of history and {request.lookahead_frames} to plan"
        )
    if not first <= len(chords) <= end or len(melody) not in (range(end, WINDOW_FRAMES + 1) if offline else (first - 1, first)):
        wanted = f"chords up to frame {first} and melody up to frame {end if offline else first}"
        raise BadRequest(f"expected {wanted}, got {len(chords)} and {len(melody)}")
    for name, values, count in (("chords", chords, NUM_CHORDS), ("melody", melody, NUM_PITCHES)):
        if (bad := first_break(values, count)) is not None:
            raise BadRequest(f"expected {name} that keep the grammar, got {values[bad]} at frame {bad}")
    if not 0 <= request.seed < 1 << 32:
        raise BadRequest(f"expected a seed of 32 bits, got {request.seed}")
    if not (0 <= request.density < len(DENSITIES) and 0 <= request.style < len(STYLES) and 1 <= request.beats_per_bar <= 12):
        raise BadRequest(
            f"expected known controls, got density {request.density}, style {request.style}, {request.beats_per_bar} beats per bar"
        )
    return chords, melody
