"""The checkpoint that comes with the package: whole, accepted, and musical enough to be heard."""

import numpy as np
import pytest

from inference.__main__ import prepare
from inference.checkpoints import read_manifest
from inference.engine import programs
from inference.loop import answer
from inference.planner import Bucket
from inference.settings import EngineSettings
from schema.client_messages import Settings
from schema.grid import FRAMES_PER_BEAT
from sideman.paths import DEFAULT_CHECKPOINT
from sideman.simulate import Player, rounds
from sideman.tunes import FIXTURES, read_tune
from training.evaluate import Accompanied, figures

pytestmark = pytest.mark.slow

BUCKETS = (Bucket(1, 1, 4), Bucket(2, 1, 1), Bucket(2, 64, 1))
SILENCE_BEATS = 4


def test_it_loads_keeps_its_golden_plan_and_accompanies_a_tune():
    """Live, at the temperature it suggests: notes lie in the chords more often than a third of the time, and the chords change."""
    manifest = read_manifest(DEFAULT_CHECKPOINT)
    assert manifest.data
    assert all(source.licence for source in manifest.data)
    programs.cache_clear()  # other tests of this process may have compiled shapes of their own
    resident = prepare(DEFAULT_CHECKPOINT, live=EngineSettings(2, BUCKETS))  # raises unless the golden plan matches
    assert resident.info.name == manifest.model
    tune = read_tune(FIXTURES / "auld_lang_syne.mid")
    settings = Settings(model=manifest.model, temperature=manifest.temperature, silence_beats=SILENCE_BEATS, commit_beats=0)
    player = Player(tune, [resident.info], settings, name="auld", seed=1)
    for asked in rounds([player]):
        for reply in answer(resident, [request for _, request in asked]):
            player.take(reply)
    heard = figures([Accompanied(tune.melody, np.array(player.sounded), tune.beats_per_bar, SILENCE_BEATS * FRAMES_PER_BEAT)])
    assert heard.note_in_chord > 0.35
    assert heard.chords_per_song >= 2
    assert heard.beats_per_change < 32
    assert heard.silent_share < 0.2
    assert resident.engine.compiled == len(BUCKETS) + 1  # and the copying of slots
