"""`sideman bench drafts`: every way plans the same, and what it took is told."""

import argparse

import pytest

from sideman import bench_drafts
from sideman.bench_drafts import measure, table
from sideman.tunes import fixture_tunes


@pytest.mark.slow
def test_drafts_change_how_many_calls_a_plan_takes_and_nothing_else(tiny_checkpoint):
    ways = measure(tiny_checkpoint, fixture_tunes()[:1], 1.0, checked=(0, 4))
    stepped, checked = ways
    assert stepped.plans == checked.plans > 100
    assert stepped.surprised == checked.surprised > 10
    assert (stepped.differing, stepped.frames_a_call) == (0, 1.0)
    assert checked.differing <= 0.02 * checked.plans  # float32 adds in another order: near ties may change places
    assert checked.calls_mean < stepped.calls_mean
    assert table("tiny", 1.0, ways).row_count == 2


@pytest.mark.parametrize("missing", ["checkpoint", "data"])
def test_what_is_missing_is_one_sentence(tmp_path, capsys, missing):
    arguments = argparse.Namespace(checkpoint=tmp_path / "none", data=None, melodies=1, temperature=1.0, json=None)
    if missing == "data":
        arguments.data = tmp_path / "none"
    assert bench_drafts.run(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("sideman bench drafts: ")
    assert error.count("\n") == 1
