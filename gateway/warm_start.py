"""The warm start of a jam: what the models take the initial silence for once a chord has sounded, instead of a rest (P10). Pure.

The first plan of a jam is made in two requests. An offline model hears the melody so far and has chords for it: the *opening*,
which covers every frame before the plan; its last chord, held on, stands for the rest of the silence. Then the plan is asked for,
as after a rest: an agent that has a past goes on with its progression, one that has none covers what it has just heard, which makes
the better first chord. If either request fails, nothing is settled.
"""

from gateway.jam import WarmStart, heard
from gateway.planning import HEAD_START_FRAMES, Situation, slack_ms
from schema.engine_messages import PlanReply, PlanRequest, pack_values, unpack_values
from schema.tokens import DENSITIES, NOTHING, NUM_CHORDS, STYLES, first_break, held

WARM_START = "/warm-start"  # behind the player's name, as the session of a request


def is_due(situation: Situation) -> bool:
    """Whether the plan is the first of a jam in which a note was heard and no chord, and ends the silence."""
    jam = situation.jam
    begun = situation.previous is not None or jam.warm_start is not None or any(jam.chords)
    in_time = 0 < situation.silence_until - situation.first_frame <= HEAD_START_FRAMES
    return in_time and not begun and any(heard(jam))


def opening_request(situation: Situation, model: str, *, session: str, seq: int, waited_ms: float) -> PlanRequest:
    """What the offline `model` is asked: chords for all of the melody so far."""
    jam, settings = situation.jam, situation.settings
    return PlanRequest(
        session=session,
        seq=seq,
        model=model,
        seed=situation.seed,
        window_start=jam.first_frame,
        first_frame=jam.first_frame,
        lookahead_frames=situation.first_frame - jam.first_frame,
        chords=b"",
        melody=pack_values(heard(jam)),
        temperature=settings.temperature,
        beats_per_bar=settings.beats_per_bar,
        bar_line=situation.bar_line,
        density=DENSITIES.index(settings.density),
        style=STYLES.index(settings.style),
        slack_ms=slack_ms(settings, waited_ms),
    )


def settled(reply: PlanReply, situation: Situation) -> Situation:
    """The same situation with the warm start that the opening makes. A reply that breaks the request's terms is a bug of ours."""
    values = unpack_values(reply.chords)
    expected = situation.first_frame - situation.jam.first_frame
    assert len(values) == expected, f"expected {expected} chords, got {len(values)}"
    assert first_break([NOTHING, *values], NUM_CHORDS) is None, f"expected chords from the first one on, got {values}"
    rest = [held(values[-1], NUM_CHORDS)] * (situation.silence_until - situation.first_frame)
    warm_start = WarmStart(situation.jam.first_frame, (*values, *rest))
    return situation._replace(jam=situation.jam._replace(warm_start=warm_start))
