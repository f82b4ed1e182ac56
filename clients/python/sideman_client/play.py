"""`sideman play`: an ordinary client that plays a melody in real time and reports how the accompaniment was. Shell.

The one clock is the event loop's. Frame f begins at start + f * frame length, computed each time, so that nothing adds up; if
the program was held up, the frames missed meanwhile have sounded what the plan said, and only the newest gets a tick.
A note is known once its frame is over: notes stamped f go out with the tick of f + 1 (T2).
"""

import argparse
import asyncio
import sys
from collections import deque
from dataclasses import dataclass, field
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
from sideman_client.generated.messages import Configure, Density, Error, GatewayMessage, Keep, Plan, Style, Voicing
from sideman_client.jam import Jam
from sideman_client.midi import Tune, read_melody, write_jam
from sideman_client.report import JamLog, Report, beat_of

MIN_BPM, MAX_BPM = 20.0, 300.0
BEATS_PER_BAR = range(2, 13)
SUBPROTOCOLS = {"msgpack": MSGPACK, "json": JSON}
EXIT_OK, EXIT_FAILED, EXIT_INTERRUPTED = 0, 1, 130


@dataclass(frozen=True)
class PlayOptions:
    """What to play, where, and how; a None leaves the choice to the file or the server."""

    tune: Path
    url: str
    speed: float = 1.0  # 2: twice as fast, so that half the time is left for each plan
    settings: Configure = field(default_factory=Configure)  # bpm is the tune's tempo, before `speed`
    track: str | None = None
    subprotocol: str = MSGPACK
    limit_beats: int | None = None
    out: Path | None = None
    report: Path | None = None
    quiet: bool = False


async def play(options: PlayOptions) -> Report:
    """Play the tune once against the server and write what was asked for. Raises SidemanError leaves."""
    check(options)
    tune = read_melody(options.tune, track=options.track, beats_per_bar=options.settings.beats_per_bar)
    tempo_bpm = tune.tempo_bpm if options.settings.bpm is None else options.settings.bpm
    bpm = playing_bpm(tempo_bpm, options.speed)
    player = _Player(tune, bpm, options)
    async with connect(options.url, name="sideman play", subprotocol=options.subprotocol, on_message=player.hear) as client:
        player.jam = client.jam
        await client.configure(msgspec.structs.replace(options.settings, bpm=bpm, beats_per_bar=tune.beats_per_bar))
        await player.perform(client)
    if player.trouble and not options.quiet:
        print(f"the gateway refused {len(player.trouble)} messages, the first: {player.trouble[0].message}", file=sys.stderr)
    jam, melody = player.jam, player.jam.melody_runs(0, player.num_frames)
    report = player.log.report(jam, melody, budget_ms=player.budget_ms)
    if options.out is not None:
        write_jam(options.out, melody, jam.frames, tempo_bpm=tempo_bpm, beats_per_bar=tune.beats_per_bar)
    if options.report is not None:
        await asyncio.to_thread(write_report, options.report, report)
    return report


