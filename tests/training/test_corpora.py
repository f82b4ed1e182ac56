"""What all readers share: bars, chord frames, what is cut and counted, the table of corpora."""

from collections.abc import Callable
from pathlib import Path

import pytest

from schema.chords import Chord
from schema.melody import NoteSpan
from schema.tokens import NUM_CHORDS, STYLES, chord_hold, chord_of, chord_onset, first_break
from training import corpora
from training.corpora import (
    CORPORA,
    Bar,
    ChordChange,
    Conversion,
    CorpusProblem,
    Stretch,
    Tune,
    check_shippable,
    chord_frames,
    convert,
    frame_of,
    known_pieces,
    note_span,
    read_corpora,
    readers,
    stretches,
)

C, G = Chord(0, "maj"), Chord(7, "7")


def bars(count: int, frames: int = 16) -> list[Bar]:
    return [Bar(frames, frames)] * count


def tune(name: str, written: list[Bar], changes: list[ChordChange] | None = None) -> Tune:
    """A note on every beat."""
    frames = sum(bar.frames for bar in written)
    notes = [NoteSpan(at, at + 2, 60 + at % 7) for at in range(0, frames, 4)]
    return Tune(name, "A title", notes, [ChordChange(0, C)] if changes is None else changes, written)


def test_chord_frames():
    """The last of changes in one frame counts, the same chord again is no onset, what began before the start is struck there."""
    changes = [
        ChordChange(-8, G),
        ChordChange(-4, C),
        ChordChange(2, C),
        ChordChange(4, G),
        ChordChange(4, None),
        ChordChange(6, "C4"),
        ChordChange(7, C),
    ]
    values, known = chord_frames(changes, 9)
    assert values.tolist() == [chord_onset(C), *[chord_hold(C)] * 3, 0, 0, 0, chord_onset(C), chord_hold(C)]
    assert known.tolist() == [True] * 6 + [False] + [True] * 2
    assert first_break(values.tolist(), NUM_CHORDS) is None
    assert chord_frames([], 3)[0].tolist() == [0, 0, 0]
    assert chord_frames([ChordChange(5, C)], 3)[0].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (bars(3), [(0, 48, 16)]),
        ([], []),
        ([*bars(2), Bar(12, 16), Bar(4, 16), *bars(1)], [(0, 64, 16)]),  # the last bar of a part and the pickup of the next
        ([*bars(2), Bar(12, 16), *bars(1)], [(0, 44, 16), (44, 60, 16)]),  # a bar cut short ends its run
        ([*bars(2), Bar(8, 8), *bars(2)], [(0, 32, 16), (32, 40, 8), (40, 72, 16)]),  # a change of metre
        ([*bars(1), Bar(20, 16), *bars(1)], [(0, 16, 16), (16, 36, 20), (36, 52, 16)]),  # a bar too long stands alone
        ([*bars(1), Bar(6, 16)], [(0, 22, 16)]),  # the end may be incomplete
        ([Bar(4, 16), Bar(4, 12), Bar(8, 12)], [(0, 4, 16), (4, 16, 12)]),
    ],
)
def test_stretches(written: list[Bar], expected: list[tuple[int, int, int]]):
    """Bars of one metre run on; whatever would put a bar line in the wrong place begins a new stretch. No frame is lost."""
    assert stretches(written) == [Stretch(*stretch) for stretch in expected]


def test_known_pieces():
    """Pieces begin on a bar line and are at least sixteen beats long."""
    _, known = chord_frames([ChordChange(0, C), ChordChange(70, "?"), ChordChange(72, C), ChordChange(120, "?"), ChordChange(121, C)], 250)
    assert known_pieces(known, 16) == [(0, 70), (128, 250)]


def test_frames_round_to_the_nearest():
    """Halves go up wherever they stand; triplet eighths fall on frames 0, 1 and 3; a note lasts at least a frame."""
    assert [frame_of(n / 8) for n in range(5)] == [0, 1, 1, 2, 2]
    assert [frame_of(third / 3) for third in range(3)] == [0, 1, 3]
    assert note_span(1.0, 1.01, 60) == NoteSpan(4, 5, 60)


def test_a_pickup_gets_silence_before_it():
    """A first bar that is too short is filled up in front, notes and chords move along: frame 0 is a bar line."""
    result = Conversion("rs200")
    result.add(tune("x", [Bar(4, 16), *bars(5)], [ChordChange(4, C)]))
    (song,) = result.songs
    assert len(song.melody) == 96
    assert song.melody[:13].tolist() == [0] * 12 + [61]
    assert [chord_of(int(v)) for v in song.chords[14:17]] == [None, None, C]
    assert (song.style, song.title, song.tune) == ("rock", "A title", "rs200/x")


