"""Chords for the whole melody of a MIDI file: a lead sheet on the screen, a MIDI file, JSON. Shell."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from sideman_client.client import connect
from sideman_client.errors import BadOption, SidemanError
from sideman_client.generated import FRAMES_PER_BEAT
from sideman_client.generated.chords import CHORD_TONES
from sideman_client.generated.messages import ChordRun, Configure, Density, MelodyRun, Style, Voicing
from sideman_client.jam import Jam, Sounding
from sideman_client.midi import Tune, read_melody, write_jam
from sideman_client.play import BEATS_PER_BAR, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, MAX_BPM, MIN_BPM

LINE_WIDTH = 80


@dataclass(frozen=True)
class HarmonizeOptions:
    """What to harmonize, where, and how; a None leaves the choice to the server."""

    tune: Path
    url: str
    settings: Configure = field(default_factory=Configure)
    track: str | None = None
    out: Path | None = None
    json: Path | None = None
    quiet: bool = False


class Harmony(msgspec.Struct, frozen=True):
    """A harmonized tune, as JSON has it; frames are sixteenth notes from the bar line at or before the first note."""

    tune: str
    tempo_bpm: float
    beats_per_bar: int
    frames: int
    note_in_chord: float | None  # share of the frames with a note in which it is a chord tone
    chords: list[ChordRun]


async def harmonize(options: HarmonizeOptions) -> Harmony:
    """Ask the server for chords and write what was asked for. Raises SidemanError leaves."""
    tune = read_melody(options.tune, track=options.track, beats_per_bar=options.settings.beats_per_bar)
    melody = melody_of(tune)
    settings = msgspec.structs.replace(options.settings, bpm=min(max(tune.tempo_bpm, MIN_BPM), MAX_BPM), beats_per_bar=tune.beats_per_bar)
    columns = (TextColumn("harmonizing"), BarColumn(), TaskProgressColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=options.quiet or not console.is_terminal) as progress:
        task = progress.add_task("", total=tune.num_frames)
        async with connect(options.url, name="sideman harmonize") as client:
            await client.configure(settings)
            chords = await client.harmonize(
                melody, tune.num_frames, on_progress=lambda decided, _: progress.update(task, completed=decided)
            )
    harmony = Harmony(options.tune.name, tune.tempo_bpm, tune.beats_per_bar, tune.num_frames, note_in_chord(melody, chords), chords)
    if options.out is not None:
        write_jam(options.out, melody, frames_of(chords), tempo_bpm=tune.tempo_bpm, beats_per_bar=tune.beats_per_bar)
    if options.json is not None:
        await asyncio.to_thread(write_json, options.json, harmony)
    return harmony


def melody_of(tune: Tune) -> list[MelodyRun]:
    """The tune on a monophonic grid (G3)."""
    jam = Jam()
    for event in tune.events:
        jam.note(event)
    return jam.melody_runs(0, tune.num_frames)


def frames_of(chords: Sequence[ChordRun]) -> list[Sounding]:
    """The chords frame by frame."""
    return [
        Sounding(frame, run.symbol, tuple(run.pitches), run.onset and frame == run.start, planned=True, late=False)
        for run in chords
        for frame in range(run.start, run.start + run.length)
    ]


def note_in_chord(melody: Sequence[MelodyRun], chords: Sequence[ChordRun]) -> float | None:
    """Share of the frames with a note and a chord in which the note is one of its tones; None if there is no such frame."""
    tones = [CHORD_TONES[run.symbol] for run in chords for _ in range(run.length)]
    judged = [note.pitch % 12 in tones[frame] for note in melody for frame in range(note.start, note.start + note.length) if tones[frame]]
    return sum(judged) / len(judged) if judged else None


def lead_sheet(chords: Sequence[ChordRun], beats_per_bar: int) -> str:
    """Bars between strokes, lines of whole bars; a bar without a new chord repeats the one that sounds."""
    bar = beats_per_bar * FRAMES_PER_BEAT
    symbols = [run.symbol for run in chords for _ in range(run.length)]
    begins = {run.start for run in chords}
    lines = ["|"]
    for start in range(0, len(symbols), bar):
        told = [symbols[f] for f in range(start, min(start + bar, len(symbols))) if f == start or f in begins]
        text = f" {' '.join(told)} |"
        if len(lines[-1]) + len(text) > LINE_WIDTH:
            lines.append("|")
        lines[-1] += text
    return "\n".join(lines)


def summary(harmony: Harmony) -> str:
    """The lead sheet and a line of figures."""
    bars = -(-harmony.frames // (harmony.beats_per_bar * FRAMES_PER_BEAT))
    fits = "" if harmony.note_in_chord is None else f"; the note is in the chord {harmony.note_in_chord:.0%} of the time"
    return f"{lead_sheet(harmony.chords, harmony.beats_per_bar)}\n{bars} bars, {len(harmony.chords)} chords{fits}"


def write_json(path: Path, harmony: Harmony) -> None:
    """The chords as JSON. Raises BadOption if the file cannot be written."""
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(harmony), indent=2) + b"\n")
    except OSError as problem:
        raise BadOption(expected=f"to write {path}", got=problem.strerror or "no success", advice="choose another --json") from None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare everything `run` reads."""
    parser.add_argument("tune", type=Path, help="a MIDI file with a melody in it, of any length")
    parser.add_argument("--url", help="the server, ws://... or wss://...")
    parser.add_argument("--out", type=Path, help="write melody and chords to this MIDI file, with chord symbols as markers")
    parser.add_argument("--json", type=Path, help="write the chords to this JSON file")
    parser.add_argument("--track", help="number (from 1) or name of the track that holds the melody")
    parser.add_argument(
        "--beats-per-bar", type=int, choices=BEATS_PER_BAR, metavar="N", help="metre in quarter notes, instead of the file's"
    )
    parser.add_argument("--temperature", type=float, help="0 is the likeliest, higher is freer; each run is another take")
    parser.add_argument("--density", choices=get_args(Density), help="how often chords change")
    parser.add_argument("--style", choices=get_args(Style), help="what kind of music it is")
    parser.add_argument("--voicing", choices=get_args(Voicing), help="how chords are laid out")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")


def options_of(args: argparse.Namespace) -> HarmonizeOptions:
    """The options a command line asked for. Raises BadOption without a server."""
    if args.url is None:
        raise BadOption(expected="the address of a server", got="none", advice="give --url ws://host:port")
    settings = Configure(
        beats_per_bar=args.beats_per_bar, temperature=args.temperature, density=args.density, style=args.style, voicing=args.voicing
    )
    return HarmonizeOptions(args.tune, args.url, settings, args.track, args.out, args.json, args.quiet)


def run(args: argparse.Namespace) -> int:
    """Harmonize what the command line asked for, print the lead sheet, and give the exit status."""
    try:
        harmony = asyncio.run(harmonize(options_of(args)))
    except SidemanError as problem:
        print(problem, file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    if not args.quiet:
        print(summary(harmony))
    return EXIT_OK
