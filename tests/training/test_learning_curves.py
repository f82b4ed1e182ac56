"""The picture of a run's learning: what is drawn, and what is said when there is nothing to draw."""

import msgspec
import pytest
from matplotlib.image import imread

from training.learning_curves import NoCurves, draw, panels, read_curves, smoothed
from training.train_rl import CURVES_NAME, Curve

EARS = {"ear contrastive-values-16": 0.3, "ear contrastive-values-256": 0.6, "ear discriminative-rhythm-256": 0.7}
RULES = {"rule accent": -2.0, "rule invalid": 0.0, "rule off_bar": -0.5}
TOLD = {"reward": 80.0, "entropy": 0.2, "divergence": 0.07} | EARS | RULES
MUSIC = {"note_in_chord": 0.4, "note_in_chord_by_song": 0.4, "silent_share": 0.0, "overlong_share": 0.1, "length_entropy": 1.5}
NAN = float("nan")


def curve(step: int, **told: float) -> Curve:
    return Curve(step, 2.0, 0.3, TOLD | told, MUSIC)


def written(folder, *curves: Curve):
    folder.joinpath(CURVES_NAME).write_bytes(b"\n".join(msgspec.json.encode(line) for line in curves))
    return folder


def test_a_run_that_resumed_counts_each_step_once(tmp_path):
    """What was written before it stopped is replaced by what came of the same step afterwards."""
    run = written(tmp_path, curve(10), curve(20, reward=1.0), curve(20, reward=2.0), curve(30))
    assert [(line.step, line.told["reward"]) for line in read_curves(run)] == [(10, 80.0), (20, 2.0), (30, 80.0)]


def test_reward_models_stand_by_what_they_hear_and_idle_rules_not_at_all():
    shown = panels([curve(10), curve(20)])
    assert list(shown["contrastive reward models, mean cosine"]) == ["64 beats", "4 beats"]
    assert shown["contrastive reward models, mean cosine"]["4 beats"] == [0.3, 0.3]
    assert list(shown["discriminative reward models, mean probability"]) == ["64 beats, rhythm"]
    assert list(shown["rules, cost of an episode before weights"]) == ["accent", "off bar"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1.0, 3.0, 5.0, 7.0], [1.0, 2.0, 4.0, 6.0]), ([NAN, 2.0, NAN, 4.0], [NAN, 2.0, 2.0, 4.0]), ([], [])],
)
def test_smooth_lines_are_means_of_what_came_before(values, expected):
    assert smoothed(values, 2) == pytest.approx(expected, nan_ok=True)


def test_the_picture(tmp_path):
    draw(read_curves(written(tmp_path, curve(10), curve(20))), "a run", tmp_path / "learning.png")
    height, width, _ = imread(tmp_path / "learning.png").shape
    assert (height, width) == (1728, 1584)


@pytest.mark.parametrize("content", [None, b"", b"{}"])
def test_without_curves_it_says_what_to_do(tmp_path, content):
    if content is not None:
        (tmp_path / CURVES_NAME).write_bytes(content)
    with pytest.raises(NoCurves, match=r"expected the lines that train_rl writes in .*curves.jsonl, got .*: name the --out of a run"):
        read_curves(tmp_path)
