"""`sideman evaluate`: live accompaniment of held-out melodies by the serving code, in numbers and pictures. Shell.

All play the same songs: the people who wrote the chords; floors without a model (chords by rule, another song's chords); and every
checkpoint, through real sessions and the real planner, tick by tick. Two short jams more for each checkpoint show how it finds its way:
from a cold start, without silence, and when the melody jumps to a far key.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from inference.__main__ import prepare, use_compilation_cache
from inference.errors import WorkerProblem
from inference.loop import Resident, answer
from inference.settings import LIVE, EngineSettings
from schema.client_messages import Settings
from schema.grid import FRAMES_PER_BEAT
from schema.manifest import DamagedCheckpoint
from sideman.paths import DEFAULT_CHECKPOINT, compilation_cache
from sideman.simulate import Player, rounds
from training.corpora import CORPORA, CorpusProblem, Song, readers
from training.evaluate import (
    CONFIDENCE,
    RESAMPLES,
    Accompanied,
    Curve,
    Measured,
    Planning,
    curve,
    jumped_chords,
    jumped_melody,
    measure,
)
from training.pop909 import read_pop909
from training.rule_harmoniser import harmonise
from training.windows import split

SILENCE_BEATS = 8
SIDE_BY_SIDE = 128  # songs that play together, each with a slot of its own
COLD_START_BEATS = 32
JUMP_BEATS, JUMP_BEAT, JUMP_SEMITONES = 48, 16, 6  # length of that jam, where and how far the melody jumps (ReaLchords, section 5.4)
COMMITS = (0, 2, 4)
HUMAN, ANOTHER, RULE, RULE_OFFLINE = "human", "another song's chords", "rule, online", "rule, offline"
COLD_START, JUMP = "cold start", "jump"
SPANS = {COLD_START: ((0, 4), (4, 8), (8, 16), (16, 32)), JUMP: ((8, 16), (16, 20), (20, 24), (24, 32), (32, 48))}  # beats
COLUMNS = (  # field of Figures, header, decimals
    ("note_in_chord", "NiC\npooled", 3),
    ("note_in_chord_by_song", "NiC\nby song", 3),
    ("onset_interval_emd", "onset\nEMD", 1),
    ("length_entropy", "length\nentropy", 2),
    ("silent_share", "silent\nshare", 3),
    ("overlong_share", "overlong\nshare", 3),
    ("change_on_bar", "on\nbar", 3),
    ("change_on_beat", "on\nbeat", 3),
    ("chords_per_song", "chords\n/song", 1),
    ("beats_per_change", "beats\n/change", 2),
    ("revised_share", "revised\nshare", 3),
    ("steps_per_plan", "steps\n/plan", 2),
)


class Way(NamedTuple):
    """One way for a model to play the songs."""

    commit_beats: int
    temperature: float
    primed: bool = False  # the human chords sound for SILENCE_BEATS first
    wrong_metre: bool = False  # the session takes the middle of each bar for its beginning
    silence_beats: int = SILENCE_BEATS

    @property
    def name(self) -> str:
        """As the table has it."""
        told = (", primed" if self.primed else "") + (", wrong metre" if self.wrong_metre else "")
        return f"commit {self.commit_beats}, T {self.temperature:g}{told}"


DEFAULT_WAYS = (*(Way(commit, 1.0) for commit in COMMITS), Way(0, 1.0, primed=True), Way(2, 0.8))


class NoPlots(RuntimeError):
    """Pictures were asked for, and there is nothing to draw them with."""

    def __str__(self) -> str:
        return "expected matplotlib for --plots, got none installed: pip install 'sideman[evaluate]', or leave out --plots"


class Row(msgspec.Struct, frozen=True):
    """One line of the table: who chose the chords, and in which way; without a model there is none."""

    name: str
    way: str
    measured: Measured


class Report(msgspec.Struct, frozen=True):
    """The whole evaluation; `adaptation` holds the curves of each short jam by its name."""

    corpora: list[str]
    resamples: int
    confidence: float
    rows: list[Row]
    adaptation_way: str  # in which the models play the short jams
    adaptation: dict[str, list[Curve]]


# ---- who plays ----


def human(songs: Sequence[Song], silence_beats: int = SILENCE_BEATS) -> list[Accompanied]:
    """The chords people wrote."""
    return [_under(song, song.chords, silence_beats) for song in songs]


def floors(songs: Sequence[Song], silence_beats: int = SILENCE_BEATS) -> dict[str, list[Accompanied]]:
    """Chords that no model chose: by rule, and those of the next song in the list."""
    following = [*songs[1:], *songs[:1]]
    chosen = {
        RULE: [harmonise(song.melody, song.beats_per_bar) for song in songs],
        RULE_OFFLINE: [harmonise(song.melody, song.beats_per_bar, offline=True) for song in songs],
        ANOTHER: [np.resize(other.chords, len(song.melody)) for song, other in zip(songs, following, strict=True)],
    }
    return {name: [_under(s, c, silence_beats) for s, c in zip(songs, chords, strict=True)] for name, chords in chosen.items()}


def accompany(resident: Resident, songs: Sequence[Song], way: Way) -> list[Accompanied]:
    """The chords that sound when the model is asked live, song beside song, frame by frame."""
    result = []
    for start in range(0, len(songs), SIDE_BY_SIDE):
        result += _side_by_side(resident, songs[start : start + SIDE_BY_SIDE], way, start)
    return result


def _side_by_side(resident: Resident, songs: Sequence[Song], way: Way, first_seed: int) -> list[Accompanied]:
    players = [_player(resident, song, way, first_seed + index) for index, song in enumerate(songs)]
    steps: Counter[str] = Counter()
    plans: Counter[str] = Counter()
    longest = max(len(player.song.melody) for player in players)
    for asked in track(rounds(players), total=longest, description=way.name, transient=True, console=Console(stderr=True)):
        by_name = {request.session: player for player, request in asked}
        for reply in answer(resident, [request for _, request in asked]):
            by_name[reply.session].take(reply)
            steps[reply.session] += reply.steps
            plans[reply.session] += 1
    result = []
    for index, (song, player) in enumerate(zip(songs, players, strict=True)):
        sounded = np.array(player.sounded)[len(player.sounded) - len(song.melody) :]  # without the rest of a wrong metre
        name = _session(song, way, first_seed + index)
        planning = Planning(plans[name], steps[name], player.overlap, player.revised)
        result.append(_under(song, sounded, way.silence_beats)._replace(planning=planning))
    return result


def _player(resident: Resident, song: Song, way: Way, seed: int) -> Player:
    """With a wrong metre half a bar of rest comes first: everything sounds as far from the bar line of the session's grid."""
    rest_beats = song.beats_per_bar // 2 if way.wrong_metre else 0
    melody, chords = (np.pad(values, (rest_beats * FRAMES_PER_BEAT, 0)) for values in (song.melody, song.chords))
    settings = Settings(
        model=resident.info.name,
        commit_beats=way.commit_beats,
        temperature=way.temperature,
        silence_beats=way.silence_beats + rest_beats,
    )
    primed_frames = way.silence_beats * FRAMES_PER_BEAT if way.primed else 0
    played = replace(song, melody=melody, chords=chords)
    return Player(played, resident.info, settings, name=_session(song, way, seed), seed=seed, primed_frames=primed_frames)


