"""A jam by hand, as requests to a worker: histories that grow, are amended, hop with the window, and keep what is committed. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import strategies as st

from schema.engine_messages import PlanRequest, pack_values
from schema.grid import window_start
from schema.tokens import HOLD_ACTION, NOTHING, NUM_CHORDS, NUM_PITCHES, value_of

CHANGES = ("", "", "", "seed", "temperature", "density", "style", "metre", "bar_line", "amend melody", "amend chords", "reset")


class Move(NamedTuple):
    """What happens before the next request."""

    frames: int = 1  # that pass; 0 asks again
    notes: tuple[int, ...] = (HOLD_ACTION,)  # melody actions, one a frame in turn
    followed: bool = True  # the plan sounded; else the running chord went on
    open: bool = False  # the melody of the frame being played is known already
    lookahead: int = 8
    commit: int = 0
    change: str = ""


class Jam:
    """One session: `ask` makes a move and gives its request, `hear` takes the plan for it."""

    def __init__(self, session: str, *, history: int = 1, seed: int = 7, temperature: float = 0.8, beats_per_bar: int = 4) -> None:
        self.session, self.seed, self.temperature, self.beats_per_bar = session, seed, temperature, beats_per_bar
        self.seq = self.bar_line = self.density = self.style = 0
        self.chords = _values(history, NUM_CHORDS, 40)
        self.melody = _values(history, NUM_PITCHES, 60)
        self.plan: tuple[int, list[int], int] = (0, [], 0)  # first frame, chords, committed frames
        self._asked = Move()

    def ask(self, move: Move) -> PlanRequest:
        """Let the move's frames pass and ask for a plan."""
        self._change(move.change)
        for index in range(move.frames):
            self.melody.append(value_of(move.notes[index % len(move.notes)], self.melody[-1], NUM_PITCHES))
            self.chords.append(self._sounds(len(self.chords), move.followed))
        first, self.seq, self._asked = len(self.chords), self.seq + 1, move
        committed = self._committed(first)
        lookahead = max(move.lookahead, len(committed))
        start = window_start(first, lookahead)
        return PlanRequest(
            session=self.session,
            seq=self.seq,
            model="toy",
            seed=self.seed,
            window_start=start,
            first_frame=first,
            lookahead_frames=lookahead,
            chords=pack_values(self.chords[start:] + committed),
            melody=pack_values(self.melody[start : first if move.open else first - 1]),
            temperature=self.temperature,
            beats_per_bar=self.beats_per_bar,
            bar_line=self.bar_line,
            density=self.density,
            style=self.style,
            slack_ms=100.0,
        )

    def hear(self, chords: Sequence[int]) -> None:
        """The plan for the last request arrived."""
        self.plan = (len(self.chords), list(chords), min(self._asked.commit, len(chords)))

    def _sounds(self, frame: int, followed: bool) -> int:
        first, chords, committed = self.plan
        if frame - first < (len(chords) if followed else committed):
            return chords[frame - first]
        self.plan = (0, [], 0)  # the jam left the plan
        return value_of(HOLD_ACTION, self.chords[-1], NUM_CHORDS)

    def _committed(self, first: int) -> list[int]:
        start, chords, committed = self.plan
        return chords[first - start : committed]

    def _change(self, change: str) -> None:
        match change:
            case "seed":
                self.seed = (self.seed * 31 + 1) % 2**32
            case "temperature":
                self.temperature = 0.0 if self.temperature else 1.1
            case "density":
                self.density = (self.density + 1) % 6
            case "style":
                self.style = (self.style + 1) % 5
            case "metre":
                self.beats_per_bar = 7 - self.beats_per_bar
            case "bar_line":
                self.bar_line = len(self.chords) - 1
            case "amend melody":  # the last note was another one
                self.melody[-1] = 1 + (self.melody[-1] + 5) % NUM_PITCHES
            case "amend chords":  # something else sounded
                self.chords[-1] = 1 + (self.chords[-1] + 7) % NUM_CHORDS
                self.plan = (0, [], 0)
            case "reset":
                self.chords, self.melody, self.plan = [NOTHING], [NOTHING], (0, [], 0)


def _values(count: int, alphabet: int, base: int) -> list[int]:
    """Some grammatical values, each sound over three frames."""
    result = [NOTHING]
    for index in range(1, count):
        result.append(value_of(HOLD_ACTION if index % 3 else 2 + (base + index * index) % alphabet, result[-1], alphabet))
    return result


def whole_melody(
    session: str, pitches: Sequence[int], *, given: int = 0, frames: int = 0, seed: int = 7, temperature: float = 0.8
) -> PlanRequest:
    """An offline request: quarter notes from frame 64 on, chords known for the first `given` frames, asked for `frames` more (0: all)."""
    actions = [action for pitch in pitches for action in (2 + pitch, HOLD_ACTION, HOLD_ACTION, NOTHING)]
    melody = [NOTHING]
    for action in actions:
        melody.append(value_of(action, melody[-1], NUM_PITCHES))
    chords = _values(given + 1, NUM_CHORDS, 30)[1:]
    return PlanRequest(
        session=session,
        seq=seed,
        model="toy",
        seed=seed,
        window_start=64,
        first_frame=64 + given,
        lookahead_frames=frames or len(actions) - given,
        chords=pack_values(chords),
        melody=pack_values(melody[1:]),
        temperature=temperature,
        beats_per_bar=3,
        bar_line=2,
        density=0,
        style=1,
        slack_ms=100.0,
    )


def whole_melodies(sessions: str) -> st.SearchStrategy[PlanRequest]:
    """Requests to an offline model; few melodies, so that some come again."""
    pitches = st.sampled_from(([60, 64, 67], [60, 64, 67, 72, 71], [50] * 20, list(range(40, 100))))
    return st.builds(
        whole_melody,
        st.sampled_from(sessions),
        pitches,
        given=st.sampled_from((0, 0, 1, 5, 11)),
        frames=st.sampled_from((0, 1)),
        seed=st.sampled_from((1, 2)),
    )


notes = st.lists(st.sampled_from((HOLD_ACTION, HOLD_ACTION, NOTHING, 62, 66)), min_size=1, max_size=3).map(tuple)
moves = st.builds(
    Move,
    frames=st.sampled_from((1, 1, 1, 1, 0, 2, 5)),
    notes=notes,
    followed=st.sampled_from((True, True, False)),
    open=st.booleans(),
    lookahead=st.sampled_from((8, 8, 8, 4, 11)),
    commit=st.sampled_from((0, 0, 3, 8)),
    change=st.sampled_from(CHANGES),
)
histories = st.sampled_from((1, 2, 5, 17))
long_histories = st.sampled_from((244, 246, 248, 249, 310))  # the window hops soon
