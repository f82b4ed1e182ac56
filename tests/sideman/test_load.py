"""Who plays what and from when: drawn from a seed, apart from each other, and shifted by nothing."""

from itertools import islice
from typing import NamedTuple

import numpy as np
import pytest

from schema.melody import NoteEvent, frames_of_events
from schema.tokens import NOTHING, note_hold, note_onset, pitch_of
from sideman.load import Run, arrivals, schedule
from sideman_client.generated.messages import Configure


class Tune(NamedTuple):
    melody: np.ndarray
    chords: np.ndarray
    beats_per_bar: int


def tune(pitches, beats_per_bar=4):
    """A beat for each: three frames of a note and one of rest; None is a beat of rest."""
    beats = [[NOTHING] * 4 if p is None else [note_onset(p), note_hold(p), note_hold(p), NOTHING] for p in pitches]
    melody = np.array([value for beat in beats for value in beat])
    return Tune(melody, np.zeros(len(melody), int), beats_per_bar)


WALTZ, MARCH = tune([60, 62, None, 67, 65, 64], 3), tune(range(60, 72))


def run(sessions=6, **changed):
    given = {"seconds": 4.0, "warm_up_s": 3.0, "settings": Configure(silence_beats=2), "bpm": 120.0, "seed": 1, "generators": 1}
    return Run(sessions=sessions, **(given | changed))


def pitches_by_frame(part, num_frames):
    values = frames_of_events([NoteEvent(event.frame, event.pitch, event.on) for event in part.events], num_frames)
    return [pitch_of(value) for value in values]


def test_sessions_take_turns_with_the_tunes_and_their_metres():
    assert [part.beats_per_bar for part in arrivals([WALTZ, MARCH], run())] == [3, 4] * 3


def test_each_plays_its_tune_round_and_round_from_a_bar_of_its_own_in_a_key_of_its_own():
    ways = set()
    for part in arrivals([WALTZ], run(12)):
        played = pitches_by_frame(part, 56)  # the seven seconds
        written = [pitch_of(value) for value in WALTZ.melody]
        (way,) = {
            (bar, shift)
            for bar in (0, 12)
            for shift in range(-5, 7)
            if played == [None if (p := written[(bar + frame) % 24]) is None else p + shift for frame in range(56)]
        }
        ways.add(way)
    assert len(ways) > 4


def test_no_key_leaves_the_keyboard():
    parts = arrivals([tune([0, 127])], run(20))
    assert {event.pitch for part in parts for event in part.events} == {0, 127}


def test_a_tune_of_rests_can_be_played():
    assert arrivals([tune([None] * 4)], run(1))[0].events == []


def test_the_first_sessions_do_the_same_however_many_there_are():
    assert arrivals([WALTZ, MARCH], run(9))[:4] == arrivals([WALTZ, MARCH], run(4))


def test_a_seed_decides_everything():
    assert arrivals([MARCH], run()) == arrivals([MARCH], run())
    assert arrivals([MARCH], run()) != arrivals([MARCH], run(seed=2))


@pytest.mark.parametrize(("warm_up_s", "silence", "until_s"), [(3.0, 2, 2.0), (3.0, 0, 3.0), (1.0, 4, 0.125), (0.0, None, 0.125)])
def test_all_join_at_moments_of_their_own_early_enough_to_be_heard_when_the_warm_up_ends(warm_up_s, silence, until_s):
    """Within one frame at least, so that phases always differ."""
    parts = arrivals([MARCH], run(64, warm_up_s=warm_up_s, settings=Configure(silence_beats=silence)))
    joins = [part.join_s for part in parts]
    assert len(set(joins)) == 64
    assert 0 <= min(joins) < 0.2 * until_s
    assert 0.8 * until_s < max(joins) <= until_s


def test_every_tick_is_due_at_its_own_moment_and_all_come_in_order():
    assert list(schedule([0.3, 0.0], 0.5, 1.4)) == [(0.0, 1), (0.3, 0), (0.5, 1), (0.8, 0), (1.0, 1), (1.3, 0)]


def test_a_tick_at_the_very_end_is_not_played():
    assert list(schedule([0.0], 0.5, 1.0)) == [(0.0, 0), (0.5, 0)]


def test_the_schedule_of_an_hour_is_made_as_it_is_needed():
    assert len(list(islice(schedule([0.1] * 64, 0.125, 3600.0), 100))) == 100