def _session(song: Song, way: Way, seed: int) -> str:
    return f"{song.name} {seed} {len(song.melody)} {tuple(way)}"


def _under(song: Song, chords: np.ndarray, silence_beats: int) -> Accompanied:
    return Accompanied(song.melody, chords, song.beats_per_bar, silence_beats * FRAMES_PER_BEAT)


# ---- what they play ----


def held_out(data: Path, names: Sequence[str], count: int = 0) -> list[Song]:
    """The test songs of the named corpora, of each at most `count` (0: all). Raises CorpusProblem.

    Corpora before the named ones in CORPORA take part in the split where they are there, so that variants are on the side they were
    on in training.
    """
    last = max(list(CORPORA).index(name) for name in names)
    songs: list[Song] = []
    for name in list(CORPORA)[: last + 1]:
        folder = data / CORPORA[name].folder
        if name in names or folder.is_dir():
            songs += (read_pop909(folder, "chord_midi") if name == "pop909" else readers()[name](folder)).songs
    test = split(songs).test
    chosen = [[song for song in test if song.corpus == name] for name in CORPORA if name in names]
    result = [song for of_corpus in chosen for song in of_corpus[: count or None]]
    if not result:
        raise CorpusProblem(f"expected held-out songs in {', '.join(names)}, got none: name another corpus")
    return result


