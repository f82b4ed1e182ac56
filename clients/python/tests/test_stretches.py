"""Melodies of any length in stretches that fit: every frame gets one chord, and every stretch begins on a bar line."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sideman_client.generated.messages import MAX_HISTORY_FRAMES, ChordRun, Harmonize, MelodyRun
from sideman_client.stretches import CONTEXT_FRAMES, HEARD_AHEAD_FRAMES, Stretches


def answer(message: Harmonize, length: int) -> list[ChordRun]:
    """What was given, then chords of `length` frames, the first of them a hold if something was given."""
    runs = [ChordRun(run.start, run.length, run.symbol, [], run.onset) for run in message.chords]
    known = sum(run.length for run in message.chords)
    for start in range(known, message.frames, length):
        onset = start > known or not runs
        symbol = "CFG"[start % 3] if onset else runs[-1].symbol
        runs.append(ChordRun(start, min(length, message.frames - start), symbol, [60], onset))
    return runs


def stretched(stretches: Stretches, length: int = 8) -> list[Harmonize]:
    """All messages of a melody, answered."""
    messages = []
    while not stretches.done:
        messages.append(stretches.message(len(messages)))
        stretches.take(answer(messages[-1], length))
    return messages


def check(stretches: Stretches, messages: list[Harmonize], bar: int, bar_line: int) -> None:
    end = 0
    for run in stretches.chords:
        assert run.start == end
        assert run.length > 0
        end += run.length
    assert end == stretches.num_frames
    for one, other in zip(stretches.chords, stretches.chords[1:], strict=False):
        assert other.onset or other.symbol != one.symbol
    for message in messages:
        assert 1 <= message.frames <= MAX_HISTORY_FRAMES
        assert message.bar_line < bar
        known = 0
        for run in message.chords:
            assert run.start == known
            known += run.length
        assert known < message.frames
        if message.chords:
            assert message.chords[0].onset
            assert known >= min(CONTEXT_FRAMES, known)
        assert all(0 <= note.start < note.start + note.length <= message.frames for note in message.melody)


@settings(max_examples=60, deadline=None)
@given(
    num_frames=st.integers(1, 4000),
    beats=st.integers(2, 12),
    line=st.integers(0, 60),
    length=st.integers(1, 40),
    limit=st.sampled_from((20, 60, 10_000)),
)
def test_every_frame_has_one_chord_whatever_the_length(num_frames, beats, line, length, limit):
    """Any metre, any bar line, chords of any length, and room for few or many notes in a message."""
    melody = [MelodyRun(start, min(5, num_frames - start), 60 + start % 12) for start in range(0, num_frames, 6)]
    stretches = Stretches(melody, num_frames, bar_frames=4 * beats, bar_line=line, fits=lambda m: len(m.melody) <= limit)
    messages = stretched(stretches, length)
    check(stretches, messages, 4 * beats, line)
    decided = 0
    for message in messages:
        begin = decided - sum(run.length for run in message.chords)
        assert begin == 0 or (begin - line) % (4 * beats) == 0
        assert (begin + message.bar_line - line) % (4 * beats) == 0
        last = begin + message.frames == num_frames
        decided = begin + message.frames - (0 if last else HEARD_AHEAD_FRAMES)


def test_a_short_melody_is_one_message_as_it_is():
    melody = [MelodyRun(0, 4, 60), MelodyRun(6, 10, 62)]
    stretches = Stretches(melody, 64, bar_frames=16, bar_line=16, fits=lambda _: True)
    (message,) = stretched(stretches)
    assert message == Harmonize(0, 64, melody, [], 0)
    assert stretches.decided == 64


def test_a_note_across_a_seam_is_in_both_stretches():
    """Cut where each of them ends."""
    melody = [MelodyRun(0, 1500, 60)]
    stretches = Stretches(melody, 1500, bar_frames=16, bar_line=0, fits=lambda _: True)
    first, second = stretched(stretches)
    assert first.melody == [MelodyRun(0, 1024, 60)]
    assert second.melody == [MelodyRun(0, 1500 - (1024 - HEARD_AHEAD_FRAMES - CONTEXT_FRAMES), 60)]
    assert sum(run.length for run in second.chords) == CONTEXT_FRAMES


def test_chords_that_go_on_over_a_seam_are_one():
    """The hold at the beginning of a part belongs to the run before."""
    stretches = Stretches([], 2000, bar_frames=16, bar_line=0, fits=lambda _: True)
    while not stretches.done:
        message = stretches.message(0)
        known = sum(run.length for run in message.chords)
        given = [ChordRun(run.start, run.length, run.symbol, [], run.onset) for run in message.chords]
        stretches.take([*given, ChordRun(known, message.frames - known, "C", [60], onset=not given)])
    assert stretches.chords == [ChordRun(0, 2000, "C", [60], True)]
