"""What a jam was like, measured by the client: how fast the answers came and how the music came out. Pure."""

from collections.abc import Sequence

import msgspec

from sideman_client.generated import FRAMES_PER_BEAT
from sideman_client.generated.chords import CHORD_TONES, NO_CHORD
from sideman_client.generated.messages import Keep, MelodyRun, Plan, Settings
from sideman_client.jam import Jam, Sounding, end_frame, run_at


class RoundTrip(msgspec.Struct, frozen=True):
    """Milliseconds from sending a tick to having its plan, over all plans (nearest rank); None without plans."""

    p50: float | None
    p95: float | None
    p99: float | None
    max: float | None


class Report(msgspec.Struct, frozen=True):
    """One jam in numbers. *Sounded* means: after the initial silence."""

    frames: int  # frames that were played
    plans: int  # ticks answered by a plan
    keeps: int  # ticks answered by `keep`, for whatever reason
    late_frames: int  # frames that began without the plan made for them: an older one or a hold was used
    unplanned_frames: int  # sounded frames no plan said anything about (frame 0, which no tick precedes, left out)
    round_trip_ms: RoundTrip
    frame_budget_ms: float  # length of one frame
    share_in_budget: float | None  # of all ticks sent: answered by a plan, or told to listen, within one frame
    note_in_chord: float | None  # of sounded frames with a note and a chord: the note is one of the chord's tones
    chord_changes: int  # frames whose chord is another one than in the frame before (N is a chord here)
    revised_share: (
        float | None
    )  # of frames that a plan and the next one both cover: the chord became another one, or is struck where it was held
    decision_age_frames: float | None  # see JamLog.take
    model: str
    settings: Settings


class JamLog:
    """Collects what a report needs while a jam goes on."""

    def __init__(self) -> None:
        self.num_ticks = 0
        self.num_plans = 0
        self.num_keeps = 0
        self.num_in_budget = 0
        self.round_trips_ms: list[float] = []
        self._chosen_at: dict[int, int] = {}
        self._before: Plan | None = None
        self._num_common = 0
        self._num_revised = 0

    def take(self, answer: Plan | Keep, round_trip_ms: float | None, *, budget_ms: float, next_frame: int) -> None:
        """Count the answer to a tick; `next_frame` is the first frame that has not begun.

        The age of a decision is the number of frames from the moment a frame's chord was last chosen freely to the moment it
        sounds. The moment is the tick that was answered, one frame before the plan's first. A plan chooses a frame freely if the
        plan received before it had not committed that frame. Frames no plan said anything about have no decision.
        """
        in_time = round_trip_ms is not None and round_trip_ms <= budget_ms
        if isinstance(answer, Keep):
            self.num_keeps += 1
            self.num_in_budget += in_time and answer.reason == "listening"
            return
        self.num_plans += 1
        self.num_in_budget += in_time
        if round_trip_ms is not None:
            self.round_trips_ms.append(round_trip_ms)
        if self._before is not None and answer.seq <= self._before.seq:
            return
        bound = self._before.committed_until if self._before is not None else 0
        for frame in range(max(answer.first_frame, next_frame), end_frame(answer)):
            if frame >= bound or frame not in self._chosen_at:
                self._chosen_at[frame] = answer.first_frame - 1
        self._compare(self._before, answer)
        self._before = answer

    def report(self, jam: Jam, melody: Sequence[MelodyRun], *, budget_ms: float) -> Report:
        """The jam in numbers, once it is over; `melody` lies within its frames."""
        sounded = jam.frames[jam.silence_frames :]
        ages = [c.frame - self._chosen_at[c.frame] for c in sounded if c.planned and c.frame in self._chosen_at]
        return Report(
            frames=len(jam.frames),
            plans=self.num_plans,
            keeps=self.num_keeps,
            late_frames=jam.late_frames,
            unplanned_frames=sum(not chord.planned and chord.frame > 0 for chord in sounded),
            round_trip_ms=round_trip(self.round_trips_ms),
            frame_budget_ms=round(budget_ms, 3),
            share_in_budget=_share(self.num_in_budget, self.num_ticks),
            note_in_chord=note_in_chord(sounded, melody),
            chord_changes=sum(b.symbol != a.symbol for a, b in zip(jam.frames, jam.frames[1:], strict=False)),
            revised_share=_share(self._num_revised, self._num_common),
            decision_age_frames=round(sum(ages) / len(ages), 4) if ages else None,
            model=jam.settings.model,
            settings=jam.settings,
        )

    def _compare(self, before: Plan | None, plan: Plan) -> None:
        if before is None:
            return
        for frame in range(plan.first_frame, min(end_frame(before), end_frame(plan))):
            was, now = run_at(before, frame), run_at(plan, frame)
            if was is not None and now is not None:
                self._num_common += 1
                struck_before, struck_now = was.onset and was.start == frame, now.onset and now.start == frame
                self._num_revised += (was.symbol, struck_before) != (now.symbol, struck_now)


def round_trip(values_ms: Sequence[float]) -> RoundTrip:
    """Percentiles by nearest rank: the smallest value that is not below that share of the values."""
    ordered = sorted(values_ms)
    if not ordered:
        return RoundTrip(None, None, None, None)
    at = [round(ordered[max(0, -(-percent * len(ordered) // 100) - 1)], 3) for percent in (50, 95, 99, 100)]
    return RoundTrip(*at)


def note_in_chord(chords: Sequence[Sounding], melody: Sequence[MelodyRun]) -> float | None:
    """Share of the frames with a note and a chord in which the note's pitch class is one of the chord's; None without any."""
    pitch_at = {frame: run.pitch for run in melody for frame in range(run.start, run.start + run.length)}
    inside = [pitch_at[c.frame] % 12 in tones(c) for c in chords if c.symbol != NO_CHORD and c.frame in pitch_at]
    return _share(sum(inside), len(inside))


def tones(chord: Sounding) -> frozenset[int]:
    """Pitch classes of a chord; of a symbol this version does not know, those of its pitches (P9)."""
    return CHORD_TONES.get(chord.symbol) or frozenset(pitch % 12 for pitch in chord.pitches)


def beat_of(frame: int) -> int:
    """The beat a frame lies in, counted from 1 as players do."""
    return frame // FRAMES_PER_BEAT + 1


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