def test_every_frame_is_kept_or_counted():
    """A song is cut at odd bars, metres without whole beats and unknown chords; the parts are named by where they begin."""
    result = Conversion("rs200")
    written = [*bars(5), Bar(14, 14), *bars(5, 12), *bars(9), *bars(1, 12)]
    result.add(tune("x", written, [ChordChange(0, C), ChordChange(154 + 64, "C4"), ChordChange(154 + 80, G)]))
    assert [(song.name, song.beats_per_bar, len(song.melody)) for song in result.songs] == [
        ("rs200/x", 4, 80),
        ("rs200/x+154", 4, 64),
        ("rs200/x+234", 4, 64),
    ]
    assert (result.total_frames, result.kept_frames) == (310, 208)
    assert (result.unmapped_frames, result.unbarred_frames, result.short_frames) == (16, 14, 72)
    assert {song.tune for song in result.songs} == {"rs200/x"}


def test_what_cannot_be_read_is_refused_by_name():
    """One bad tune among good ones costs only itself, whatever is wrong with it."""

    def read(name: str) -> Tune:
        problems = {"file": OSError("no such file"), "type": TypeError(), "key": KeyError("part")}
        if name in problems:
            raise problems[name]
        written = {"slip": bars(6, 18), "short": bars(3), "long metre": bars(2, 52), "nothing": []}.get(name, bars(6))
        return tune(name, written, [ChordChange(0, None)] if name == "no chords" else None)

    names = ["good", "file", "type", "key", "slip", "short", "long metre", "nothing", "no chords", "fine"]
    result = convert("rs200", names, read)
    assert [song.name for song in result.songs] == ["rs200/good", "rs200/fine"]
    assert result.refused == {
        "file": "no such file",
        "type": "TypeError",
        "key": "'part'",
        "slip": "a bar of 18 frames is no whole number of beats from 2 to 12",
        "short": "expected 64 frames of melody with known chords in whole bars, got no such stretch in 48 frames"
        " (0 with a chord outside the vocabulary, 0 in odd bars)",
        "long metre": "a bar of 52 frames is no whole number of beats from 2 to 12",
        "nothing": "expected bars with chords, got none",
        "no chords": "expected bars with chords, got none",
    }
    result.replaced["good"] = "read from another file"
    lines = result.refuse(["empty"], "nothing in it").counts().splitlines()
    assert lines[0] == (
        "rs200 (CC BY 4.0): 2 tunes in 2 pieces, 48 beats; left out 0.00% under a chord outside the vocabulary, "
        "46.90% in odd bars, 10.62% too short; 9 refused, 1 read otherwise than asked"
    )
    assert "  refused empty: nothing in it" in lines
    assert lines[-1] == "  good: read from another file"
    summary = result.summary().splitlines()
    assert summary[0] == lines[0]
    assert summary[1] == "  2 refused: expected bars with chords, got none"
    assert sorted(int(line.split()[0]) for line in summary[1:-1]) == [1] * 7 + [2]
    assert summary[-1] == lines[-1]


def test_a_stretch_without_a_note_is_left_out():
    """Chords without a melody teach nothing: they are counted as too short."""
    result = Conversion("rs200")
    silent = Tune("x", None, [NoteSpan(0, 4, 60)], [ChordChange(0, C), ChordChange(64, "C4"), ChordChange(68, C)], bars(10))
    result.add(silent)
    assert [len(song.melody) for song in result.songs] == [64]
    assert result.short_frames == 160 - 64 - 4


def test_the_table_names_every_corpus_once():
    """Each corpus has a reader, a known style and a licence; weights from GPL or non-commercial corpora are not shipped."""
    assert set(readers()) == set(CORPORA)
    assert all(corpus.style in STYLES[1:] and corpus.licence for corpus in CORPORA.values())
    assert [name for name, corpus in CORPORA.items() if corpus.shippable] == ["pop909", "openewld", "rs200"]
    check_shippable(["pop909", "openewld", "rs200"])
    with pytest.raises(CorpusProblem, match=r"may be given away, got nottingham \(GPL-3.0\), hooktheory \(.*\): leave them out, or"):
        check_shippable(["hooktheory", "pop909", "nottingham"])


@pytest.mark.parametrize("name", list(CORPORA))
def test_a_corpus_that_is_not_there_is_refused(tmp_path: Path, name: str):
    """A missing folder and an empty one: said with what was expected and where."""
    for folder in (tmp_path / "missing", tmp_path):
        with pytest.raises(CorpusProblem, match=rf"expected .* in {folder}.*, got n"):
            readers()[name](folder)


def test_several_corpora_are_read_in_the_order_of_the_table(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """`read_corpora` prints the counts of each; a name that is none is refused before anything is read."""
    seen: list[Path] = []

    def reader(name: str) -> Callable[[Path], Conversion]:
        def read(folder: Path) -> Conversion:
            seen.append(folder)
            return convert(name, ["x"], lambda _: tune("x", bars(6)))

        return read

    monkeypatch.setattr(corpora, "readers", lambda: {name: reader(name) for name in CORPORA})
    assert [result.corpus for result in read_corpora(tmp_path, ["rs200", "pop909"])] == ["pop909", "rs200"]
    assert seen == [tmp_path / "pop909", tmp_path / "rs200"]
    assert [line.partition(" ")[0] for line in capsys.readouterr().out.splitlines()] == ["pop909", "rs200"]
    with pytest.raises(CorpusProblem, match=r"expected names of corpora from pop909, .*, got wikifonia"):
        read_corpora(tmp_path, ["pop909", "wikifonia"])
    assert len(seen) == 2
