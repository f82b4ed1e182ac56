"""A tune is played in real time against a small gateway; the report and the file say what happened."""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from sideman_client.errors import BadOption
from sideman_client.generated.messages import Bye, Configure, Error, GatewayMessage, NoteEvent, Tick
from sideman_client.midi import read_melody
from sideman_client.play import PlayOptions, add_arguments, options_of, play, run, summary
from sideman_client.report import Report

if TYPE_CHECKING:
    from conftest import Gateway

TUNE = Path(__file__).parents[3] / "tests/fixtures/sunday_walk.mid"  # 120 bpm
BEATS = 9
FRAMES = 4 * BEATS
QUICK = PlayOptions(
    tune=TUNE, url="", speed=2.5, settings=Configure(silence_beats=2, temperature=0.5), limit_beats=BEATS, quiet=True
)  # 300 bpm: 50 ms a frame
KEYS = [
    "frames", "plans", "keeps", "late_frames", "unplanned_frames", "round_trip_ms", "frame_budget_ms", "share_in_budget", "note_in_chord",
    "chord_changes", "revised_share", "decision_age_frames", "model", "settings",
]  # fmt: skip


def command(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(list(words))


async def test_a_tune_is_played_and_reported(gateway: "Gateway", tmp_path: Path):
    report_file, out = tmp_path / "report.json", tmp_path / "jam.mid"
    report = await play(replace(QUICK, url=gateway.url, report=report_file, out=out))
    assert report.frames == FRAMES
    assert report.plans + report.keeps <= FRAMES
    assert report.keeps <= 4  # ticks of frames 0 to 3 are told to listen
    assert report.unplanned_frames == 0
    assert report.frame_budget_ms == 50.0
    assert report.chord_changes == 3  # N, C, G, C
    assert report.revised_share == 0.0
    assert report.decision_age_frames is not None
    assert 6 <= report.decision_age_frames <= 8  # eight frames are committed; fewer at the start
    assert (report.model, report.settings.bpm, report.settings.temperature) == ("toy", 300.0, 0.5)
    # from frame 8 on: A (8) over C; G (4), E (4), D (8) over G; C (4) over C
    assert report.note_in_chord == round((4 + 8 + 4) / 28, 4)
    written = json.loads(report_file.read_text())
    assert list(written) == KEYS
    assert list(written["round_trip_ms"]) == ["p50", "p95", "p99", "max"]
    assert msgspec.json.decode(report_file.read_bytes(), type=Report) == report
    heard = read_melody(out)
    assert (heard.tempo_bpm, heard.beats_per_bar, heard.part) == (120.0, 4, "melody")
    assert [note.pitch for note in heard.notes] == [64, 67, 69, 67, 64, 62, 60]


async def test_t1_t2_ticks_rise_and_notes_follow_one_frame_later(gateway: "Gateway"):
    await play(replace(QUICK, url=gateway.url, limit_beats=5))
    said = gateway.connections[0]
    ticks = [message for message in said if isinstance(message, Tick)]
    frames = [tick.frame for tick in ticks]
    assert frames == sorted(set(frames))
    assert frames[0] == 0
    assert said[1] == Configure(bpm=300.0, beats_per_bar=4, silence_beats=2, temperature=0.5)
    assert isinstance(said[-1], Bye)
    assert all(event.frame < tick.frame for tick in ticks for event in tick.events)
    events = [event for tick in ticks for event in tick.events]
    assert events[:3] == [NoteEvent(0, 64, True, 80), NoteEvent(4, 64, False, 80), NoteEvent(4, 67, True, 80)]


async def test_p6_frames_without_a_fresh_plan_are_late(gateway: "Gateway"):
    gateway.keep_at_tick = dict.fromkeys(range(10, 14), "late")
    report = await play(replace(QUICK, url=gateway.url, limit_beats=5))
    assert report.late_frames >= 4
    assert report.unplanned_frames == 0
    assert report.share_in_budget is not None
    assert report.share_in_budget <= 16 / 20


async def test_p5_without_any_plan_nothing_sounds(gateway: "Gateway"):
    gateway.keep_at_tick = dict.fromkeys(range(20), "unavailable")
    report = await play(replace(QUICK, url=gateway.url, limit_beats=5))
    assert (report.plans, report.unplanned_frames, report.chord_changes, report.share_in_budget) == (0, 12, 0, 0.0)
    assert (report.round_trip_ms.max, report.note_in_chord, report.decision_age_frames) == (None, None, None)
    assert "no plans came; 0.0% of the ticks" in summary(report)


async def test_h1_a_restart_in_the_middle_is_survived(gateway: "Gateway"):
    gateway.close_at_tick = {12: (1012, "server restarting")}
    report = await play(replace(QUICK, url=gateway.url))
    assert (report.frames, report.unplanned_frames, len(gateway.connections)) == (FRAMES, 0, 2)


async def test_refused_messages_are_told(gateway: "Gateway", capsys: pytest.CaptureFixture[str]):
    def refuse(message: object) -> list[GatewayMessage | bytes]:
        return [Error("bad_event", "expected frames that rise", seq=message.seq)] if isinstance(message, Tick) else []

    gateway.before_answer = refuse
    await play(replace(QUICK, url=gateway.url, limit_beats=1, quiet=False))
    assert "the gateway refused 4 messages, the first: expected frames that rise" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"speed": 9.0}, "expected a tempo of 20 to 300 bpm, got 1080 (120 bpm at speed 9): choose another --bpm or --speed"),
        ({"settings": Configure(bpm=5.0)}, "expected a tempo of 20 to 300 bpm, got 12.5 (5 bpm at speed 2.5)"),
        ({"settings": Configure(beats_per_bar=1)}, "expected 2 to 12 beats in a bar, got 1: choose another --beats-per-bar"),
        ({"limit_beats": 0}, "expected at least one beat to play, got 0: choose another --limit-beats"),
    ],
)
async def test_options_that_cannot_be_met(change: dict[str, object], sentence: str):
    with pytest.raises(BadOption) as refused:
        await play(replace(QUICK, url="ws://127.0.0.1:1", **change))
    assert str(refused.value).startswith(sentence)


