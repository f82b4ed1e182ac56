"""Values on their way to the worker and back."""

import sys
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.engine_messages import OFFLINE, ModelInfo, golden_request, live_models, offline_model, pack_values, player_of, unpack_values
from schema.tokens import NUM_CHORD_VALUES, NUM_MELODY_VALUES
from tests.schema_strategies import FEW

wire_values = st.lists(st.integers(0, 0xFFFF), max_size=300)


@FEW
@given(wire_values)
def test_values_come_back(values: list[int]):
    """Unpacking is the inverse of packing, two bytes a value, low byte first."""
    data = pack_values(values)
    assert unpack_values(data) == values
    assert data == b"".join(value.to_bytes(2, "little") for value in values)


def test_every_value_fits():
    """The whole vocabulary fits sixteen bits; what does not fit is refused rather than cut."""
    assert max(NUM_CHORD_VALUES, NUM_MELODY_VALUES) <= 0x10000
    assert unpack_values(pack_values(range(NUM_CHORD_VALUES))) == list(range(NUM_CHORD_VALUES))
    for value in (-1, 0x10000):
        with pytest.raises(OverflowError):
            pack_values([value])


def test_half_a_value_is_refused():
    """An odd number of bytes is a ValueError."""
    with pytest.raises(ValueError, match="multiple of item size"):
        unpack_values(b"\x01\x00\x02")


def test_the_other_byte_order_swaps(monkeypatch: pytest.MonkeyPatch):
    """A machine of the other byte order turns every value round, both ways."""
    other = "big" if sys.byteorder == "little" else "little"
    native = array("H", [1, 0x0203])
    monkeypatch.setattr(sys, "byteorder", other)
    swapped = pack_values([1, 0x0203])
    assert unpack_values(swapped) == [1, 0x0203]
    native.byteswap()
    assert (swapped == native.tobytes()) == (other == "big")


def test_the_golden_request_asks_for_eight_beats_after_playing_alone():
    """Melody and silence are known up to the first planned frame, everything is sampled at temperature 1 with nothing specified."""
    request = golden_request([61, 189, 0], 3, "online")
    assert request.seed == 3
    assert (request.window_start, request.first_frame, request.lookahead_frames) == (0, 3, 32)
    assert unpack_values(request.melody) == [61, 189, 0]
    assert unpack_values(request.chords) == [0, 0, 0]
    assert (request.temperature, request.density, request.style) == (1.0, 0, 0)


def test_the_golden_request_of_an_offline_model_asks_for_chords_under_all_of_the_melody():
    """No chord is known, the whole melody is."""
    request = golden_request([61, 189, 0], 3, OFFLINE)
    assert (request.window_start, request.first_frame, request.lookahead_frames) == (0, 0, 3)
    assert unpack_values(request.melody) == [61, 189, 0]
    assert request.chords == b""


@pytest.mark.parametrize(("variant", "offline"), [("online", False), ("rl-m", False), ("offline", True)])
def test_only_an_offline_model_hears_everything_first(variant: str, offline: bool):
    """The variant decides."""
    assert ModelInfo("any", variant, 0.8).is_offline is offline


@pytest.mark.parametrize(("session", "player"), [("f3a9", "f3a9"), ("f3a9/harmonize", "f3a9"), ("f3a9/a/b", "f3a9")])
def test_the_player_stands_before_the_first_stroke(session: str, player: str):
    """What a player asks for beside live plans has a session of its own."""
    assert player_of(session) == player


def test_players_choose_among_live_models_and_the_first_offline_one_helps():
    models = {name: ModelInfo(name, variant, 0.8) for name, variant in (("a", "online"), ("b", OFFLINE), ("c", "rl-m"), ("d", OFFLINE))}
    assert list(live_models(models)) == ["a", "c"]
    assert offline_model(models) == models["b"]
    assert offline_model(live_models(models)) is None
