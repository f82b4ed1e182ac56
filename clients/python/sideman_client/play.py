"""`sideman play`: an ordinary client that plays a melody in real time and reports how the accompaniment was. Shell.

The one clock is the event loop's. Frame f begins at start + f * frame length, computed each time, so that nothing adds up; if
the program was held up, the frames missed meanwhile have sounded what the plan said, and only the newest gets a tick.
A note is known once its frame is over: notes stamped f go out with the tick of f + 1 (T2).
"""

import argparse
import asyncio
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import msgspec
from rich.console import Console
from rich.live import Live
from rich.text import Text

from sideman_client.client import SidemanClient, connect
from sideman_client.codec import JSON, MSGPACK
from sideman_client.errors import BadOption, SidemanError
from sideman_client.generated import FRAMES_PER_BEAT
from sideman_client.generated.chords import NO_CHORD
from sideman_client.generated.messages import Configure, Density, GatewayMessage, Keep, Plan, Style, Voicing
from sideman_client.jam import Jam
from sideman_client.midi import Tune, read_melody, write_jam
from sideman_client.report import JamLog, Report, beat_of

MIN_BPM, MAX_BPM = 20.0, 300.0
SUBPROTOCOLS = {"msgpack": MSGPACK, "json": JSON}
EXIT_OK, EXIT_FAILED, EXIT_INTERRUPTED = 0, 1, 130


@dataclass(frozen=True)
class PlayOptions:
    """What to play, where, and how; a None leaves the choice to the file or the server."""

    tune: Path
    url: str
    speed: float = 1.0  # 2: twice as fast, so that half the time is left for each plan
    settings: Configure = Configure()  # bpm is the tune's tempo, before `speed`
    track: str | None = None
    subprotocol: str = MSGPACK
    limit_beats: int | None = None
    out: Path | None = None
    report: Path | None = None
    quiet: bool = False


async def play(options: PlayOptions) -> Report:
    """Play the tune once against the server and write what was asked for. Raises SidemanError leaves."""
    tune = read_melody(options.tune, track=options.track, beats_per_bar=options.settings.beats_per_bar)
    tempo_bpm = tune.tempo_bpm if options.settings.bpm is None else options.settings.bpm
    settings = replace_settings(options.settings, bpm=playing_bpm(tempo_bpm, options.speed), beats_per_bar=tune.beats_per_bar)
    player = _Player(tune, settings.bpm or tempo_bpm, options)
    async with connect(options.url, name="sideman play", subprotocol=options.subprotocol, on_message=player.hear) as client:
        player.jam = client.jam
        await client.configure(settings)
        await player.perform(client)
    jam, melody = player.jam, player.jam.melody_runs(0, player.num_frames)
    report = player.log.report(jam, melody, budget_ms=player.budget_ms)
    if options.out is not None:
        write_jam(options.out, melody, jam.frames, tempo_bpm=tempo_bpm, beats_per_bar=tune.beats_per_bar)
    if options.report is not None:
        await asyncio.to_thread(write_report, options.report, report)
    return report


def replace_settings(settings: Configure, *, bpm: float, beats_per_bar: int) -> Configure:
    """The settings to send: as given, with the tempo at which the tune is really played."""
    return msgspec.structs.replace(settings, bpm=bpm, beats_per_bar=beats_per_bar)


def playing_bpm(tempo_bpm: float, speed: float) -> float:
    """The tempo at which the tune is really played. Raises BadOption if the protocol cannot say it."""
    bpm = tempo_bpm * speed
    if not MIN_BPM <= bpm <= MAX_BPM:
        got = f"{bpm:g} ({tempo_bpm:g} bpm at speed {speed:g})"
        raise BadOption(expected=f"a tempo of {MIN_BPM:g} to {MAX_BPM:g} bpm", got=got, advice="choose another --bpm or --speed")
    return bpm


def write_report(path: Path, report: Report) -> None:
    """The report as JSON. Raises BadOption if the file cannot be written."""
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    except OSError as problem:
        raise BadOption(expected=f"to write {path}", got=problem.strerror or "no success", advice="choose another --report") from None
