"""Written scores: the order in which measures sound, ties, and what a chord is the first and the second time."""

from fractions import Fraction

import pytest

from schema.chords import Chord
from schema.melody import NoteSpan
from training.corpora import Bar, ChordChange, CorpusProblem
from training.scores import Measure, WrittenChord, WrittenNote, play_order, tune_of

C, G = Chord(0, "maj"), Chord(7, "maj")


def written(text: str) -> list[Measure]:
    """Measures from signs: `|` begins one, `<` and `>` are repeat signs, digits the times of an ending."""
    return [
        Measure(
            Fraction(4),
            Fraction(4),
            forward="<" in signs,
            backward=">" in signs,
            endings=frozenset(int(sign) for sign in signs if sign.isdigit()),
        )
        for signs in text.split("|")[1:]
    ]


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("", []),
        ("| | ", [0, 1]),
        ("| |>| ", [0, 1, 0, 1, 2]),
        ("| |<|>| ", [0, 1, 2, 1, 2, 3]),
        ("|>| |>", [0, 0, 1, 2, 1, 2]),
        ("| |1>|2| ", [0, 1, 0, 2, 3]),
        ("| |1>|2", [0, 1, 0, 2]),
        ("| |1|1>|2|2| |>", [0, 1, 2, 0, 3, 4, 5, 6, 5, 6]),
        ("| |12>|3| ", [0, 1, 0, 1, 0, 2, 3]),
        ("| |1>|2>|3| ", [0, 1, 0, 2, 0, 3, 4]),
        ("| |1>| | ", [0, 1, 0, 2, 3]),  # a first ending alone
        ("| |1|2", [0, 1, 0, 2]),  # no sign between two endings
        ("|<|1>|2>|<|1>|2>", [0, 1, 0, 2, 3, 4, 3, 5]),
    ],
)
def test_play_order(text: str, order: list[int]):
    """Repeats are played twice, endings at their times, and nothing is left out or played three times."""
    assert play_order(written(text)) == order


def test_repeats_that_never_end_are_refused():
    with pytest.raises(CorpusProblem, match="expected repeats that end, got more than 5000 measures"):
        play_order([*written("| |>|9"), Measure(Fraction(4), Fraction(4), endings=frozenset({99999}))])


def test_tune_of():
    """Tied notes of one pitch that meet are one; a chord may differ the second time; positions add up before they are rounded."""
    third = Fraction(1, 3)
    first = Measure(
        Fraction(4),
        Fraction(4),
        [WrittenNote(third * i, third, 60) for i in range(3)] + [WrittenNote(Fraction(2), Fraction(2), 64, tied=True)],
        [WrittenChord(Fraction(0), (C, G))],
    )
    second = Measure(Fraction(4), Fraction(2), [WrittenNote(Fraction(0), Fraction(2), 64, tied=True)])
    tune = tune_of("x", "X", [first, second, first, Measure(Fraction(4))])
    assert tune.notes == [
        *(NoteSpan(start, end, 60) for start, end in ((0, 1), (1, 3), (3, 4))),
        NoteSpan(8, 24, 64),
        *(NoteSpan(start, end, 60) for start, end in ((24, 25), (25, 27), (27, 28))),
        NoteSpan(32, 40, 64),
    ]
    assert tune.changes == [ChordChange(0, C), ChordChange(24, G)]
    assert tune.bars == [Bar(16, 16), Bar(8, 16), Bar(16, 16)]
    assert tune_of("x", None, []).notes == []