def opening(song: Song, beats: int, jump_beat: int | None = None) -> Song:
    """The first beats of a song; from `jump_beat` on everything is JUMP_SEMITONES higher."""
    melody, chords = (values[: beats * FRAMES_PER_BEAT] for values in (song.melody, song.chords))
    if jump_beat is not None:
        frame = jump_beat * FRAMES_PER_BEAT
        melody, chords = jumped_melody(melody, frame, JUMP_SEMITONES), jumped_chords(chords, frame, JUMP_SEMITONES)
    return replace(song, melody=melody, chords=chords)


def jams(songs: Sequence[Song]) -> dict[str, tuple[int, list[Song]]]:
    """The short jams: their length in beats and what is played."""
    return {
        COLD_START: (COLD_START_BEATS, [opening(song, COLD_START_BEATS) for song in songs]),
        JUMP: (JUMP_BEATS, [opening(song, JUMP_BEATS, JUMP_BEAT) for song in songs]),
    }


# ---- the report ----


def evaluate(songs: Sequence[Song], residents: Mapping[str, Resident], ways: Sequence[Way]) -> Report:
    """All rows and curves. In the short jams the models play the first of the ways, without silence or priming."""
    written = human(songs)
    rows = [Row(name, "", measure(heard, written)) for name, heard in {HUMAN: written, **floors(songs)}.items()]
    rows += [Row(n, way.name, measure(accompany(r, songs, way), written)) for n, r in residents.items() for way in ways]
    cold = ways[0]._replace(silence_beats=0, primed=False, wrong_metre=False)
    adaptation = {}
    for jam, (beats, played) in jams(songs).items():
        heard = {HUMAN: human(played, 0)} | {name: chords for name, chords in floors(played, 0).items() if name != RULE_OFFLINE}
        heard |= {name: accompany(resident, played, cold) for name, resident in residents.items()}
        adaptation[jam] = [curve(name, accompanied, beats) for name, accompanied in heard.items()]
    return Report(sorted({song.corpus for song in songs}), RESAMPLES, CONFIDENCE, rows, cold.name, adaptation)


def figures_table(report: Report) -> Table:
    """The rows as people read them; below each figure half the width of its confidence interval."""
    title = f"{report.rows[0].measured.songs} held-out songs ({', '.join(report.corpora)})"
    caption = f"± half of the {report.confidence:.0%} confidence interval by bootstrap over songs; EMD in thousandths, entropy in nats"
    table = _table(title, caption)
    for _, header, _ in COLUMNS:
        table.add_column(header, justify="right")
    for row in report.rows:
        value, low, high = row.measured.figures, row.measured.low, row.measured.high
        cells = [_cell(getattr(value, name), getattr(low, name), getattr(high, name), digits) for name, _, digits in COLUMNS]
        table.add_row(Text.assemble(row.name, "\n", (row.way, "dim")), *cells)
    return table


def adaptation_table(report: Report) -> Table:
    """Mean note in chord of spans of beats in the short jams."""
    caption = f"cold start: from beat 0; jump: {JUMP_SEMITONES:+d} semitones at beat {JUMP_BEAT}; models play {report.adaptation_way}"
    table = _table("Note in chord by beats", caption)
    for jam, spans in SPANS.items():
        for begin, end in spans:
            table.add_column(f"{jam}\n{begin}-{end}", justify="right")
    for curves in zip(*(report.adaptation[jam] for jam in SPANS), strict=True):
        shares = [np.array(drawn.value[begin:end]) for drawn, spans in zip(curves, SPANS.values(), strict=True) for begin, end in spans]
        means = [share[~np.isnan(share)].mean() if not np.isnan(share).all() else None for share in shares]
        table.add_row(curves[0].name, *("" if mean is None else f"{mean:.3f}" for mean in means))
    return table


def _table(title: str, caption: str) -> Table:
    table = Table(title=title, title_justify="left", caption=caption, caption_justify="left", padding=(0, 1, 0, 0), box=SIMPLE_HEAD)
    table.add_column("chords")
    return table


def _cell(value: float | None, low: float | None, high: float | None, digits: int) -> Text:
    if value is None or low is None or high is None:
        return Text()
    return Text.assemble(f"{value:.{digits}f}", "\n", (f"±{(high - low) / 2:.{digits}f}", "dim"))


