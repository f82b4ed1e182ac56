"""`sideman evaluate` over a toy engine: who plays what, what is measured, the table, the options; slow: the whole command."""

import argparse
import io

import msgspec
import numpy as np
import pytest
from rich.console import Console

from inference.loop import Resident
from inference.planner import Bucket
from inference.toy_engine import ToyEngine
from schema.chords import parse_symbol
from schema.engine_messages import ModelInfo
from schema.tokens import NOTHING, NUM_CHORDS, chord_hold, chord_onset, first_break, note_hold, note_onset
from sideman import evaluate
from sideman.cli import main
from sideman.evaluate import COLD_START, DEFAULT_WAYS, JUMP, Report, Way, accompany, floors, held_out, human, names, opening, ways_of
from tests.tiny_corpus import TEST, write_tiny_corpus
from training.corpora import CorpusProblem, Song

BUCKETS = (Bucket(1, 1, 4), Bucket(4, 1, 1), Bucket(4, 1, 4), Bucket(4, 64, 1))
C, F = parse_symbol("C").chord, parse_symbol("F").chord


def song(name="test/a", frames=96, pitch=60, beats_per_bar=4):
    """A note a beat, a chord a bar."""
    bar = 4 * beats_per_bar
    melody = [(note_hold if f % 4 else note_onset)(pitch + f // 4 % 5) for f in range(frames)]
    chords = [(chord_hold if f % bar else chord_onset)((C, F)[f // bar % 2]) for f in range(frames)]
    return Song(name, "pop909", "pop", beats_per_bar, np.array(melody, np.int16), np.array(chords, np.int16))


SONGS = [song(), song("test/b", frames=80, pitch=62), song("test/c", frames=208, pitch=55, beats_per_bar=3)]


@pytest.fixture
def resident():
    return Resident(ModelInfo("toy", "online", 0.8), ToyEngine(4), BUCKETS)


def parsed(*options):
    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    return parser.parse_args(["--data", "none", *options])


def test_models_play_every_song_to_its_end(resident):
    """Silence, then chords in every frame; the grammar holds; plans are counted per song."""
    for played, heard in zip(SONGS, accompany(resident, SONGS, Way(2, 1.0)), strict=True):
        assert len(heard.chords) == len(played.melody)
        assert heard.first == 32
        assert not heard.chords[:32].any()
        assert heard.chords[32] != NOTHING
        assert first_break(heard.chords.tolist(), NUM_CHORDS) is None
        assert heard.planning.plans == len(played.melody) - 27  # one a tick, from the first plan that can sound at frame 32
        assert heard.planning.steps >= heard.planning.plans // 2
        assert heard.planning.overlap >= heard.planning.revised > 0


def test_a_primed_model_goes_on_from_the_human_chords(resident):
    heard = accompany(resident, SONGS[:1], Way(0, 1.0, primed=True))[0]
    assert heard.chords[:32].tolist() == SONGS[0].chords[:32].tolist()
    assert len(heard.chords) == len(SONGS[0].melody)


def test_more_songs_than_fit_side_by_side_play_one_group_after_the_other(resident, monkeypatch):
    """Each sounds as before: seeds go with the song's place."""
    together = accompany(resident, SONGS, Way(0, 1.0))
    monkeypatch.setattr(evaluate, "SIDE_BY_SIDE", 2)
    for one, other in zip(together, accompany(resident, SONGS, Way(0, 1.0)), strict=True):
        assert one.chords.tolist() == other.chords.tolist()


def test_a_wrong_metre_is_half_a_bar_of_rest_that_is_not_judged(resident, monkeypatch):
    """The session hears everything two beats later (one in 3/4); what is measured is on the song's own grid, after as long a silence."""
    told = []
    make = evaluate.Player

    def player(played, *args, **options):
        told.append(played)
        return make(played, *args, **options)

    monkeypatch.setattr(evaluate, "Player", player)
    heard = accompany(resident, SONGS, Way(0, 1.0, wrong_metre=True))
    for rest, original, shifted, result in zip((8, 8, 4), SONGS, told, heard, strict=True):
        assert not shifted.melody[:rest].any()
        assert shifted.melody[rest:].tolist() == original.melody.tolist()
        assert len(result.chords) == len(original.melody)
        assert not result.chords[:32].any()
        assert result.chords[32] != NOTHING


def test_floors_on_tiny_songs():
    """The next song's chords, repeated where it is shorter; rules on the song itself."""
    heard = floors(SONGS[:2])
    assert heard["another song's chords"][1].chords.tolist() == SONGS[0].chords[:80].tolist()
    assert heard["another song's chords"][0].chords.tolist() == [*SONGS[1].chords.tolist(), *SONGS[1].chords[:16].tolist()]
    online, offline = heard["rule, online"][0], heard["rule, offline"][0]
    assert not online.chords[:16].any()
    assert offline.chords[0] != NOTHING
    assert {each.first for of_name in heard.values() for each in of_name} == {32}
    assert [each.chords.tolist() for each in human(SONGS, 0)] == [each.chords.tolist() for each in SONGS]


def test_the_opening_with_and_without_a_jump():
    plain, jumped = opening(SONGS[0], 20), opening(SONGS[0], 20, 16)
    assert plain.melody.tolist() == SONGS[0].melody[:80].tolist()
    assert jumped.melody[:64].tolist() == plain.melody[:64].tolist()
    assert ((jumped.melody - plain.melody)[64:] == 6).all()
    assert jumped.chords[64] == chord_onset(parse_symbol("F#").chord)


@pytest.fixture
def report(resident, monkeypatch):
    monkeypatch.setattr(evaluate, "COLD_START_BEATS", 16)
    monkeypatch.setattr(evaluate, "JUMP_BEATS", 20)
    return evaluate.evaluate(SONGS, {"toy": resident}, [Way(0, 1.0), Way(2, 0.8)])


def test_a_report_has_people_floors_models_and_curves(report):
    assert [(row.name, row.way) for row in report.rows] == [
        ("human", ""),
        ("rule, online", ""),
        ("rule, offline", ""),
        ("another song's chords", ""),
        ("toy", "commit 0, T 1"),
        ("toy", "commit 2, T 0.8"),
    ]
    written = report.rows[0].measured
    assert (written.songs, written.frames) == (3, 96 + 80 + 208 - 3 * 32)
    assert (written.figures.change_on_bar, written.figures.onset_interval_emd) == (1.0, 0.0)
    assert {jam: [(c.name, c.live, len(c.value)) for c in curves] for jam, curves in report.adaptation.items()} == {
        jam: [("human", False, n), ("rule, online", False, n), ("another song's chords", False, n), ("toy", True, n)]
        for jam, n in ((COLD_START, 16), (JUMP, 20))
    }
    assert msgspec.json.decode(msgspec.json.encode(report))["adaptation"][COLD_START][1]["value"][0] is None  # a bar late


def test_the_table_fits_130_columns(report):
    """Every name and figure in full."""
    output = io.StringIO()
    Console(width=130, file=output).print(evaluate.figures_table(report), evaluate.adaptation_table(report))
    text = output.getvalue()
    assert all(word in text for word in ("another song's chords", "commit 2, T 0.8", "3 held-out songs (pop909)", "overlong", "revised"))
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 130
    shares = report.rows[4].measured
    line = next(line for line in text.splitlines() if line.startswith(" toy"))
    assert f"{shares.figures.note_in_chord:.3f}" in line
    assert f"{shares.figures.steps_per_plan:.2f}" in line


def test_pictures_of_a_report(report, tmp_path):
    evaluate.draw(report, tmp_path / "new" / "folder")
    assert {path.name for path in (tmp_path / "new" / "folder").iterdir()} == {"cold_start.png", "jump.png", "chord_lengths.png"}


def test_ways():
    """As ever if nothing is named; else what is named."""
    assert ways_of(parsed()) == [*DEFAULT_WAYS]
    assert [way.name for way in DEFAULT_WAYS] == [
        "commit 0, T 1",
        "commit 2, T 1",
        "commit 4, T 1",
        "commit 0, T 1, primed",
        "commit 2, T 0.8",
    ]
    assert ways_of(parsed("--commit", "2", "--commit", "3")) == [Way(2, 1.0), Way(3, 1.0)]
    assert ways_of(parsed("--temperature", "0")) == [Way(0, 0.0), Way(2, 0.0), Way(4, 0.0)]
    assert ways_of(parsed("--primed", "--commit", "1")) == [Way(1, 1.0), Way(1, 1.0, primed=True)]
    assert ways_of(parsed("--wrong-metre"))[-1].name == "commit 0, T 1, wrong metre"


@pytest.mark.parametrize("options", [["--commit", "5"], ["--temperature", "2.5"], ["--songs", "0"], ["--corpus", "jazz"]], ids=" ".join)
def test_what_cannot_be_played_is_refused(capsys, options):
    with pytest.raises(SystemExit) as end:
        parsed(*options)
    assert end.value.code == 2
    assert f"argument {options[0]}: " in capsys.readouterr().err


def test_checkpoints_are_called_by_their_folders(tmp_path):
    a, b, c = tmp_path / "x" / "online", tmp_path / "y" / "online", tmp_path / "y" / "rl"
    assert names([a, c]) == {"online": a, "rl": c}
    assert names([a, b, c]) == {str(a): a, str(b): b, "rl": c}


def test_held_out_songs(tmp_path):
    write_tiny_corpus(tmp_path)
    assert [song.name for song in held_out(tmp_path, ["pop909"])] == [f"pop909/{number}" for number in TEST]
    with pytest.raises(CorpusProblem, match="openewld"):
        held_out(tmp_path, ["openewld"])


def test_without_matplotlib_pictures_are_refused_before_anything_else(capsys, monkeypatch):
    monkeypatch.setattr(evaluate, "find_spec", lambda _: None)
    assert main(["evaluate", "--data", "none", "--plots", "none"]) == 2
    assert capsys.readouterr().err.startswith("sideman evaluate: expected matplotlib for --plots, got none installed: ")


@pytest.mark.slow
def test_the_whole_command(tiny_checkpoint, tmp_path, monkeypatch, capsys):
    """A made-up corpus, a tiny checkpoint: table, JSON and pictures."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("jax.config.update", lambda *_: None)  # the tests keep no compiled programs
    write_tiny_corpus(tmp_path)
    options = [
        "--checkpoint",
        str(tiny_checkpoint),
        "--commit",
        "2",
        "--json",
        str(tmp_path / "a.json"),
        "--plots",
        str(tmp_path / "plots"),
    ]
    assert main(["evaluate", "--data", str(tmp_path), *options]) == 0
    assert "tiny" in capsys.readouterr().out
    report = msgspec.json.decode((tmp_path / "a.json").read_bytes())
    assert [row["way"] for row in report["rows"]] == ["", "", "", "", "commit 2, T 1"]
    assert set(report) == set(Report.__struct_fields__)
    assert len([*(tmp_path / "plots").glob("*.png")]) == 3
