"""Who chooses chords over a toy engine: people, floors, live models in all ways, models that hear all."""

import numpy as np
import pytest

from inference.planner import Bucket
from schema.tokens import NOTHING, NUM_CHORDS, first_break
from sideman import accompany as room
from sideman.accompany import Way, accompany, engine_settings, floors, harmonize, human
from tests.sideman.evaluated import SONGS, song, toy


@pytest.fixture
def live():
    return toy()


@pytest.fixture
def offline():
    return toy("all ears", "offline")


def chords_of(heard):
    return [each.chords.tolist() for each in heard]


def test_models_play_every_song_to_its_end(live):
    """Silence, then chords in every frame; the grammar holds; plans are counted per song."""
    for played, heard in zip(SONGS, accompany([live], SONGS, Way(2, 1.0)), strict=True):
        assert len(heard.chords) == len(played.melody)
        assert heard.first == 32
        assert not heard.chords[:32].any()
        assert heard.chords[32] != NOTHING
        assert first_break(heard.chords.tolist(), NUM_CHORDS) is None
        assert heard.planning.plans == len(played.melody) - 27  # one a tick, from the first plan that can sound at frame 32
        assert heard.planning.steps >= heard.planning.plans // 2
        assert heard.planning.overlap >= heard.planning.revised > 0


def test_a_primed_model_goes_on_from_the_human_chords(live):
    heard = accompany([live], SONGS[:1], Way(0, 1.0, primed=True))[0]
    assert heard.chords[:32].tolist() == SONGS[0].chords[:32].tolist()
    assert len(heard.chords) == len(SONGS[0].melody)


def test_a_warm_model_is_silent_as_long_and_goes_on_from_other_chords(live, offline):
    """Only a warm way asks the offline model; what sounds differs, the plans are as many."""
    cold = accompany([live, offline], SONGS, Way(0, 1.0))
    assert not offline.engine.calls
    warm = accompany([live, offline], SONGS, Way(0, 1.0, warm=True))
    assert offline.engine.calls
    assert chords_of(cold) == chords_of(accompany([live], SONGS, Way(0, 1.0)))
    for one, other in zip(cold, warm, strict=True):
        assert not other.chords[:32].any()
        assert other.chords[32] != NOTHING
        assert one.chords.tolist() != other.chords.tolist()
        assert one.planning.plans == other.planning.plans


def test_more_songs_than_fit_side_by_side_play_one_group_after_the_other(live, offline, monkeypatch):
    """Each sounds as before: seeds go with the song's place."""
    together = accompany([live], SONGS, Way(0, 1.0)), harmonize(offline, SONGS, 1.0)
    monkeypatch.setattr(room, "SIDE_BY_SIDE", 2)
    apart = accompany([live], SONGS, Way(0, 1.0)), harmonize(offline, SONGS, 1.0)
    assert [chords_of(heard) for heard in together] == [chords_of(heard) for heard in apart]


def test_a_wrong_metre_is_half_a_bar_of_rest_that_is_not_judged(live, monkeypatch):
    """The session hears everything two beats later (one in 3/4); what is measured is on the song's own grid, after as long a silence."""
    told = []
    make = room.Player

    def player(played, *args, **options):
        told.append(played)
        return make(played, *args, **options)

    monkeypatch.setattr(room, "Player", player)
    heard = accompany([live], SONGS, Way(0, 1.0, wrong_metre=True))
    for rest, original, shifted, result in zip((8, 8, 4), SONGS, told, heard, strict=True):
        assert not shifted.melody[:rest].any()
        assert shifted.melody[rest:].tolist() == original.melody.tolist()
        assert len(result.chords) == len(original.melody)
        assert not result.chords[:32].any()
        assert result.chords[32] != NOTHING


def test_a_model_that_hears_all_has_a_chord_in_every_frame(offline):
    """Over several windows; it is measured over the same frames as the others, and nothing was planned."""
    songs = [*SONGS, song("test/d", frames=400)]
    for played, heard in zip(songs, harmonize(offline, songs, 1.0), strict=True):
        assert len(heard.chords) == len(played.melody)
        assert heard.chords.all()
        assert first_break([NOTHING, *heard.chords.tolist()], NUM_CHORDS) is None
        assert (heard.first, heard.beats_per_bar, heard.planning) == (32, played.beats_per_bar, None)
    assert harmonize(offline, songs[:1], 1.0, silence_beats=0)[0].first == 0


def test_what_a_model_hears_depends_on_the_melody_behind_and_the_temperature(offline):
    changed = np.where(np.arange(96) < 90, SONGS[0].melody, 0).astype(np.int16)
    other = song("test/a")
    object.__setattr__(other, "melody", changed)
    first, second, cooler = (
        harmonize(offline, [played], temperature)[0].chords[:32].tolist()
        for played, temperature in ((SONGS[0], 1.0), (other, 1.0), (SONGS[0], 0.8))
    )
    assert first != second
    assert first != cooler


def test_floors_on_tiny_songs():
    """The next song's chords, repeated where it is shorter; rules on the song itself."""
    heard = floors(SONGS[:2])
    assert heard["another song's chords"][1].chords.tolist() == SONGS[0].chords[:80].tolist()
    assert heard["another song's chords"][0].chords.tolist() == [*SONGS[1].chords.tolist(), *SONGS[1].chords[:16].tolist()]
    online, offline = heard["rule, online"][0], heard["rule, offline"][0]
    assert not online.chords[:16].any()
    assert offline.chords[0] != NOTHING
    assert {each.first for of_name in heard.values() for each in of_name} == {32}
    assert chords_of(human(SONGS, 0)) == [each.chords.tolist() for each in SONGS]


def test_every_song_side_by_side_has_a_slot(monkeypatch):
    """And whole melodies share calls of many rows, for every shape an offline model has."""
    settings = engine_settings(3)
    assert (settings["live"].slots, settings["offline"].slots) == (3, 3)
    assert engine_settings(1000)["live"].slots == room.SIDE_BY_SIDE
    assert {Bucket(room.ROWS_OFFLINE, *bucket[1:]) for bucket in settings["offline"].buckets} <= {*settings["offline"].buckets}


def test_names_of_ways():
    assert Way(0, 1.0).name == "commit 0, T 1"
    assert Way(2, 0.8, warm=True).name == "commit 2, T 0.8, warm"
    assert Way(0, 1.0, primed=True, wrong_metre=True).name == "commit 0, T 1, primed, wrong metre"
