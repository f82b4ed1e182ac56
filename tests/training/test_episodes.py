"""Episodes: cached play is what whole windows say, what is forced stands, the melody of a frame is not heard before it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from schema.tokens import NUM_CHORDS, first_break
from tests.tiny import OFFLINE_SIZES, model_of, tiny_weights
from training.episodes import actions_of, judge, play
from training.fragments import FREE, Episodes

ROWS, FRAMES = 3, 24


@pytest.fixture(scope="module")
def model():
    return model_of(tiny_weights())


@pytest.fixture(scope="module")
def episodes() -> Episodes:
    rng = np.random.default_rng(1)
    melody = np.repeat(rng.integers(50, 80, (ROWS, FRAMES // 4)), 4, axis=1)
    at = np.broadcast_to(np.arange(FRAMES), (ROWS, FRAMES))
    forced = np.full((ROWS, FRAMES), FREE)
    forced[1, :8] = 0
    forced[2, :4] = [7, 7 + NUM_CHORDS, 7 + NUM_CHORDS, 9]
    controls = (np.array([1, 0, 2]), np.array([0, 1, 2]), np.array([4, 0, 3]))
    return Episodes(*(jnp.asarray(a, jnp.int32) for a in (melody, melody * 0, at % 16, at // 16, forced, *controls, np.full(ROWS, 16))))


def test_the_likeliest_chords_step_by_step_are_those_of_whole_windows(model, episodes):
    """At a temperature near 0 a sample is the likeliest action; the KV cache changes nothing."""
    chords = play(model, episodes, jax.random.key(0), temperature=1e-4)
    likeliest = judge(model, episodes, chords).log_p.argmax(-1)
    free = np.asarray(episodes.forced == FREE)
    np.testing.assert_array_equal(np.asarray(actions_of(chords))[free], np.asarray(likeliest)[free])


def test_what_is_forced_stands_and_the_grammar_holds(model, episodes):
    chords = np.asarray(play(model, episodes, jax.random.key(3), temperature=2.0))
    forced = np.asarray(episodes.forced)
    np.testing.assert_array_equal(chords[forced != FREE], forced[forced != FREE])
    assert all(first_break(row.tolist(), NUM_CHORDS) is None for row in chords)


def test_other_keys_give_other_episodes_and_the_same_key_the_same(model, episodes):
    one, two, again = (np.asarray(play(model, episodes, jax.random.key(k))) for k in (1, 2, 1))
    assert (one != two).any()
    np.testing.assert_array_equal(one, again)


def test_a_chord_does_not_hear_the_melody_of_its_own_frame_but_the_teachers_does(model, episodes):
    chords = play(model, episodes, jax.random.key(1))
    later = episodes._replace(melody=episodes.melody.at[:, 12:].add(5))
    before, after = (np.asarray(judge(model, e, chords).log_p) for e in (episodes, later))
    np.testing.assert_array_equal(before[:, :13], after[:, :13])
    assert (before[:, 13] != after[:, 13]).any()
    teacher = model_of(tiny_weights(sizes=OFFLINE_SIZES), OFFLINE_SIZES)
    before, after = (np.asarray(judge(teacher, e, chords).log_p) for e in (episodes, later))
    assert (before[:, 5] != after[:, 5]).any()


def test_impossible_actions_have_no_probability(model, episodes):
    chords = play(model, episodes, jax.random.key(1))
    log_p = np.asarray(judge(model, episodes, chords).log_p)
    assert np.exp(log_p).sum(-1) == pytest.approx(1.0, abs=1e-4)
    assert np.isneginf(log_p[1, 4, 1]), "nothing runs in forced silence, so nothing can be held"
