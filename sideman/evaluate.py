"""`sideman evaluate`: accompaniment of held-out melodies by the serving code, in numbers and pictures. Shell.

All play the same songs (`accompany`): the people who wrote the chords; floors without a model; every live checkpoint, in each of the
ways asked for; and every offline checkpoint, which hears the whole melody first and so shows what playing along costs. Three short
jams more show how each finds its way: from a cold start, after a silence, and when the melody jumps to a far key.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import NamedTuple, get_args

import msgspec
import numpy as np
from flax import nnx
from rich.console import Console

from inference.__main__ import prepare, use_compilation_cache
from inference.errors import SameName, WorkerProblem
from inference.loop import Resident
from schema.grid import FRAMES_PER_BEAT, WINDOW_FRAMES
from schema.manifest import DamagedCheckpoint
from sideman.accompany import HUMAN, RULE_OFFLINE, SILENCE_BEATS, Way, accompany, engine_settings, floors, harmonize, human
from sideman.paths import SHIPPED_CHECKPOINTS, compilation_cache, frames_cache
from sideman.report import AFTER_SILENCE, COLD_START, JUMP, JUMP_BEAT, JUMP_SEMITONES, Report, Row, adaptation_table, draw, figures_table
from training.corpora import CORPORA, CorpusProblem, Song
from training.diversity import vendi
from training.evaluate import CONFIDENCE, RESAMPLES, Accompanied, Kind, curve, first_bar_gain, measure
from training.frames import Pop909Chords, cached_songs
from training.reward_models import Contrastive
from training.reward_store import load_rewards
from training.split import OUT_OF_DISTRIBUTION, split
from training.windows import jumped_chords, jumped_melody

BEGINNING_BEATS, JUMP_BEATS = 32, 48  # lengths of the short jams
COMMITS = (0, 2, 4)
DEFAULT_WAYS = (
    *(Way(commit, 1.0) for commit in COMMITS),
    Way(0, 1.0, primed=True),
    Way(0, 1.0, warm=True),
    Way(2, 0.8),
    Way(2, 0.8, warm=True),
)


class NoPlots(RuntimeError):
    """Pictures were asked for, and there is nothing to draw them with."""

    def __str__(self) -> str:
        return "expected matplotlib for --plots, got none installed: pip install 'sideman[evaluate]', or leave out --plots"


class NoOfflineModel(RuntimeError):
    """Warm starts were asked for, and no model is there to make them."""

    def __str__(self) -> str:
        return "expected an offline model for --warm, got live ones only: name one with --checkpoint, or leave out --warm"


class Jam(NamedTuple):
    """A short jam: the beats that are judged, and the silence before them."""

    beats: int
    silence_beats: int
    songs: list[Song]


# ---- what they play ----


def held_out(data: Path, names: Sequence[str], *, cache: Path, count: int = 0, pop909_chords: Pop909Chords = "cl") -> list[Song]:
    """The test songs of the named corpora, of each at most `count` evenly spread ones (0: all). Raises CorpusProblem.

    The split is the one that `training/configs/*_all.toml` and `offline_*.toml` make: over every corpus that may be shipped and the
    one kept apart, as far as they are there, so that a variant of a Nottingham tune is never trained on and always tested on. Songs
    of POP909 must also be for the test when POP909 is split alone: the shipped weights began there (`online_small.toml`).
    """
    read = [name for name, corpus in CORPORA.items() if name in names or (_in_training(name) and (data / corpus.folder).is_dir())]
    with redirect_stdout(StringIO()):  # what the readers left out is told in training
        songs = cached_songs(data, read, cache, pop909_chords=pop909_chords)
    began = {song.name for song in split([song for song in songs if song.corpus == "pop909"]).test}
    test = [song for song in split(songs).test if song.corpus != "pop909" or song.name in began]
    result = [song for name in CORPORA if name in names for song in spread([song for song in test if song.corpus == name], count)]
    if not result:
        raise CorpusProblem(f"expected held-out songs in {', '.join(names)}, got none: name another corpus")
    return result


def _in_training(name: str) -> bool:
    return CORPORA[name].shippable or name == OUT_OF_DISTRIBUTION


def spread(songs: Sequence[Song], count: int) -> list[Song]:
    """At most `count` of the songs (0: all) at even distances in the order of their names."""
    ordered = sorted(songs, key=lambda song: song.name)
    number = min(count or len(ordered), len(ordered))
    return [ordered[index * len(ordered) // number] for index in range(number)]


def opening(song: Song, beats: int, jump_beat: int | None = None) -> Song:
    """The first beats of a song; from `jump_beat` on everything is JUMP_SEMITONES higher."""
    melody, chords = (values[: beats * FRAMES_PER_BEAT] for values in (song.melody, song.chords))
    if jump_beat is not None:
        frame = jump_beat * FRAMES_PER_BEAT
        melody, chords = jumped_melody(melody, frame, JUMP_SEMITONES), jumped_chords(chords, frame, JUMP_SEMITONES)
    return replace(song, melody=melody, chords=chords)


def jams(songs: Sequence[Song]) -> dict[str, Jam]:
    """The short jams."""
    return {
        COLD_START: Jam(BEGINNING_BEATS, 0, [opening(song, BEGINNING_BEATS) for song in songs]),
        AFTER_SILENCE: Jam(BEGINNING_BEATS, SILENCE_BEATS, [opening(song, SILENCE_BEATS + BEGINNING_BEATS) for song in songs]),
        JUMP: Jam(JUMP_BEATS, 0, [opening(song, JUMP_BEATS, JUMP_BEAT) for song in songs]),
    }


# ---- the report ----


def evaluate(
    songs: Sequence[Song],
    residents: Mapping[str, Resident],
    ways: Sequence[Way],
    pop909_chords: Pop909Chords = "cl",
    ear: Contrastive | None = None,
) -> Report:
    """All rows and curves. The first of the ways is a plain one; in the short jams it is how live models play.

    With an `ear` rows have a Vendi score of the chords as it embeds them.

    Offline models play at each of the ways' temperatures, and the first of them makes warm starts.
    """
    live, offline = ({name: r for name, r in residents.items() if r.info.is_offline is hears_all} for hears_all in (False, True))
    helpers = [*offline.values()][:1]
    written = human(songs)
    heard: list[tuple[str, Kind, str, list[Accompanied]]] = [(HUMAN, "people", "", written)]
    heard += [(name, "floor", "", chords) for name, chords in floors(songs).items()]
    heard += [(name, "live", way.name, accompany([r, *helpers], songs, way)) for name, r in live.items() for way in ways]
    heard += [
        (name, "offline", f"hears all, T {temperature:g}", harmonize(r, songs, temperature))
        for name, r in offline.items()
        for temperature in dict.fromkeys(way.temperature for way in ways)
    ]
    rows = [
        Row(name, kind, way, measure(chords, written), None if ear is None else diversity(ear, chords)) for name, kind, way, chords in heard
    ]
    short = {name: (jam, _short(jam, live, offline, ways[0])) for name, jam in jams(songs).items()}
    adaptation = {name: [curve(*played, jam.beats) for played in heard] for name, (jam, heard) in short.items()}
    after = {name: chords for name, _, chords in short[AFTER_SILENCE][1]}
    gains = {name: first_bar_gain(after[f"{name}, warm"], after[name]) for name in after if f"{name}, warm" in after}
    corpora = sorted({song.corpus for song in songs})
    return Report(corpora, pop909_chords, RESAMPLES, CONFIDENCE, rows, ways[0].name, adaptation, gains)


def diversity(ear: Contrastive, songs: Sequence[Accompanied]) -> float:
    """Vendi score of the accompaniments in whole windows; shorter songs are heard to their end, silence behind it."""
    padded = [np.pad(song.chords[song.first :], (0, -len(song.chords[song.first :]) % WINDOW_FRAMES)) for song in songs]
    windows = np.concatenate([chords.reshape(-1, WINDOW_FRAMES) for chords in padded]).astype(np.int32)
    return vendi(np.asarray(nnx.jit(lambda ear, chords: ear.embed_chords(chords))(ear, windows), np.float64))


def chord_ear(folder: Path) -> Contrastive:
    """The contrastive reward model on whole windows. Raises CorpusProblem if it is not there."""
    for learnt in load_rewards(folder):
        if isinstance(learnt.model, Contrastive) and (learnt.report.hears, learnt.report.frames) == ("values", WINDOW_FRAMES):
            return learnt.model
    raise CorpusProblem(f"expected a contrastive reward model on {WINDOW_FRAMES} frames in {folder}, got others: train it (train_reward)")


def _short(
    jam: Jam, live: Mapping[str, Resident], offline: Mapping[str, Resident], plain: Way
) -> list[tuple[str, Kind, list[Accompanied]]]:
    """Who is heard in a short jam; warm starts only where there is a silence for them."""
    songs, silence = jam.songs, jam.silence_beats
    heard: list[tuple[str, Kind, list[Accompanied]]] = [(HUMAN, "people", human(songs, silence))]
    heard += [(name, "floor", chords) for name, chords in floors(songs, silence).items() if name != RULE_OFFLINE]
    cold = plain._replace(silence_beats=silence)
    for name, resident in live.items():
        heard.append((name, "live", accompany([resident], songs, cold)))
        if offline and silence:
            warm = accompany([resident, *offline.values()][:2], songs, cold._replace(warm=True))
            heard.append((f"{name}, warm", "live", warm))
    heard += [(name, "offline", harmonize(r, songs, plain.temperature, silence)) for name, r in offline.items()]
    return heard


# ---- the command ----


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder that holds the corpora (pop909, ...)")
    add(
        "--checkpoint",
        type=Path,
        action="append",
        help="model to evaluate, live or offline; again for more (default: the shipped ones)",
    )
    add("--corpus", action="append", choices=list(CORPORA), help="held-out songs of this corpus; again for more (default: pop909)")
    add("--songs", type=_at_least_one, default=0, metavar="N", help="only N held-out songs of each corpus, evenly spread (default: all)")
    add(
        "--pop909-chords",
        choices=get_args(Pop909Chords),
        default="cl",
        help="whose chords are the human ones of POP909: POP909-CL's, or POP909's own (default: %(default)s)",
    )
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
    add("--warm", action="store_true", help="each way again, warm-started by the first offline model")
    add("--wrong-metre", action="store_true", help="the first way again, told the middle of each bar as its beginning")
    add("--cache", type=Path, help="folder for the converted corpora (default: the user's cache folder)")
    add(
        "--rewards", type=Path, metavar="DIR", help="reward models (the --out of training.train_reward): adds the Vendi score of the chords"
    )
    add("--json", type=Path, help="write everything here")
    add("--plots", type=Path, metavar="DIR", help="write three PNG pictures there (needs matplotlib)")


def ways_of(arguments: argparse.Namespace) -> list[Way]:
    """What is asked for, a plain way first; with neither commit, temperature, priming nor warm start named, DEFAULT_WAYS."""
    if arguments.commit is None and arguments.temperature is None and not arguments.primed and not arguments.warm:
        ways = [*DEFAULT_WAYS]
    else:
        temperature = 1.0 if arguments.temperature is None else arguments.temperature
        plain = [Way(commit, temperature) for commit in dict.fromkeys(arguments.commit or COMMITS)]
        ways = plain + [way._replace(primed=True) for way in plain if arguments.primed]
        ways += [way._replace(warm=True) for way in plain if arguments.warm]
    return ways + [ways[0]._replace(wrong_metre=True)] * arguments.wrong_metre


def run(arguments: argparse.Namespace) -> int:
    """The command."""
    try:
        if arguments.plots is not None and find_spec("matplotlib") is None:
            raise NoPlots
        cache, chords = arguments.cache or frames_cache(), arguments.pop909_chords
        ear = None if arguments.rewards is None else chord_ear(arguments.rewards)
        songs = held_out(arguments.data, arguments.corpus or ["pop909"], cache=cache, count=arguments.songs, pop909_chords=chords)
        use_compilation_cache(compilation_cache())
        settings = engine_settings(len(songs))
        residents = {name: prepare(path, **settings) for name, path in names(arguments.checkpoint or shipped()).items()}
        ways = playable(ways_of(arguments), residents, insist=arguments.warm)
    except (CorpusProblem, DamagedCheckpoint, NoOfflineModel, NoPlots, WorkerProblem) as problem:
        print(f"sideman evaluate: {problem}", file=sys.stderr)
        return 2
    report = evaluate(songs, residents, ways, chords, ear)
    console = Console(width=max(144, Console().width))
    console.print(figures_table(report), "", adaptation_table(report))
    if arguments.json is not None:
        arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
    if arguments.plots is not None:
        draw(report, arguments.plots)
    return 0


def shipped() -> list[Path]:
    """The checkpoints that come with the package."""
    return [path for path in SHIPPED_CHECKPOINTS if path.is_dir()]


def playable(ways: Sequence[Way], residents: Mapping[str, Resident], *, insist: bool) -> list[Way]:
    """The ways without warm ones if there is no offline model. Raises NoOfflineModel for those if they `insist`, SameName."""
    offline = [resident.info.name for resident in residents.values() if resident.info.is_offline][:1]
    live = [resident.info.name for resident in residents.values() if not resident.info.is_offline]
    if not offline and insist:
        raise NoOfflineModel
    if set(offline) & set(live):
        raise SameName((*live, *offline))
    return [way for way in ways if offline or not way.warm]


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
