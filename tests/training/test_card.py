"""Model cards say what is asked of them, from the checkpoint's own facts."""

import pytest

from schema.manifest import DataSource
from tests.tiny import OFFLINE_SIZES, SIZES
from training.card import CardFacts, card

DATA = [DataSource("Tunes", "CC0", 12, 3456), DataSource("Songs", "MIT", 1, 2)]


@pytest.mark.parametrize(
    ("variant", "sizes", "use"), [("online", SIZES, "Live accompaniment"), ("offline", OFFLINE_SIZES, "finished melody")]
)
def test_a_card_has_data_licences_figures_use_and_limits(variant, sizes, use):
    text = card(CardFacts("toy", variant, sizes, "likelihood", 1234567, 2600), data=DATA, metrics={"b": 0.25, "a": 3})
    assert text.startswith("# toy\n")
    assert f"Variant {variant} · 1,234,567 parameters" in text
    assert "| Tunes | CC0 | 12 | 3,456 |\n| Songs | MIT | 1 | 2 |" in text
    assert "| a | 3 |\n| b | 0.25 |" in text
    assert use in text.split("## Use")[1].split("## Limits")[0]
    assert text.split("## Limits")[1].count("\n- ") >= 4
    assert ("1 more to listen" in text) is (variant == "offline")


def test_a_card_says_how_the_weights_were_taught():
    imitates, rewarded = (card(CardFacts("toy", "x", SIZES, how, 1, 1), data=DATA, metrics={}) for how in ("likelihood", "reinforcement"))
    assert "it imitates" in imitates
    assert "it imitates" not in rewarded
    assert "no person has rated it" in rewarded
