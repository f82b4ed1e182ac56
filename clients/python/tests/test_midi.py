"""Melodies are found and put on the grid; bad files are refused in one sentence; what is written can be read."""

from collections.abc import Sequence
from pathlib import Path

import mido
import pytest

from sideman_client.errors import UnreadableTune
from sideman_client.generated.messages import MelodyRun, NoteEvent
from sideman_client.jam import Sounding
from sideman_client.midi import Tune, read_melody, write_jam

FIXTURES = Path(__file__).parents[3] / "tests/fixtures"
PPQ = 96
Track = list[mido.Message | mido.MetaMessage]


def notes(*timed: tuple[int, int, int], channel: int = 0, name: str = "") -> Track:
    """A track of (start tick, end tick, pitch)."""
    moments = [(start, 1, pitch) for start, _, pitch in timed] + [(end, 0, pitch) for _, end, pitch in timed]
    track: Track = [mido.MetaMessage("track_name", name=name)] if name else []
    now = 0
    for tick, on, pitch in sorted(moments):
        track.append(mido.Message("note_on" if on else "note_off", note=pitch, velocity=64 * on, channel=channel, time=tick - now))
        now = tick
    return track


def scale(*, start: int = 0, channel: int = 0, name: str = "", count: int = 8, voices: Sequence[int] = (60,)) -> Track:
    """Quarter notes one after the other, in as many voices as asked for."""
    steps = [(start + i * PPQ, start + (i + 1) * PPQ, low + i) for i in range(count) for low in voices]
    return notes(*steps, channel=channel, name=name)


def save(folder: Path, *tracks: Track) -> Path:
    midi = mido.MidiFile(type=0 if len(tracks) == 1 else 1, ticks_per_beat=PPQ)
    midi.tracks += [mido.MidiTrack(track) for track in tracks]
    path = folder / "tune.mid"
    midi.save(path)
    return path


def metre(numerator: int, denominator: int, time: int = 0) -> mido.MetaMessage:
    return mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator, time=time)


def onsets(tune: Tune) -> list[int]:
    return [event.frame for event in tune.events if event.on]


def test_the_track_called_melody_is_taken_even_if_it_is_short(tmp_path: Path):
    path = save(tmp_path, scale(name="bass", count=20), scale(name="Lead Synth", count=9), scale(name="My Melody", count=3))
    assert read_melody(path).part == "My Melody"


def test_else_the_busiest_monophonic_part_that_is_no_drum(tmp_path: Path):
    path = save(
        tmp_path,
        scale(name="piano", count=30, voices=(48, 52, 55)),
        scale(name="kit", count=50, channel=9),
        scale(name="flute", count=12),
        scale(name="oboe", count=10),
    )
    assert read_melody(path).part == "flute"


def test_legato_is_monophonic(tmp_path: Path):
    path = save(tmp_path, notes(*[(i * PPQ, (i + 1) * PPQ + 10, 60 + i) for i in range(8)]), scale(count=3))
    tune = read_melody(path)
    assert onsets(tune) == list(range(0, 32, 4))


@pytest.mark.parametrize(("track", "part"), [("2", "piano"), ("PIANO", "piano"), ("3", "flute")])
def test_a_part_can_be_chosen_by_number_or_name(tmp_path: Path, track: str, part: str):
    path = save(tmp_path, scale(name="melody"), scale(name="piano", voices=(48, 55)), scale(name="flute"))
    assert read_melody(path, track=track).part == part


def test_of_simultaneous_notes_the_highest_comes_first(tmp_path: Path):
    tune = read_melody(save(tmp_path, scale(name="piano", voices=(48, 55), count=1), scale()), track="piano")
    assert [event.pitch for event in tune.events if event.on] == [55, 48]


def test_one_track_is_split_by_channel(tmp_path: Path):
    both = [*scale(count=4, channel=9), *scale(count=6, channel=2, voices=(48, 52)), *scale(count=4, channel=3)]
    tune = read_melody(save(tmp_path, both))
    assert {note.pitch for note in tune.notes} == {60, 61, 62, 63}


def test_t1_notes_are_stamped_downwards_never_up(tmp_path: Path):
    path = save(tmp_path, notes((0, 23, 60), (23, 47, 62), (71, 72, 64)), [metre(4, 4)])
    assert read_melody(path).events == [
        NoteEvent(0, 60, True, 64),
        NoteEvent(0, 60, False, 64),
        NoteEvent(0, 62, True, 64),
        NoteEvent(1, 62, False, 64),
        NoteEvent(2, 64, True, 64),
        NoteEvent(3, 64, False, 64),
    ]


