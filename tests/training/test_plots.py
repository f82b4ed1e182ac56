"""The pictures: files that can be opened, with every name and unit in them."""

import pytest
from matplotlib.image import imread
from matplotlib.text import Text

from training import plots
from training.evaluate import Curve

NAN = float("nan")
CURVES = [
    Curve("human", "people", [0.8, 1.0, 0.7, 0.9], [0.7, 0.9, 0.6, 0.8], [0.9, 1.0, 0.8, 1.0]),
    Curve("a floor", "floor", [NAN, NAN, 0.4, 0.5], [NAN, NAN, 0.3, 0.4], [NAN, NAN, 0.5, 0.6]),
    Curve("a model", "live", [0.2, 0.5, 0.0, 0.6], [0.1, 0.4, 0.0, 0.5], [0.3, 0.6, 0.1, 0.7]),
    Curve("another", "offline", [0.6, 0.7, 0.6, 0.6], [0.5, 0.4, 0.5, 0.5], [0.7, 0.8, 0.7, 0.7]),
]
WARM = Curve("a model, warm", "live", [0.5, 0.5, 0.4, 0.6], [0.1, 0.4, 0.0, 0.5], [0.6, 0.6, 0.5, 0.7])
HUMAN = plots.Lengths("human", "people", [0.0] * 8 + [0.6] + [0.0] * 7 + [0.4] + [0.0] * 17)


@pytest.fixture
def words(monkeypatch):
    """All words of the figures that are saved."""
    result = []
    save = plots.save

    def saved(figure, path):
        save(figure, path)
        result.extend(text.get_text() for text in figure.findobj(Text) if text.get_visible())

    monkeypatch.setattr(plots, "save", saved)
    return result


def assert_picture(path):
    height, width, _ = imread(path).shape
    assert 400 < height < 3000
    assert 600 < width < 3000


def test_the_cold_start(tmp_path, words):
    """Two panels and one legend, in which each name stands once; an offline model is said to hear all."""
    plots.draw_cold_start(tmp_path / "cold.png", {"at once": CURVES, "later": [*CURVES, WARM]}, "4 songs")
    assert_picture(tmp_path / "cold.png")
    assert words.count("beats since the chords began") == 2
    assert {"at once", "later", "note in chord (share of frames)", "mean of 4 songs; bands: 95 % confidence"} <= {*words}
    named = [word for word in words if word in ("human", "a floor", "a model", "a model, warm", "another (hears all)")]
    assert sorted(named) == ["a floor", "a model", "a model, warm", "another (hears all)", "human"]


def test_a_name_has_one_colour_in_all_panels(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(plots, "save", lambda figure, path: figures.append(figure))
    plots.draw_cold_start(tmp_path / "cold.png", {"at once": CURVES, "later": [CURVES[0], WARM, *CURVES[1:]]}, "4 songs")
    colours = [{line.get_label(): line.get_color() for line in axes.get_lines()} for axes in figures[0].axes]
    assert colours[0].items() <= colours[1].items()
    assert colours[1].pop("a model, warm") == colours[1]["a model"], "a warm start has its model's"
    assert len(set(colours[1].values())) == 4


def test_the_jump(tmp_path, words):
    plots.draw_jump(tmp_path / "jump.png", CURVES, "4 songs", (2, 6))
    assert_picture(tmp_path / "jump.png")
    assert {"+6 semitones", "a model", "another (hears all)", "beats since the melody began"} <= {*words}


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_lengths(tmp_path, words, count):
    """A panel for each; the last of an odd number stands alone."""
    others = [plots.Lengths(f"model {index}", ("floor", "live", "offline")[index], HUMAN.shares[::-1]) for index in range(count)]
    plots.draw_lengths(tmp_path / "lengths.png", HUMAN, others, "4 songs")
    assert_picture(tmp_path / "lengths.png")
    named = ("model 0", "model 1", "model 2 (hears all)")[:count]
    assert {"human", ">8", "length in beats", "share of chords", *named} <= {*words}
    assert words.count("human") == count
