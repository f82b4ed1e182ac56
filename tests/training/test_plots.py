"""The pictures: files that can be opened, with every name and unit in them."""

import pytest
from matplotlib.image import imread
from matplotlib.text import Text

from training import plots
from training.evaluate import Curve

NAN = float("nan")
CURVES = [
    Curve("human", False, [0.8, 1.0, 0.7, 0.9], [0.7, 0.9, 0.6, 0.8], [0.9, 1.0, 0.8, 1.0]),
    Curve("a floor", False, [NAN, NAN, 0.4, 0.5], [NAN, NAN, 0.3, 0.4], [NAN, NAN, 0.5, 0.6]),
    Curve("a model", True, [0.2, 0.5, 0.0, 0.6], [0.1, 0.4, 0.0, 0.5], [0.3, 0.6, 0.1, 0.7]),
]
HUMAN = plots.Lengths("human", [0.0] * 8 + [0.6] + [0.0] * 7 + [0.4] + [0.0] * 17, live=False)


@pytest.fixture
def words(monkeypatch):
    """All words of the figures that are saved."""
    result = []
    save = plots._save

    def saved(figure, path):
        save(figure, path)
        result.extend(text.get_text() for text in figure.findobj(Text) if text.get_visible())

    monkeypatch.setattr(plots, "_save", saved)
    return result


def assert_picture(path):
    height, width, _ = imread(path).shape
    assert 400 < height < 3000
    assert 600 < width < 3000


def test_the_cold_start(tmp_path, words):
    plots.draw_cold_start(tmp_path / "cold.png", CURVES, "4 songs")
    assert_picture(tmp_path / "cold.png")
    assert {"human", "a floor", "a model", "beats since the melody began", "note in chord (share of frames)"} <= {*words}
    assert "mean of 4 songs; bands: 95 % confidence" in words


def test_the_jump(tmp_path, words):
    plots.draw_jump(tmp_path / "jump.png", CURVES, "4 songs", (2, 6))
    assert_picture(tmp_path / "jump.png")
    assert {"+6 semitones", "a model", "beats since the melody began"} <= {*words}


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_lengths(tmp_path, words, count):
    """A panel for each; the last of an odd number stands alone."""
    others = [plots.Lengths(f"model {index}", HUMAN.shares[::-1], live=bool(index)) for index in range(count)]
    plots.draw_lengths(tmp_path / "lengths.png", HUMAN, others, "4 songs")
    assert_picture(tmp_path / "lengths.png")
    assert {"human", ">8", "length in beats", "share of chords", *(f"model {index}" for index in range(count))} <= {*words}
    assert words.count("human") == count