def test_a_note_without_length_is_released_after_it_began(tmp_path: Path):
    tune = read_melody(save(tmp_path, [mido.Message("note_on", note=60), mido.Message("note_off", note=60)], scale(count=1)), track="1")
    assert [event.on for event in tune.events] == [True, False]


def test_tempo_changes_move_no_note_and_the_first_tempo_counts(tmp_path: Path):
    tempos: Track = [mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(90))]
    tempos += [mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm), time=150) for bpm in (140, 60, 200)]
    tune = read_melody(save(tmp_path, tempos, scale()))
    assert tune.tempo_bpm == pytest.approx(90)
    assert onsets(tune) == list(range(0, 32, 4))


@pytest.mark.parametrize(
    ("signature", "start_beats", "first_frame", "beats_per_bar"),
    [
        ((4, 4), 3, 12, 4),
        ((4, 4), 8, 0, 4),
        ((3, 4), 5, 8, 3),
        ((6, 8), 4, 4, 3),
        ((2, 2), 5, 4, 4),
        ((12, 8), 6, 0, 6),
        ((9, 8), 10, 4, 9),
        ((7, 8), 8, 4, 7),
        ((1, 4), 3, 4, 2),
        ((15, 8), 5, 4, 4),
    ],
)
def test_g1_the_grid_starts_at_the_bar_line_before_the_first_note(
    tmp_path: Path, signature: tuple[int, int], start_beats: int, first_frame: int, beats_per_bar: int
):
    tune = read_melody(save(tmp_path, [metre(*signature)], scale(start=start_beats * PPQ)))
    assert (onsets(tune)[0], tune.beats_per_bar) == (first_frame, beats_per_bar)


def test_a_pickup_written_as_a_short_bar_of_its_own(tmp_path: Path):
    tune = read_melody(save(tmp_path, [metre(1, 4), metre(3, 4, time=PPQ)], scale()))
    assert (onsets(tune)[:2], tune.beats_per_bar) == ([8, 12], 3)


def test_the_metre_can_be_given(tmp_path: Path):
    tune = read_melody(save(tmp_path, [metre(4, 4)], scale(start=4 * PPQ)), beats_per_bar=3)
    assert (onsets(tune)[0], tune.beats_per_bar, tune.num_frames) == (4, 3, 36)


def test_without_tempo_and_metre_it_is_120_and_four(tmp_path: Path):
    tune = read_melody(save(tmp_path, scale()))
    assert (tune.tempo_bpm, tune.beats_per_bar, tune.num_frames) == (120.0, 4, 32)


