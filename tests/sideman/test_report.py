"""Tables and pictures of an evaluation of toy models."""

import io

import msgspec
import pytest
from rich.console import Console

from sideman import evaluate
from sideman.accompany import Way
from sideman.report import AFTER_SILENCE, COLD_START, JUMP, adaptation_table, draw, figures_table, first_ways, recovery
from tests.sideman.evaluated import SONGS, toy
from training.evaluate import Curve

WAYS = [Way(0, 1.0), Way(2, 0.8), Way(2, 0.8, warm=True)]


def made(residents, ways, patch):
    patch.setattr(evaluate, "BEGINNING_BEATS", 16)
    patch.setattr(evaluate, "JUMP_BEATS", 20)
    return evaluate.evaluate(SONGS, residents, ways)


@pytest.fixture(scope="module")
def report():
    """Two live models and an offline one."""
    residents = {"toy": toy(), "toy without metre": toy(), "ears": toy("ears", "offline")}
    with pytest.MonkeyPatch.context() as patch:
        return made(residents, WAYS, patch)


def printed(*tables):
    output = io.StringIO()
    Console(width=144, file=output).print(*tables)
    return output.getvalue()


def test_a_report_has_people_floors_models_and_curves(report):
    assert [(row.name, row.kind, row.way) for row in report.rows] == [
        ("human", "people", ""),
        ("rule, online", "floor", ""),
        ("rule, offline", "floor", ""),
        ("another song's chords", "floor", ""),
        *((name, "live", way.name) for name in ("toy", "toy without metre") for way in WAYS),
        ("ears", "offline", "hears all, T 1"),
        ("ears", "offline", "hears all, T 0.8"),
    ]
    assert {row.measured.frames for row in report.rows} == {96 + 80 + 208 - 3 * 32}
    written = report.rows[0].measured
    assert (written.songs, written.figures.change_on_bar, written.figures.onset_interval_emd) == (3, 1.0, 0.0)
    assert msgspec.json.decode(msgspec.json.encode(report))["adaptation"][COLD_START][1]["value"][0] is None  # a bar late


def test_curves_of_the_short_jams(report):
    """Everybody in all of them; warm starts where there is a silence."""
    live, warm = ["toy", "toy without metre"], ["toy", "toy, warm", "toy without metre", "toy without metre, warm"]
    expected = {COLD_START: (live, 16), AFTER_SILENCE: (warm, 16), JUMP: (live, 20)}
    for jam, (models, beats) in expected.items():
        curves = report.adaptation[jam]
        assert [curve.name for curve in curves] == ["human", "rule, online", "another song's chords", *models, "ears"]
        assert [curve.kind for curve in curves] == ["people", "floor", "floor", *["live"] * len(models), "offline"]
        assert {len(curve.value) for curve in curves} == {beats}
    human = report.adaptation[AFTER_SILENCE][0]
    assert human.value[0] == evaluate.curve("human", "people", evaluate.human(SONGS), 1).value[0]


def test_without_an_offline_model_nothing_is_warm(monkeypatch):
    report = made({"toy": toy()}, WAYS[:1], monkeypatch)
    assert [row.kind for row in report.rows] == ["people", "floor", "floor", "floor", "live"]
    assert [curve.name for curve in report.adaptation[AFTER_SILENCE]] == ["human", "rule, online", "another song's chords", "toy"]


def test_without_a_live_model_there_is_the_one_that_hears_all(monkeypatch, tmp_path):
    report = made({"ears": toy("ears", "offline")}, WAYS[:1], monkeypatch)
    assert [row.kind for row in report.rows] == ["people", "floor", "floor", "floor", "offline"]
    assert "ears" in printed(figures_table(report), adaptation_table(report))
    draw(report, tmp_path)


def test_the_tables_fit_144_columns(report):
    """Every name and figure in full."""
    text = printed(figures_table(report), adaptation_table(report))
    expected = ("toy without metre", "commit 2, T 0.8, warm ", "3 held-out songs (pop909, CL's chords)", "first", "after", "silence")
    assert all(word in text for word in expected)
    assert text.count("another song's chords ") == 2
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 144
    shares = report.rows[4].measured.figures
    line = next(line for line in text.splitlines() if line.startswith(" toy "))
    assert all(figure in line for figure in (f"{shares.note_in_chord:.3f}", f"{shares.first_bar:.3f}", f"{shares.steps_per_plan:.2f}"))


def test_the_table_says_whose_chords_people_s_are(report):
    own = msgspec.structs.replace(report, pop909_chords="chord_midi", corpora=["nottingham", "pop909"])
    assert "3 held-out songs (nottingham; pop909, chord_midi)" in printed(figures_table(own))


def test_names_that_are_in_one_jam_only_have_blanks_elsewhere(report):
    line = next(line for line in printed(adaptation_table(report)).splitlines() if line.startswith(" toy, warm"))
    assert len(line.split()) == 2 + 3  # two words, and three spans in which there are beats


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.9] * 8 + [0.5] * 8 + [0.0, 0.4, 1.0], 0.8),  # not the beginning, not the beat in which nobody can know
        ([0.5] * 16 + [0.0, float("nan"), 1.0], None),
        ([0.0] * 19, None),
        ([0.5] * 16, None),
    ],
)
def test_who_is_back_a_beat_after_the_jump(values, expected):
    curve = Curve("a model", "live", values, values, values)
    assert recovery(curve) == (None if expected is None else pytest.approx(expected))


def test_nobody_who_did_not_play_is_back():
    assert recovery(None) is None


def test_what_the_histogram_shows(report):
    """People, the rule that plays along, and the first way of each model."""
    assert {name: row.way for name, row in first_ways(report).items()} == {
        "human": "",
        "rule, online": "",
        "toy": "commit 0, T 1",
        "toy without metre": "commit 0, T 1",
        "ears": "hears all, T 1",
    }


def test_pictures_of_a_report(report, tmp_path):
    draw(report, tmp_path / "new" / "folder")
    assert {path.name for path in (tmp_path / "new" / "folder").iterdir()} == {"cold_start.png", "jump.png", "chord_lengths.png"}