async def test_a_report_that_cannot_be_written(gateway: "Gateway", tmp_path: Path):
    with pytest.raises(BadOption, match=r"expected to write .*, got No such file or directory: choose another --report"):
        await play(replace(QUICK, url=gateway.url, limit_beats=1, report=tmp_path / "no" / "report.json"))


def test_the_command_line_says_all_there_is():
    words = "tune.mid --url ws://here --speed 2 --out o.mid --report r.json --bpm 90 --beats-per-bar 3 --lookahead 5 --commit 1 --silence 3"
    words += (
        " --temperature 0.4 --model toy --density busy --style folk --voicing close --subprotocol json --track 2 --quiet --limit-beats 16"
    )
    assert options_of(command(*words.split())) == PlayOptions(
        tune=Path("tune.mid"),
        url="ws://here",
        speed=2.0,
        settings=Configure(90.0, 3, "toy", 0.4, 5, 1, 3, "busy", "folk", "close"),
        track="2",
        subprotocol="sideman.v1.json",
        limit_beats=16,
        out=Path("o.mid"),
        report=Path("r.json"),
        quiet=True,
    )
    assert options_of(command("tune.mid", "--url", "ws://here")) == PlayOptions(Path("tune.mid"), "ws://here")


def test_a_failure_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    assert run(command(str(TUNE))) == 1
    assert capsys.readouterr().err == "expected the address of a server, got none: give --url ws://host:port\n"
    assert run(command(str(tmp_path / "none.mid"), "--url", "ws://127.0.0.1:1")) == 1
    assert capsys.readouterr().err.startswith(f"expected a MIDI file at {tmp_path / 'none.mid'}, got No such file or directory: ")
    assert run(command(str(TUNE), "--url", "ws://127.0.0.1:1")) == 1
    assert capsys.readouterr().err.startswith("expected a gateway at ws://127.0.0.1:1, got ")
