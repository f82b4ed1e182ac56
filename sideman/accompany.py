"""Who chooses chords in `sideman evaluate`: people, floors without a model, models that play along, models that hear all. Shell.

Live models play through real sessions and the real planner, tick by tick; offline models harmonise the whole melody as `harmonize`
does. All are heard over the same frames: those behind the silence in which a live model only listens.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track

from gateway.harmony import Harmony
from inference.loop import Resident, answer
from inference.settings import LIVE, OFFLINE, EngineSettings
from schema.client_messages import Settings
from schema.engine_messages import PlanRequest
from schema.grid import FRAMES_PER_BEAT
from sideman.simulate import Player, answers, rounds
from training.corpora import Song
from training.evaluate import Accompanied, Planning
from training.rule_harmoniser import harmonise

SILENCE_BEATS = 8
SIDE_BY_SIDE = 128  # songs that play together, each with a slot of its own
ROWS_OFFLINE = 16  # whole melodies in one call: many wait at once here, and nobody plays meanwhile
HUMAN, ANOTHER, RULE, RULE_OFFLINE = "human", "another song's chords", "rule, online", "rule, offline"


class Way(NamedTuple):
    """One way for a live model to play the songs."""

    commit_beats: int
    temperature: float
    primed: bool = False  # the human chords sound for SILENCE_BEATS first
    warm: bool = False  # the silence counts as harmonised by an offline model (P10)
    wrong_metre: bool = False  # the session takes the middle of each bar for its beginning
    silence_beats: int = SILENCE_BEATS

    @property
    def name(self) -> str:
        """As the table has it."""
        told = [word for word, holds in (("primed", self.primed), ("warm", self.warm), ("wrong metre", self.wrong_metre)) if holds]
        return ", ".join([f"commit {self.commit_beats}", f"T {self.temperature:g}", *told])


def engine_settings(num_songs: int) -> dict[str, EngineSettings]:
    """How `prepare` holds models here: a slot for each song that plays beside others."""
    slots = min(num_songs, SIDE_BY_SIDE)
    wide = tuple(bucket._replace(rows=ROWS_OFFLINE) for bucket in OFFLINE.buckets)
    return {"live": EngineSettings(slots, LIVE.buckets), "offline": EngineSettings(slots, (*OFFLINE.buckets, *wide))}


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


def accompany(residents: Sequence[Resident], songs: Sequence[Song], way: Way) -> list[Accompanied]:
    """The chords that sound when the first of the residents is asked live, song beside song, frame by frame.

    A warm way needs an offline resident behind it.
    """
    taking_part = residents if way.warm else residents[:1]
    return [heard for start, group in _groups(songs) for heard in _side_by_side(taking_part, group, way, start)]


def harmonize(resident: Resident, songs: Sequence[Song], temperature: float, silence_beats: int = SILENCE_BEATS) -> list[Accompanied]:
    """The chords that an offline model finds for the whole of each melody."""
    return [
        _under(song, np.array(chords, np.int16), silence_beats)
        for start, group in _groups(songs)
        for song, chords in zip(group, _all_heard(resident, group, temperature, start), strict=True)
    ]


def _groups(songs: Sequence[Song]) -> Iterator[tuple[int, Sequence[Song]]]:
    """As many songs as play beside one another, and the place of their first: seeds go by place."""
    for start in range(0, len(songs), SIDE_BY_SIDE):
        yield start, songs[start : start + SIDE_BY_SIDE]


# ---- live ----


def _side_by_side(residents: Sequence[Resident], songs: Sequence[Song], way: Way, first_seed: int) -> list[Accompanied]:
    players = [_player(residents, song, way, first_seed + index) for index, song in enumerate(songs)]
    longest = max(len(player.song.melody) for player in players)
    for wave in track(rounds(players), total=longest, description=way.name, transient=True, console=Console(stderr=True)):
        by_session = {request.session: player for player, request in wave}
        for reply in answers(residents, [request for _, request in wave]):
            by_session[reply.session].take(reply)
    result = []
    for song, player in zip(songs, players, strict=True):
        sounded = np.array(player.sounded)[len(player.sounded) - len(song.melody) :]  # without the rest of a wrong metre
        planning = Planning(player.plans, player.steps, player.overlap, player.revised)
        result.append(_under(song, sounded, way.silence_beats)._replace(planning=planning))
    return result


def _player(residents: Sequence[Resident], song: Song, way: Way, seed: int) -> Player:
    """With a wrong metre half a bar of rest comes first: everything sounds as far from the bar line of the session's grid."""
    rest_beats = song.beats_per_bar // 2 if way.wrong_metre else 0
    melody, chords = (np.pad(values, (rest_beats * FRAMES_PER_BEAT, 0)) for values in (song.melody, song.chords))
    models = [resident.info for resident in residents]
    settings = Settings(
        model=models[0].name,
        commit_beats=way.commit_beats,
        temperature=way.temperature,
        silence_beats=way.silence_beats + rest_beats,
    )
    played = replace(song, melody=melody, chords=chords)
    name = f"{song.name} {seed} {len(song.melody)} {tuple(way)}"
    return Player(played, models, settings, name=name, seed=seed, primed_frames=way.silence_beats * FRAMES_PER_BEAT * way.primed)


# ---- offline ----


def _all_heard(resident: Resident, songs: Sequence[Song], temperature: float, first_seed: int) -> list[list[int]]:
    harmonies = [_harmony(resident, song, temperature, first_seed + index) for index, song in enumerate(songs)]
    by_session = {harmony.session: harmony for harmony in harmonies}
    description = f"whole melodies, T {temperature:g}"
    for requests in track(_windows(harmonies), total=None, description=description, transient=True, console=Console(stderr=True)):
        for reply in answer(resident, requests):
            by_session[reply.session].take(reply)
    return [harmony.chords for harmony in harmonies]


def _windows(harmonies: Sequence[Harmony]) -> Iterator[list[PlanRequest]]:
    """What is asked together: the next window of each melody that has one."""
    while requests := [request for harmony in harmonies if (request := harmony.next_request()) is not None]:
        yield requests


def _harmony(resident: Resident, song: Song, temperature: float, seed: int) -> Harmony:
    settings = Settings(model=resident.info.name, beats_per_bar=song.beats_per_bar, temperature=temperature)
    name = f"{song.name} {seed} {len(song.melody)} {temperature}"
    melody = song.melody.tolist()
    return Harmony(melody, [], session=name, seq=0, model=resident.info.name, settings=settings, seed=seed, bar_line=0)


def _under(song: Song, chords: np.ndarray, silence_beats: int) -> Accompanied:
    return Accompanied(song.melody, chords, song.beats_per_bar, silence_beats * FRAMES_PER_BEAT)