def check(options: PlayOptions) -> None:
    """Refuse what no tune could be played with. Raises BadOption."""
    beats, limit = options.settings.beats_per_bar, options.limit_beats
    if beats is not None and beats not in BEATS_PER_BAR:
        expected = f"{BEATS_PER_BAR[0]} to {BEATS_PER_BAR[-1]} beats in a bar"
        raise BadOption(expected=expected, got=str(beats), advice="choose another --beats-per-bar")
    if limit is not None and limit < 1:
        raise BadOption(expected="at least one beat to play", got=str(limit), advice="choose another --limit-beats")


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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare everything `run` reads."""
    parser.add_argument("tune", type=Path, help="a MIDI file with a melody in it")
    parser.add_argument("--url", help="the server, ws://... or wss://...")
    parser.add_argument("--out", type=Path, help="write melody and chords to this MIDI file")
    parser.add_argument("--report", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--track", help="number (from 1) or name of the track that holds the melody")
    parser.add_argument("--speed", type=float, default=1.0, help="play this many times faster; plans get that much less time")
    parser.add_argument("--bpm", type=float, help="tempo, instead of the file's")
    parser.add_argument(
        "--beats-per-bar", type=int, choices=BEATS_PER_BAR, metavar="N", help="metre in quarter notes, instead of the file's"
    )
    parser.add_argument("--limit-beats", type=int, metavar="N", help="stop after so many beats")
    parser.add_argument("--lookahead", type=int, metavar="BEATS", help="beats planned ahead")
    parser.add_argument("--commit", type=int, metavar="BEATS", help="beats at the head of a plan that never change")
    parser.add_argument("--silence", type=int, metavar="BEATS", help="beats the server only listens to")
    parser.add_argument("--temperature", type=float, help="0 is the likeliest, higher is freer")
    parser.add_argument("--model", help="one of the server's models")
    parser.add_argument("--density", choices=get_args(Density), help="how often chords change")
    parser.add_argument("--style", choices=get_args(Style), help="what kind of music it is")
    parser.add_argument("--voicing", choices=get_args(Voicing), help="how chords are laid out")
    parser.add_argument("--subprotocol", choices=tuple(SUBPROTOCOLS), default="msgpack", help="how messages are written")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")


def options_of(args: argparse.Namespace) -> PlayOptions:
    """The options a command line asked for. Raises BadOption without a server."""
    if args.url is None:
        raise BadOption(expected="the address of a server", got="none", advice="give --url ws://host:port")
    return PlayOptions(
        tune=args.tune,
        url=args.url,
        speed=args.speed,
        settings=Configure(
            bpm=args.bpm,
            beats_per_bar=args.beats_per_bar,
            model=args.model,
            temperature=args.temperature,
            lookahead_beats=args.lookahead,
            commit_beats=args.commit,
            silence_beats=args.silence,
            density=args.density,
            style=args.style,
            voicing=args.voicing,
        ),
        track=args.track,
        subprotocol=SUBPROTOCOLS[args.subprotocol],
        limit_beats=args.limit_beats,
        out=args.out,
        report=args.report,
        quiet=args.quiet,
    )


def run(args: argparse.Namespace) -> int:
    """Play what the command line asked for, print the figures, and give the exit status."""
    try:
        report = asyncio.run(play(options_of(args)))
    except SidemanError as problem:
        print(problem, file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    if not args.quiet:
        print(summary(report))
    return EXIT_OK


def summary(report: Report) -> str:
    """The figures in three lines."""
    trip, music = report.round_trip_ms, report.note_in_chord
    times = "no plans came" if trip.p50 is None else f"p50 {trip.p50:.1f}, p95 {trip.p95:.1f}, p99 {trip.p99:.1f}, max {trip.max:.1f} ms"
    in_budget = "none sent" if report.share_in_budget is None else f"{report.share_in_budget:.1%}"
    held = f"{report.late_frames} late, {report.unplanned_frames} unplanned"
    return (
        f"{report.frames} frames, {report.plans} plans, {report.keeps} keeps, {held}\n"
        f"round trip {times}; {in_budget} of the ticks answered within a frame of {report.frame_budget_ms:.0f} ms\n"
        f"{report.chord_changes} chord changes; the note was in the chord {'never' if music is None else f'{music:.1%} of the time'}"
    )


class _Player:
    """One performance of a tune."""

    def __init__(self, tune: Tune, bpm: float, options: PlayOptions) -> None:
        self.frame_s = 60.0 / bpm / FRAMES_PER_BEAT
        self.budget_ms = self.frame_s * 1000.0
        limit = options.limit_beats * FRAMES_PER_BEAT if options.limit_beats is not None else tune.num_frames
        self.num_frames = min(tune.num_frames, limit)
        self.log = JamLog()
        self.jam = Jam()
        self.trouble: list[Error] = []
        self._events = deque(tune.events)
        self._console = Console(quiet=options.quiet)
        self._round_trip_ms: float | None = None

    def hear(self, message: GatewayMessage, round_trip_ms: float | None) -> None:
        """Note an answer as it comes."""
        if isinstance(message, Plan | Keep):
            self.log.take(message, round_trip_ms, budget_ms=self.budget_ms, next_frame=len(self.jam.frames))
        elif isinstance(message, Error):
            self.trouble.append(message)
        if isinstance(message, Plan):
            self._round_trip_ms = round_trip_ms

    async def perform(self, client: SidemanClient) -> None:
        """Tick through all frames in real time, the last one to its end."""
        clock = asyncio.get_running_loop()
        start = clock.time()
        frame = 0
        with Live(console=self._console, auto_refresh=False, transient=True) as live:
            while frame < self.num_frames:
                await _until(start + frame * self.frame_s)
                missed = int((clock.time() - start) / self.frame_s)
                frame = min(max(frame, missed), self.num_frames - 1)
                self._know_before(frame)
                self.log.num_ticks += await client.send_tick(frame) is not None
                if self._console.is_terminal and not self._console.quiet:
                    live.update(self._line(frame), refresh=True)
                frame += 1
            await _until(start + self.num_frames * self.frame_s)
        self._know_before(self.num_frames)

    def _know_before(self, frame: int) -> None:
        """Give the jam the notes of the frames that are over."""
        while self._events and self._events[0].frame < frame:
            self.jam.note(self._events.popleft())

    def _line(self, frame: int) -> Text:
        ahead = self.jam.next_chord()
        trip = "-" if self._round_trip_ms is None else f"{self._round_trip_ms:.0f}"
        return Text(
            f"beat {beat_of(frame):4}   {self.jam.frames[frame].symbol:8} next {ahead.symbol if ahead else NO_CHORD:8}"
            f" round trip {trip:>4} of {self.budget_ms:.0f} ms   late {self.jam.late_frames}"
        )


async def _until(moment: float) -> None:
    """Sleep until the loop's clock shows `moment` (seconds); not at all if that is over."""
    await asyncio.sleep(max(0.0, moment - asyncio.get_running_loop().time()))