def draw(report: Report, folder: Path) -> None:
    """Three pictures: cold_start.png, jump.png, chord_lengths.png."""
    from training import plots  # whoever does not draw needs no matplotlib

    folder.mkdir(parents=True, exist_ok=True)
    about = f"{report.rows[0].measured.songs} held-out songs ({', '.join(report.corpora)}); models: {report.adaptation_way}"
    plots.draw_cold_start(folder / "cold_start.png", report.adaptation[COLD_START], about)
    plots.draw_jump(folder / "jump.png", report.adaptation[JUMP], about, (JUMP_BEAT, JUMP_SEMITONES))
    shown = [row for row in report.rows if row.name in (HUMAN, RULE) or row.way == report.adaptation_way]
    written, *others = [plots.Lengths(row.name, row.measured.chord_lengths, bool(row.way)) for row in shown]
    plots.draw_lengths(folder / "chord_lengths.png", written, others, about)


# ---- the command ----


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder that holds the corpora (pop909, ...)")
    add("--checkpoint", type=Path, action="append", help="model to evaluate; again for more (default: the shipped one)")
    add("--corpus", action="append", choices=list(CORPORA), help="held-out songs of this corpus; again for more (default: pop909)")
    add("--songs", type=_at_least_one, default=0, metavar="N", help="only the first N held-out songs of each corpus (default: all)")
    add(
        "--commit",
        type=int,
        action="append",
        choices=range(5),
        metavar="BEATS",
        help=f"beats committed; again for more (default: {COMMITS})",
    )
    add("--temperature", type=_temperature, metavar="T", help="of the chords, 0 to 2 (default: 1)")
    add("--primed", action="store_true", help=f"each way again, after {SILENCE_BEATS} beats of the human chords")
    add("--wrong-metre", action="store_true", help="the first way again, told the middle of each bar as its beginning")
    add("--json", type=Path, help="write everything here")
    add("--plots", type=Path, metavar="DIR", help="write three PNG pictures there (needs matplotlib)")


def ways_of(arguments: argparse.Namespace) -> list[Way]:
    """What is asked for; with neither commit, temperature nor priming named, DEFAULT_WAYS."""
    if arguments.commit is None and arguments.temperature is None and not arguments.primed:
        ways = [*DEFAULT_WAYS]
    else:
        temperature = 1.0 if arguments.temperature is None else arguments.temperature
        ways = [Way(commit, temperature) for commit in dict.fromkeys(arguments.commit or COMMITS)]
        ways += [way._replace(primed=True) for way in ways if arguments.primed]
    return ways + [ways[0]._replace(wrong_metre=True)] * arguments.wrong_metre


def run(arguments: argparse.Namespace) -> int:
    """The command."""
    try:
        if arguments.plots is not None and find_spec("matplotlib") is None:
            raise NoPlots
        songs = held_out(arguments.data, arguments.corpus or ["pop909"], arguments.songs)
        use_compilation_cache(compilation_cache())
        slots = min(len(songs), SIDE_BY_SIDE)
        checkpoints = arguments.checkpoint or [DEFAULT_CHECKPOINT]
        residents = {name: prepare(path, live=EngineSettings(slots, LIVE.buckets)) for name, path in names(checkpoints).items()}
    except (CorpusProblem, DamagedCheckpoint, NoPlots, WorkerProblem) as problem:
        print(f"sideman evaluate: {problem}", file=sys.stderr)
        return 2
    report = evaluate(songs, residents, ways_of(arguments))
    console = Console(width=max(130, Console().width))
    console.print(figures_table(report), "", adaptation_table(report))
    if arguments.json is not None:
        arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
    if arguments.plots is not None:
        draw(report, arguments.plots)
    return 0


def names(checkpoints: Sequence[Path]) -> dict[str, Path]:
    """Checkpoints by the names of their folders, or by their paths where folders are called alike."""
    alike = Counter(path.resolve().name for path in checkpoints)
    return {path.resolve().name if alike[path.resolve().name] == 1 else str(path): path for path in checkpoints}


def _at_least_one(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {number}")
    return number


def _temperature(text: str) -> float:
    if not 0 <= (number := float(text)) <= 2:
        raise argparse.ArgumentTypeError(f"expected 0 to 2, got {text}")
    return number
