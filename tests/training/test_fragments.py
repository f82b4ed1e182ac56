"""Fragments and episodes: on the beat, inside their song, in all keys, and beginning as they are told to."""

import numpy as np
import pytest

from schema.tokens import NOTHING, NUM_CHORDS, first_break
from tests.sideman.evaluated import song
from training.fragments import FREE, Beginnings, held_out_pairs, late_lesson, long_enough, random_episodes, random_pairs

SONGS = [song("a", frames=400), song("b", frames=320, pitch=64, beats_per_bar=3)]
EVEN = np.full(2, 0.5)


def episodes(step=1, rows=40, frames=256, **shares):
    beginnings = Beginnings(**({"silent": 0.0, "primed": 0.0, "jumps": 0.0} | shares))
    return random_episodes(SONGS, EVEN, rows, seed=1, step=step, beginnings=beginnings, frames=frames)


def test_the_same_step_gives_the_same_batch_and_another_another():
    for make in (lambda step: random_pairs(SONGS, EVEN, 6, 64, seed=1, step=step), episodes):
        one, again, other = make(1), make(1), make(2)
        assert all((a == b).all() for a, b in zip(one, again, strict=True))
        assert any((a != b).any() for a, b in zip(one, other, strict=True))


def test_melody_and_chords_of_a_fragment_are_moved_together():
    """A note a beat over C and F: the distance of root and pitch class is what it was."""
    pairs = random_pairs(SONGS[:1], np.ones(1), 64, 32, seed=1, step=1)
    roots = (pairs.chords - 1) % NUM_CHORDS // (NUM_CHORDS // 12)
    distances = ((pairs.melody - 1) % 128 % 12 - roots) % 12
    assert set(distances.ravel().tolist()) <= {(60 + n - root) % 12 for n in range(5) for root in (0, 5)}
    assert len(set(roots.ravel().tolist())) == 12


def test_fragments_of_one_song_stand_together_in_one_key():
    pairs = random_pairs(SONGS, EVEN, 24, 32, seed=1, step=1, together=8)
    roots = (pairs.chords - 1) % NUM_CHORDS // (NUM_CHORDS // 12)
    groups = [set(roots[i : i + 8].ravel().tolist()) for i in range(0, 24, 8)]
    assert all(len(group) == 2 for group in groups), "two chords a song"


def test_held_out_fragments_come_from_all_songs_in_their_own_key():
    pairs = held_out_pairs(SONGS, 64, 6)
    assert pairs.chords.shape == (6, 64)
    roots = {int(r) for r in ((pairs.chords - 1) % NUM_CHORDS // (NUM_CHORDS // 12)).ravel()}
    assert roots == {0, 5}


def test_short_songs_are_left_out():
    assert [s.name for s in long_enough([*SONGS, song("c", frames=96)], 128)] == ["a", "b"]


def test_episodes_begin_on_a_beat_and_know_their_bars():
    made = episodes()
    assert (made.place % made.bar_frames[:, None] == made.place).all()
    assert (made.place[:, 0] % 4 == 0).all()
    absolute = made.bar * made.bar_frames[:, None] + made.place
    assert (np.diff(absolute, axis=1) == 1).all()
    assert (made.forced == FREE).all()
    assert all(first_break(row.tolist(), NUM_CHORDS) is None for row in made.human)
    assert (made.human[:, 0] <= NUM_CHORDS).all(), "a chord that runs in is struck"


@pytest.mark.parametrize(("shares", "given"), [({"silent": 1.0}, "nothing"), ({"primed": 1.0}, "human")])
def test_some_episodes_begin_in_silence_or_with_peoples_chords(shares, given):
    made = episodes(**shares)
    forced = made.forced != FREE
    lengths = forced.sum(axis=1)
    assert ((lengths > 0) & (lengths <= 64) & (lengths % 4 == 0)).all()
    assert (forced == (np.arange(256) < lengths[:, None])).all(), "only at the beginning"
    assert (made.forced[forced] == (NOTHING if given == "nothing" else made.human[forced])).all()


def test_a_jump_moves_melody_and_chords_to_another_key_for_good():
    still, jumping = episodes(), episodes(jumps=1.0)
    assert still.melody.shape == jumping.melody.shape
    keys = [np.unique((row - 1) % NUM_CHORDS // (NUM_CHORDS // 12) % 12).size for row in jumping.human]
    assert np.mean(keys) > 2, "two chords in one key, and again in another"
    assert all(first_break(row.tolist(), NUM_CHORDS) is None for row in jumping.human)


def test_a_lesson_is_in_one_key_until_the_chords_answer_in_the_other():
    """The melody has moved by 1 to 4 beats before; an answer is struck on a beat, and all that is between is as people wrote it."""
    lesson = late_lesson(SONGS, EVEN, 40, seed=1, step=1)
    waits = set()
    for melody, chords, answers in zip(lesson.episodes.melody, lesson.chords, lesson.answers, strict=True):
        at = np.flatnonzero(answers)
        assert len(at)
        assert (at % 4 == 0).all()
        assert all(1 <= chord <= NUM_CHORDS for chord in chords[at])
        assert first_break(chords.tolist(), NUM_CHORDS) is None
        beats = (melody[::4] - 1) % 128
        scales = (beats - (np.arange(64) + phase) % 5 for phase in range(5))
        key = next(scale for scale in scales if len(set(scale[:6].tolist())) == 1)  # the tune's five notes, wherever it was cut
        moves = np.flatnonzero(np.diff(key)) + 1
        assert len(moves) == len(at)
        waits |= {*(at // 4 - moves).tolist()}
    assert waits == {1, 2, 3, 4}
    assert lesson.episodes.human.shape == lesson.chords.shape
    assert (lesson.episodes.forced == FREE).all()


def test_lessons_are_the_same_for_the_same_step():
    one, again, other = (late_lesson(SONGS, EVEN, 4, seed=1, step=step) for step in (1, 1, 2))
    np.testing.assert_array_equal(one.chords, again.chords)
    assert (one.chords != other.chords).any()
