"""`sideman evaluate`: what is played, the options; slow: the whole command."""

import argparse
from dataclasses import replace

import msgspec
import pytest

from inference.errors import SameName
from schema.chords import parse_symbol
from schema.tokens import chord_onset
from sideman import evaluate
from sideman.cli import main
from sideman.evaluate import DEFAULT_WAYS, NoOfflineModel, Way, held_out, jams, names, opening, playable, spread, ways_of
from sideman.report import AFTER_SILENCE, COLD_START, JUMP, Report
from tests.sideman.evaluated import SONGS, song, toy
from tests.tiny_corpus import TEST, TRAIN, write_tiny_corpus
from training.corpora import CORPORA, CorpusProblem


def parsed(*options):
    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    return parser.parse_args(["--data", "none", *options])


# ---- what is played ----


def test_the_opening_with_and_without_a_jump():
    plain, jumped = opening(SONGS[0], 20), opening(SONGS[0], 20, 16)
    assert plain.melody.tolist() == SONGS[0].melody[:80].tolist()
    assert jumped.melody[:64].tolist() == plain.melody[:64].tolist()
    assert ((jumped.melody - plain.melody)[64:] == 6).all()
    assert jumped.chords[64] == chord_onset(parse_symbol("F#").chord)


def test_short_jams():
    """Judged beats, silence before them, and as much of the song as both together."""
    made = jams([song(frames=400)])
    assert {name: (jam.beats, jam.silence_beats, len(jam.songs[0].melody)) for name, jam in made.items()} == {
        COLD_START: (32, 0, 128),
        AFTER_SILENCE: (32, 8, 160),
        JUMP: (48, 0, 192),
    }


def test_few_songs_are_spread_over_the_names():
    songs = [song(f"test/{letter}") for letter in "cabfed"]
    assert [each.name[-1] for each in spread(songs, 3)] == ["a", "c", "e"]
    assert [each.name[-1] for each in spread(songs, 4)] == ["a", "b", "d", "e"]
    assert [each.name[-1] for each in spread(songs, 0)] == [each.name[-1] for each in spread(songs, 9)] == [*"abcdef"]
    assert spread([], 3) == []


def test_held_out_songs(tmp_path, capsys):
    """Converted once; nothing is printed."""
    write_tiny_corpus(tmp_path)
    for _ in range(2):
        found = held_out(tmp_path, ["pop909"], cache=tmp_path / "cache")
        assert [song.name for song in found] == [f"pop909/{number}" for number in TEST]
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {"pop909-cl.npy", "pop909-cl.json"}
    assert capsys.readouterr().out == ""
    with pytest.raises(CorpusProblem, match="OpenEWLD"):
        held_out(tmp_path, ["openewld"], cache=tmp_path / "cache")


def test_whose_chords(tmp_path):
    write_tiny_corpus(tmp_path)
    held_out(tmp_path, ["pop909"], cache=tmp_path / "cache", pop909_chords="chord_midi")
    assert {path.stem for path in (tmp_path / "cache").iterdir()} == {"pop909-chord_midi"}


class Folders(dict):
    """Songs of each corpus, as if they were on disk; `asked` has what was read."""

    def __init__(self, data):
        self.data, self.asked = data, []

    def __setitem__(self, name, songs):
        (self.data / CORPORA[name].folder).mkdir()
        super().__setitem__(name, [replace(each, corpus=name, name=f"{name}/{each.name}") for each in songs])

    def read(self, data, names, cache, *, pop909_chords):
        self.asked.append(names)
        return [each for name in names for each in self[name]]


@pytest.fixture
def corpora(tmp_path, monkeypatch):
    result = Folders(tmp_path)
    monkeypatch.setattr(evaluate, "cached_songs", result.read)
    return result


def tunes(*letters):
    """Songs that are alike in their titles only."""
    return [replace(song(letter), title=f"tune {letter}", melody=song().melody * 0) for letter in letters]


def test_the_split_is_that_of_training_with_nottingham(tmp_path, corpora):
    """All of Nottingham is for the test, and so are tunes of other corpora that it has too, whether or not Nottingham is asked for."""
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    corpora["openewld"] = tunes(*letters)
    before = {each.name for each in held_out(tmp_path, ["openewld"], cache=tmp_path)}
    trained_on = next(letter for letter in letters if f"openewld/{letter}" not in before)
    corpora["nottingham"] = tunes(trained_on, "another")
    after = {each.name for each in held_out(tmp_path, ["openewld"], cache=tmp_path)}
    assert after == before | {f"openewld/{trained_on}"}
    assert {each.corpus for each in held_out(tmp_path, ["nottingham"], cache=tmp_path)} == {"nottingham"}
    assert len(held_out(tmp_path, ["nottingham"], cache=tmp_path)) == 2


def test_a_song_of_pop909_that_the_first_weights_saw_is_not_held_out(tmp_path, corpora):
    """They were trained on POP909 alone, where nothing told of the variant in Nottingham."""
    corpora["pop909"] = tunes(*TRAIN, *TEST)
    corpora["nottingham"] = tunes(TRAIN[0])
    assert [each.name for each in held_out(tmp_path, ["pop909"], cache=tmp_path)] == [f"pop909/{number}" for number in TEST]


