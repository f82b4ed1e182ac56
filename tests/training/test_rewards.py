"""Where rewards stand in an episode, and that all scales count alike."""

import jax.numpy as jnp
import numpy as np
import pytest

from training.fragments import Episodes
from training.reward_models import RewardSizes, build_reward
from training.rewards import ear, earned, fooled, heard_windows, placed, window_starts

SIZES = RewardSizes(layers=1, width=16, heads=2, head_width=8, feed_width=16, frame_width=8, embedding=8, dropout=0.0)


def test_windows_overlap_by_half_and_end_with_the_episode():
    assert list(window_starts(64, 16)) == [0, 8, 16, 24, 32, 40, 48]
    assert list(window_starts(64, 64)) == [0]


@pytest.mark.parametrize("length", [8, 16, 32, 64])
def test_a_window_is_paid_at_its_last_frame_and_all_scales_are_worth_the_same(length):
    windows = jnp.ones((2, len(window_starts(64, length))))
    reward = np.asarray(placed(windows, length, 64))
    assert reward.sum(axis=1) == pytest.approx(1.0)
    assert np.flatnonzero(reward[0]).tolist() == [start + length - 1 for start in window_starts(64, length)]


def episodes(rows: int = 2, frames: int = 64) -> tuple[Episodes, jnp.ndarray]:
    rng = np.random.default_rng(0)
    melody = jnp.asarray(rng.integers(1, 129, (rows, frames)))
    chords = jnp.asarray(rng.integers(1, 253, (rows, frames)))
    at = jnp.broadcast_to(jnp.arange(frames), (rows, frames))
    zeros = jnp.zeros(rows, jnp.int32)
    return Episodes(melody, chords, at % 16, at // 16, jnp.full((rows, frames), -1), zeros, zeros, zeros, zeros + 16), chords


def test_a_window_is_heard_alone():
    """A change in the second half of the episode reaches no window of the first half."""
    given, chords = episodes()
    listener = ear("c", [build_reward("contrastive", "values", SIZES, seed) for seed in (0, 1)], 16, 1.0)
    changed = chords.at[:, 40:].set(5)
    one, other = (np.asarray(heard_windows(listener, c, given.melody)) for c in (chords, changed))
    np.testing.assert_allclose(one[:, :4], other[:, :4], rtol=1e-4, atol=1e-6)
    assert (one[:, -1] != other[:, -1]).all()


def test_what_is_earned_is_the_weighted_sum_of_its_parts():
    given, chords = episodes()
    ears = [ear("d", [build_reward("discriminative", "values", SIZES, 0)], 64, 3.0)]
    free = jnp.ones(chords.shape, bool)
    got = earned(chords, given, free, ears, {"off_bar": 2.0})
    np.testing.assert_allclose(got.reward.sum(axis=1), 3.0 * got.ears["d"] + 2.0 * got.rules["off_bar"], rtol=1e-4)
    assert set(got.rules) == {"invalid", "early_stop", "silence", "repetition", "overlong", "off_bar", "accent", "phrase"}


def test_who_passes_as_a_person_is_paid_more():
    paid = np.asarray(fooled(jnp.array([[0.0, 0.5, 0.99, 1.0]])))[0]
    assert paid[0] == 0.0
    assert (np.diff(paid) > 0).all()
    assert np.isfinite(paid).all()
