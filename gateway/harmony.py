"""Chords for a whole melody, window by window, from a model that hears a window's melody before its first chord (W). Pure.

    while (request := harmony.next_request()) is not None:
        part = harmony.take(reply to the request)

A melody that does not fit one window is harmonised in overlapping ones: a window decides only as far as HEARD_AHEAD_FRAMES of
the melody behind can be heard, and the next one begins on a bar line that leaves about HEARD_BEFORE_FRAMES of the chords before.
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY, InitVar, dataclass, field

from gateway.planning import chord_run, lead
from gateway.resume import bad_run, must_strike, read_chords, read_melody
from schema.client_messages import ChordRun, Harmonize, Harmonized, Settings
from schema.engine_messages import PlanReply, PlanRequest, pack_values, unpack_values
from schema.grid import WINDOW_FRAMES, place_in_bar
from schema.plan import runs, values
from schema.tokens import DENSITIES, NOTHING, NUM_CHORDS, STYLES, chord_of, first_break

HARMONIZE = "/harmonize"  # behind the player's name, as the session of a request
HEARD_AHEAD_FRAMES = 64
HEARD_BEFORE_FRAMES = 128
SLACK_MS = 30_000.0  # for each window: nobody waits to play


@dataclass
class Harmony:
    """Chords for `melody`, of which the first are `given`; both are values, frame by frame, of any length."""

    melody: Sequence[int]
    given: InitVar[Sequence[int]]
    _: KW_ONLY
    session: str
    seq: int
    model: str
    settings: Settings
    seed: int
    bar_line: int
    chords: list[int] = field(init=False)  # decided so far, the given ones included
    _told: int = field(default=0, init=False)  # frames that parts have brought
    _voicing: tuple[int, ...] = field(default=(), init=False)  # of the last chord told

    def __post_init__(self, given: Sequence[int]) -> None:
        assert len(given) <= len(self.melody), f"expected at most {len(self.melody)} chords, got {len(given)}"
        self.chords = list(given)

    @property
    def done(self) -> bool:
        """Whether every frame has its chord."""
        return len(self.chords) == len(self.melody)

    def next_request(self) -> PlanRequest | None:
        """What is to be asked next; None when done."""
        if self.done:
            return None
        start, known = self._window_start(), len(self.chords)
        return PlanRequest(
            session=self.session,
            seq=self.seq,
            model=self.model,
            seed=self.seed,
            window_start=start,
            first_frame=known,
            lookahead_frames=self._decided_until() - known,
            chords=pack_values(self.chords[start:]),
            melody=pack_values(self.melody[start : start + WINDOW_FRAMES]),
            temperature=self.settings.temperature,
            beats_per_bar=self.settings.beats_per_bar,
            bar_line=self.bar_line,
            density=DENSITIES.index(self.settings.density),
            style=STYLES.index(self.settings.style),
            slack_ms=SLACK_MS,
        )

    def take(self, reply: PlanReply) -> Harmonized:
        """Take the chords that answer the last request, and tell them. A reply that breaks its terms is a bug of ours."""
        decided = unpack_values(reply.chords)
        running, expected = self.chords[-1] if self.chords else NOTHING, self._decided_until() - len(self.chords)
        assert len(decided) == expected, f"expected {expected} chords, got {len(decided)}"
        assert first_break([running, *decided], NUM_CHORDS) is None, f"expected chords that may follow {running}, got {decided}"
        self.chords += decided
        return self.next_part()

    def next_part(self) -> Harmonized:
        """All that is decided and was in no part before. Where nothing need be asked, that is all there is."""
        first_frame, self._told = self._told, len(self.chords)
        return Harmonized(self.seq, first_frame, self._told, len(self.melody), self._voiced(self.chords[first_frame:], first_frame))

    def _window_start(self) -> int:
        """The last bar line that leaves enough of the chords before. Bars are short, so every window decides something."""
        frame = len(self.chords) - HEARD_BEFORE_FRAMES
        return max(0, frame - place_in_bar(frame, self.settings.beats_per_bar, self.bar_line))

    def _decided_until(self) -> int:
        """Where the window that is to be asked for stops deciding."""
        end = self._window_start() + WINDOW_FRAMES
        return len(self.melody) if end >= len(self.melody) else end - HEARD_AHEAD_FRAMES

    def _voiced(self, chords: Sequence[int], first_frame: int) -> list[ChordRun]:
        """Runs with pitches, led on from the part before (P9)."""
        result: list[ChordRun] = []
        for run in runs(chords, first_frame):
            chord = chord_of(run.value)
            if run.onset or not self._voicing:
                self._voicing = lead(chord, self._voicing, self.settings.voicing)
            result.append(chord_run(run, self._voicing if chord else ()))
        return result


def harmony_for(message: Harmonize, *, session: str, model: str, settings: Settings, seed: int) -> Harmony:
    """What a message asks for. Raises ProtocolError (W3)."""
    path, seq = "$.harmonize", message.seq
    total = sum(run.length for run in message.chords)
    if total > message.frames:
        raise bad_run(f"{path}.chords", f"{message.frames} frames ({path}.frames) at most", f"{total} frames", seq)
    melody = read_melody(message.melody, path, frames=range(message.frames), end="frames", seq=seq)
    chord_runs = read_chords(message.chords, f"{path}.chords", start=0, seq=seq)
    must_strike(chord_runs, f"{path}.chords", seq)
    return Harmony(
        melody, values(chord_runs), session=session, seq=seq, model=model, settings=settings, seed=seed, bar_line=message.bar_line
    )
