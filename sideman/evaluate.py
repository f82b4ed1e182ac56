"""`sideman evaluate`: live accompaniment of held-out melodies by the serving code, in numbers. Shell."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from inference.__main__ import prepare, use_compilation_cache
from inference.errors import WorkerProblem
from inference.loop import Resident, answer
from inference.settings import WorkerSettings
from schema.client_messages import Settings
from schema.grid import FRAMES_PER_BEAT
from schema.manifest import DamagedCheckpoint
from sideman.paths import DEFAULT_CHECKPOINT, compilation_cache
from sideman.simulate import Player, rounds
from training.corpora import CorpusProblem, Song
from training.evaluate import Accompanied, Figures, figures
from training.pop909 import read_pop909
from training.windows import split

SILENCE_BEATS = 8


class Row(msgspec.Struct, frozen=True):
    """One line of the table."""

    name: str
    figures: Figures
    revised_share: float | None  # of planned, uncommitted chords: changed by the next plan
    steps_per_plan: float | None


def accompany(resident: Resident, songs: Sequence[Song], settings: Settings, *, primed: bool = False) -> Row:
    """All songs at once, frame by frame."""
    silence = SILENCE_BEATS * FRAMES_PER_BEAT
    players = [
        Player(song, resident.info, settings, name=f"{song.name} {settings}", seed=index, primed_frames=silence if primed else 0)
        for index, song in enumerate(songs)
    ]
    steps: list[int] = []
    longest = max(len(song.melody) for song in songs)
    for asked in track(rounds(players), total=longest, description=f"commit {settings.commit_beats}", transient=True):
        by_name = {request.session: player for player, request in asked}
        for reply in answer(resident, [request for _, request in asked]):
            by_name[reply.session].take(reply)
            steps.append(reply.steps)
    heard = [Accompanied(p.song.melody, np.array(p.sounded), p.song.beats_per_bar, silence) for p in players]
    overlap = sum(player.overlap for player in players)
    name = f"commit {settings.commit_beats} beats, temperature {settings.temperature:g}" + (", primed" if primed else "")
    return Row(name, figures(heard), sum(player.revised for player in players) / max(1, overlap), float(np.mean(steps)))


def human(songs: Sequence[Song]) -> Row:
    """The chords people wrote."""
    heard = [Accompanied(s.melody, s.chords, s.beats_per_bar, SILENCE_BEATS * FRAMES_PER_BEAT) for s in songs]
    return Row("human", figures(heard), None, None)


def another_song(songs: Sequence[Song]) -> Row:
    """A floor: the human chords of the next song in the list."""
    pairs = [(s, np.resize(songs[(i + 1) % len(songs)].chords, len(s.melody))) for i, s in enumerate(songs)]
    return Row("another song's chords", figures([Accompanied(s.melody, c, s.beats_per_bar, 32) for s, c in pairs]), None, None)


def table(rows: Sequence[Row]) -> Table:
    """The rows as people read them."""
    result = Table(title=f"{rows[0].figures.songs} held-out songs")
    columns = ("chords", "NiC pooled", "NiC by song", "on bar", "on beat", "beats/change", "silent", "chords/song", "revised", "steps")
    for column in columns:
        result.add_column(column, justify="left" if column == "chords" else "right")
    for row in rows:
        f = row.figures
        optional = [f"{value:.3f}" if value is not None else "" for value in (row.revised_share, row.steps_per_plan)]
        shares = [f"{value:.3f}" for value in (f.note_in_chord, f.note_in_chord_by_song, f.change_on_bar, f.change_on_beat)]
        result.add_row(row.name, *shares, f"{f.beats_per_change:.2f}", f"{f.silent_share:.3f}", f"{f.chords_per_song:.1f}", *optional)
    return result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the corpora (pop909)")
    parser.add_argument("--checkpoint", type=Path, default=DEFAULT_CHECKPOINT, help="model to evaluate (default: the shipped one)")
    parser.add_argument("--songs", type=int, default=0, help="only the first so many held-out songs (default: all)")
    parser.add_argument("--json", type=Path, help="write the figures here")


def run(arguments: argparse.Namespace) -> int:
    """The command."""
    try:
        songs = split(read_pop909(arguments.data / "pop909", "chord_midi").songs).test
    except CorpusProblem as problem:
        print(f"sideman evaluate: {problem}", file=sys.stderr)
        return 2
    songs = songs[: arguments.songs or None]
    use_compilation_cache(compilation_cache())
    try:
        resident = prepare(WorkerSettings(arguments.checkpoint, Path(), slots=len(songs)))
    except (DamagedCheckpoint, WorkerProblem) as problem:
        print(f"sideman evaluate: {problem}", file=sys.stderr)
        return 2
    defaults: dict[str, Any] = {"model": resident.info.name, "silence_beats": SILENCE_BEATS}
    rows = [human(songs), another_song(songs)]
    rows += [accompany(resident, songs, Settings(commit_beats=commit, temperature=1.0, **defaults)) for commit in (0, 2, 4)]
    rows.append(accompany(resident, songs, Settings(commit_beats=0, temperature=1.0, **defaults), primed=True))
    rows.append(accompany(resident, songs, Settings(commit_beats=2, temperature=0.8, **defaults)))
    Console(width=max(130, Console().width)).print(table(rows))
    if arguments.json is not None:
        arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(rows), indent=2))
    return 0
