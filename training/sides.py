"""Which songs a run learns from, stops by and is tested on, from what its config says of corpora. Shell."""

import math
from pathlib import Path
from typing import Protocol

from training.corpora import CORPORA, CorpusProblem
from training.frames import Pop909Chords, cached_songs
from training.split import Side, split


class SongChoice(Protocol):
    """What a config says about the songs it wants."""

    @property
    def corpora(self) -> tuple[str, ...]:
        """Trained on."""

    @property
    def pop909_chords(self) -> Pop909Chords:
        """Whose chords POP909 has."""

    @property
    def apart(self) -> tuple[str, ...]:
        """Read only so that no variant of their tunes is trained on."""

    @property
    def mix(self) -> dict[str, float] | None:
        """Share of each corpus."""


def sides_of(config: SongChoice, data: Path, cache: Path) -> Side:
    """The songs of the config's corpora, split; variants of tunes in `config.apart` are for the test. Raises CorpusProblem."""
    if both := sorted(set(config.corpora) & set(config.apart)):
        raise CorpusProblem(f"expected corpora that are trained on or kept apart, got {', '.join(both)} in both lists")
    if config.mix is not None and not (
        set(config.mix) == set(config.corpora) and all(0 < share < math.inf for share in config.mix.values())
    ):
        raise CorpusProblem(f"expected a positive share in mix for each of {', '.join(config.corpora)}, got {config.mix}")
    present = [name for name in config.apart if name in CORPORA and (data / CORPORA[name].folder).is_dir()]
    for name in sorted(set(config.apart) - set(present)):
        print(f"{name} is not in {data}: variants of its tunes are not looked for, so they may be trained on", flush=True)
    sides = split(cached_songs(data, (*config.corpora, *present), cache, pop909_chords=config.pop909_chords), config.apart)
    without = sorted(set(config.corpora) - {song.corpus for song in sides.train})
    if without or not sides.valid:
        got = f"{len(sides.train)} and {len(sides.valid)}" + (f", none of {', '.join(without)} to train on" if without else "")
        raise CorpusProblem(f"expected songs to train on and songs to stop by, got {got}: the corpus in {data} is too small")
    return sides