def test_notes_never_released_end_with_the_track(tmp_path: Path):
    hanging: Track = [mido.Message("note_on", note=60), mido.Message("note_on", note=62, time=PPQ), mido.MetaMessage("marker", time=PPQ)]
    tune = read_melody(save(tmp_path, hanging), track="1")
    assert [(note.pitch, note.end_beats) for note in tune.notes] == [(60, 2), (62, 2)]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "got No such file or directory: give a standard MIDI file (.mid) with a melody in it"),
        (b"", "got an empty file: give a standard MIDI file (.mid) with a melody in it"),
        (b"RIFF....WAVE", "got a file of another kind: give a standard MIDI file (.mid) with a melody in it"),
        (b"MThd\0\0", "got a damaged one (EOFError): export it again"),
        (b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk\0\0\0\4\0\x90\x3c", "got a damaged one (EOFError): export it again"),
        (b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk\0\0\0\4\0\x90\xff\x40", "got a damaged one ("),
        (b"MThd\0\0\0\6\0\0\0\1\xe7\x28MTrk\0\0\0\4\0\xff\x2f\0", "got one that counts in seconds: export it with ticks per quarter note"),
        (b"MThd\0\0\0\6\0\0\0\1\0\0MTrk\0\0\0\4\0\xff\x2f\0", "got a beat without ticks: export it with ticks per quarter note"),
        (b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk\0\0\0\4\0\xff\x2f\0", "got none (drums do not count): give a file with a melody in it"),
    ],
)
def test_bad_files_are_refused_in_one_sentence(tmp_path: Path, content: bytes | None, sentence: str):
    path = tmp_path / "tune.mid"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnreadableTune) as refused:
        read_melody(path)
    assert str(path) in str(refused.value)
    assert sentence in str(refused.value)


def test_a_folder_is_no_tune(tmp_path: Path):
    with pytest.raises(UnreadableTune, match="got Is a directory"):
        read_melody(tmp_path)


def test_drums_alone_and_chords_alone_are_no_melody(tmp_path: Path):
    with pytest.raises(UnreadableTune, match=r"got none \(drums do not count\)"):
        read_melody(save(tmp_path, scale(channel=9), scale(channel=9)))
    with pytest.raises(
        UnreadableTune, match=r"got only chords: 1 'piano' \(24 notes\), 2 'unnamed' \(0 notes\): choose a part with --track"
    ):
        read_melody(save(tmp_path, scale(name="piano", voices=(48, 52, 55)), []))


@pytest.mark.parametrize("track", ["3", "0", "violin", ""])
def test_a_part_that_is_not_there(tmp_path: Path, track: str):
    with pytest.raises(UnreadableTune) as refused:
        read_melody(save(tmp_path, scale(name="flute"), []), track=track)
    assert str(refused.value).endswith("got 1 'flute' (8 notes), 2 'unnamed' (0 notes): choose one of these with --track")


def chord(frame: int, symbol: str, pitches: tuple[int, ...] = (), *, struck: bool = False) -> Sounding:
    return Sounding(frame, symbol, pitches, struck, planned=True, late=False)


JAM = [
    chord(0, "N"),
    chord(1, "C", (36, 60, 64), struck=True),
    chord(2, "C", (36, 60, 64)),
    chord(3, "C", (36, 60, 64), struck=True),
    chord(4, "N"),
    chord(5, "G7", (43, 59), struck=True),
]


def test_what_is_written_can_be_read(tmp_path: Path):
    path = tmp_path / "jam.mid"
    melody = [MelodyRun(0, 2, 60), MelodyRun(2, 1, 62), MelodyRun(4, 2, 64)]
    write_jam(path, melody, JAM, tempo_bpm=96, beats_per_bar=3)
    tune = read_melody(path)
    assert (tune.part, tune.tempo_bpm, tune.beats_per_bar) == ("melody", 96.0, 3)
    spans = [MelodyRun(int(n.onset_beats * 4), int((n.end_beats - n.onset_beats) * 4), n.pitch) for n in tune.notes]
    assert spans == melody
    assert {n.onset_beats.denominator for n in tune.notes} <= {1, 2, 4}


def test_chords_are_written_as_pitches_and_markers(tmp_path: Path):
    path = tmp_path / "jam.mid"
    write_jam(path, [], JAM, tempo_bpm=120, beats_per_bar=4)
    midi = mido.MidiFile(path)
    assert [track.name for track in midi.tracks] == ["sideman", "melody", "chords"]
    heard = {(note.onset_beats * 4, note.end_beats * 4, note.pitch) for note in read_melody(path, track="chords").notes}
    assert heard == {(1, 3, 36), (1, 3, 60), (1, 3, 64), (3, 4, 36), (3, 4, 60), (3, 4, 64), (5, 6, 43), (5, 6, 59)}
    now, markers = 0, []
    for message in midi.tracks[0]:
        now += message.time
        if message.type == "marker":
            markers.append((now, message.text))
    assert markers == [(0, "N"), (120, "C"), (360, "C"), (480, "N"), (600, "G7")]
    assert [sum(message.time for message in track) for track in midi.tracks] == [720, 720, 720]


def test_a_place_that_cannot_be_written(tmp_path: Path):
    with pytest.raises(UnreadableTune, match=r"expected to write .*, got No such file or directory: choose another place"):
        write_jam(tmp_path / "no" / "jam.mid", [], JAM, tempo_bpm=120, beats_per_bar=4)


@pytest.mark.parametrize(
    ("name", "beats_per_bar", "bars", "pickup_frames"),
    [
        ("auld_lang_syne", 4, 33, 12),
        ("loch_lomond", 4, 17, 12),
        ("oh_susanna", 4, 25, 12),
        ("santa_lucia", 3, 32, 0),
        ("sunday_walk", 4, 8, 0),
    ],
)
def test_the_fixtures_are_melodies(name: str, beats_per_bar: int, bars: int, pickup_frames: int):
    path = FIXTURES / f"{name}.mid"
    tune = read_melody(path)
    assert path.stat().st_size < 5000
    assert (tune.part, tune.beats_per_bar, tune.num_frames) == ("MELODY", beats_per_bar, bars * beats_per_bar * 4)
    assert onsets(tune)[0] == pickup_frames
    assert 100 <= tune.tempo_bpm <= 120