def test_a_corpus_that_is_not_trained_on_takes_no_part_in_the_split_of_others(tmp_path, corpora):
    corpora["pop909"] = tunes(*TEST)
    corpora["hooktheory"] = tunes("a")
    held_out(tmp_path, ["pop909"], cache=tmp_path)
    assert corpora.asked == [["pop909"]]


# ---- options ----


def test_ways():
    """As ever if nothing is named; else what is named."""
    assert ways_of(parsed()) == [*DEFAULT_WAYS]
    assert [way.name for way in DEFAULT_WAYS] == [
        "commit 0, T 1",
        "commit 2, T 1",
        "commit 4, T 1",
        "commit 0, T 1, primed",
        "commit 0, T 1, warm",
        "commit 2, T 0.8",
        "commit 2, T 0.8, warm",
    ]
    assert ways_of(parsed("--commit", "2", "--commit", "3")) == [Way(2, 1.0), Way(3, 1.0)]
    assert ways_of(parsed("--temperature", "0")) == [Way(0, 0.0), Way(2, 0.0), Way(4, 0.0)]
    assert ways_of(parsed("--primed", "--commit", "1")) == [Way(1, 1.0), Way(1, 1.0, primed=True)]
    assert ways_of(parsed("--warm", "--primed", "--commit", "1")) == [Way(1, 1.0), Way(1, 1.0, primed=True), Way(1, 1.0, warm=True)]
    assert ways_of(parsed("--warm"))[3:] == [Way(commit, 1.0, warm=True) for commit in (0, 2, 4)]
    assert ways_of(parsed("--wrong-metre"))[-1].name == "commit 0, T 1, wrong metre"


def test_warm_ways_need_an_offline_model_of_another_name():
    ways = [Way(0, 1.0), Way(0, 1.0, warm=True)]
    assert playable(ways, {"toy": toy()}, insist=False) == ways[:1]
    assert playable(ways, {"toy": toy(), "ears": toy("ears", "offline")}, insist=True) == ways
    with pytest.raises(NoOfflineModel, match="expected an offline model for --warm, got live ones only"):
        playable(ways, {"toy": toy()}, insist=True)
    with pytest.raises(SameName):
        playable(ways, {"a/toy": toy(), "b/toy": toy("toy", "offline")}, insist=False)


@pytest.mark.parametrize(
    "options",
    [["--commit", "5"], ["--temperature", "2.5"], ["--songs", "0"], ["--corpus", "jazz"], ["--pop909-chords", "audio"]],
    ids=" ".join,
)
def test_what_cannot_be_played_is_refused(capsys, options):
    with pytest.raises(SystemExit) as end:
        parsed(*options)
    assert end.value.code == 2
    assert f"argument {options[0]}: " in capsys.readouterr().err


def test_checkpoints_are_called_by_their_folders(tmp_path):
    a, b, c = tmp_path / "x" / "online", tmp_path / "y" / "online", tmp_path / "y" / "rl"
    assert names([a, c]) == {"online": a, "rl": c}
    assert names([a, b, c]) == {str(a): a, str(b): b, "rl": c}


def test_the_shipped_checkpoints_are_evaluated_where_they_are_there(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "SHIPPED_CHECKPOINTS", (tmp_path / "a", tmp_path / "b"))
    (tmp_path / "b").mkdir()
    assert evaluate.shipped() == [tmp_path / "b"]


def test_without_matplotlib_pictures_are_refused_before_anything_else(capsys, monkeypatch):
    monkeypatch.setattr(evaluate, "find_spec", lambda _: None)
    assert main(["evaluate", "--data", "none", "--plots", "none"]) == 2
    assert capsys.readouterr().err.startswith("sideman evaluate: expected matplotlib for --plots, got none installed: ")


@pytest.mark.slow
def test_the_whole_command(tiny_checkpoint, tiny_offline_checkpoint, tmp_path, monkeypatch, capsys):
    """A made-up corpus, tiny checkpoints, live and offline: table, JSON and pictures."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("jax.config.update", lambda *_: None)  # the tests keep no compiled programs
    write_tiny_corpus(tmp_path)
    options = ["--commit", "2", "--warm", "--json", str(tmp_path / "a.json"), "--plots", str(tmp_path / "plots")]
    checkpoints = ["--checkpoint", str(tiny_checkpoint), "--checkpoint", str(tiny_offline_checkpoint)]
    assert main(["evaluate", "--data", str(tmp_path), *checkpoints, *options]) == 0
    assert "tiny-offline" in capsys.readouterr().out
    report = msgspec.json.decode((tmp_path / "a.json").read_bytes())
    ways = [row["way"] for row in report["rows"]]
    assert ways == ["", "", "", "", "commit 2, T 1", "commit 2, T 1, warm", "hears all, T 1"]
    assert report["rows"][4]["measured"]["figures"] != report["rows"][5]["measured"]["figures"]
    assert set(report) == set(Report.__struct_fields__)
    assert len([*(tmp_path / "plots").glob("*.png")]) == 3
