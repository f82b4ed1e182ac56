"""Whole melodies: through the client, and as the command prints and writes them."""

import argparse
import json
from pathlib import Path

import mido
import msgspec
import pytest

from sideman_client import harmonize as command
from sideman_client import harmonizing
from sideman_client.client import connect
from sideman_client.errors import ClosedByGateway, HarmonizeRefused, NoAnswer
from sideman_client.generated.messages import ChordRun, Configure, Error, Harmonize, MelodyRun
from sideman_client.harmonize import Harmony, frames_of, lead_sheet, note_in_chord, summary
from sideman_client.opening import Backoff

TUNE = Path(__file__).parents[3] / "tests" / "fixtures" / "sunday_walk.mid"
MELODY = [MelodyRun(0, 8, 60), MelodyRun(20, 4, 67)]
AT_ONCE = Backoff(first_s=0.0, longest_s=0.0)


def runs(chords):
    return [(run.start, run.length, run.symbol) for run in chords]


async def test_a_melody_gets_chords_for_all_of_it(gateway):
    """In order, part after part, with progress; the settings are the session's."""
    seen = []
    async with connect(gateway.url) as client:
        chords = await client.harmonize(MELODY, 40, on_progress=lambda done, all_: seen.append((done, all_)))
        again = await client.harmonize(MELODY, 40)
    assert runs(chords) == runs(again) == [(0, 16, "C"), (16, 16, "G"), (32, 8, "C")]
    assert seen[-1] == (40, 40)
    asked = [message for message in gateway.connections[0] if isinstance(message, Harmonize)]
    assert [message.seq for message in asked] == [1, 2]
    assert asked[0].melody == MELODY


async def test_a_long_melody_is_asked_for_in_stretches(gateway):
    """Longer than a message may be, in frames or in bytes."""
    gateway.max_message_bytes = 4096
    melody = [MelodyRun(start, 2, 60) for start in range(0, 2000, 2)]
    async with connect(gateway.url) as client:
        chords = await client.harmonize(melody, 2000)
    asked = [message for message in gateway.connections[0] if isinstance(message, Harmonize)]
    assert len(asked) > 5
    assert all(len(msgspec.msgpack.encode(message)) <= 4096 for message in asked)
    assert sum(run.length for run in chords) == 2000


async def test_a_refusal_is_raised_with_its_reason(gateway):
    """It answers no question but this one."""
    async with connect(gateway.url) as client:
        for retry, advice in ((False, "mend the melody"), (True, "send it again")):
            gateway.harmonize_refused = [Error("unavailable", "no worker", field="$.harmonize", seq=1 + retry, retry=retry)]
            with pytest.raises(HarmonizeRefused, match=f"got unavailable: no worker: {advice}"):
                await client.harmonize(MELODY, 40)
        gateway.harmonize_refused = []
        assert await client.configure(Configure(bpm=99.0))
        assert await client.harmonize(MELODY, 40)


async def test_after_a_lost_connection_it_is_asked_again(gateway):
    gateway.close_on_harmonize = [(1012, "restarting")]
    async with connect(gateway.url, backoff=AT_ONCE) as client:
        assert sum(run.length for run in await client.harmonize(MELODY, 40)) == 40
        assert client.reconnects == 1


async def test_a_session_that_ends_for_good_ends_it_too(gateway):
    gateway.close_on_harmonize = [(4507, "too many errors")]
    with pytest.raises(ClosedByGateway):
        async with connect(gateway.url) as client:
            await client.harmonize(MELODY, 40)


async def test_no_answer_is_not_waited_for_for_ever(gateway, monkeypatch):
    monkeypatch.setattr(harmonizing, "PART_TIMEOUT_S", 0.05)
    gateway.silent_about = (Harmonize,)
    async with connect(gateway.url) as client:
        with pytest.raises(NoAnswer, match="expected chords for the melody, got nothing"):
            await client.harmonize(MELODY, 40)


CHORDS = [ChordRun(0, 16, "C", [36, 60], True), ChordRun(16, 8, "G", [43], True), ChordRun(24, 24, "Am", [45], True)]


def test_a_lead_sheet_has_the_chords_of_every_bar():
    """A bar without a new chord repeats the one that sounds; lines are of whole bars and no wider than a screen."""
    assert lead_sheet(CHORDS, 4) == "| C | G Am | Am |"
    long = lead_sheet([ChordRun(16 * bar, 16, "F#m7b5", [], True) for bar in range(30)], 4)
    assert max(len(line) for line in long.splitlines()) <= 80
    assert long.count("F#m7b5") == 30


def test_the_share_of_notes_in_their_chords():
    """Frames without a note or without a chord do not count."""
    assert note_in_chord([MelodyRun(0, 4, 60), MelodyRun(16, 4, 60)], CHORDS) == 0.5
    assert note_in_chord([], CHORDS) is None
    assert note_in_chord([MelodyRun(0, 4, 60)], [ChordRun(0, 8, "N", [], False)]) is None


def test_frames_are_struck_where_a_chord_begins():
    frames = frames_of(CHORDS)
    assert [frame.frame for frame in frames] == list(range(48))
    assert [frame.frame for frame in frames if frame.struck] == [0, 16, 24]


def test_the_summary_counts_bars_and_chords():
    assert summary(Harmony("t", 120.0, 4, 48, 0.5, CHORDS)).splitlines()[-1] == "3 bars, 3 chords; the note is in the chord 50% of the time"
    assert summary(Harmony("t", 120.0, 4, 40, None, CHORDS[:1])).splitlines()[-1] == "3 bars, 1 chords"


def arguments(*line):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args([str(part) for part in line])


@pytest.mark.parametrize("quiet", [False, True])
async def test_the_command_writes_what_it_is_asked_for(gateway, tmp_path, quiet):
    """MIDI with markers, and JSON; settings are told to the server."""
    out, told = tmp_path / "out.mid", tmp_path / "out.json"
    line = arguments(TUNE, "--url", gateway.url, "--out", out, "--json", told, "--density", "busy", "--temperature", "0.5")
    harmony = await command.harmonize(command.options_of(line))
    assert harmony.frames == sum(run.length for run in harmony.chords)
    markers = [message.text for track in mido.MidiFile(out).tracks for message in track if message.type == "marker"]
    assert markers == [run.symbol for run in harmony.chords]
    assert json.loads(told.read_bytes())["chords"][0]["symbol"] == "C"
    (asked,) = [message for message in gateway.connections[0] if isinstance(message, Configure)]
    assert (asked.density, asked.temperature) == ("busy", 0.5)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ((TUNE,), "expected the address of a server, got none: give --url"),
        (("none.mid", "--url", "ws://127.0.0.1:1"), "expected a MIDI file at none.mid"),
        ((TUNE, "--url", "ws://127.0.0.1:1"), "expected "),
    ],
)
def test_what_cannot_be_done_is_one_sentence(capsys, line, said):
    assert command.run(arguments(*line)) == 1
    assert capsys.readouterr().err.startswith(said)


async def test_a_file_that_cannot_be_written_is_one_sentence(gateway, tmp_path):
    line = arguments(TUNE, "--url", gateway.url, "--json", tmp_path / "no" / "out.json")
    with pytest.raises(command.BadOption, match="choose another --json"):
        await command.harmonize(command.options_of(line))
