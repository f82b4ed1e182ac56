"""bfloat16 weights, keys and values beside float32: mostly the same plans, and always whole ones."""

import shutil

import jax
import jax.numpy as jnp
import msgspec
import pytest

from inference.__main__ import prepare
from inference.checkpoints import read_manifest, write_manifest
from inference.errors import GoldenMismatch
from inference.loop import answer, look_ahead
from inference.planner import Bucket
from inference.settings import EngineSettings
from schema.client_messages import Settings
from schema.engine_messages import unpack_values
from schema.tokens import NUM_CHORDS, first_break
from sideman.paths import DEFAULT_CHECKPOINT
from sideman.simulate import Player, rounds
from sideman.tunes import fixture_tunes
from tests.inference.jams import whole_melody

BUCKETS = (Bucket(2, 1, 1), Bucket(2, 64, 1))
FRAMES = 96  # of two tunes


@pytest.fixture(scope="module")
def residents():
    """The shipped model in both; `prepare` holds each to the golden plan, which is a float32 one."""
    return {numbers: prepare(DEFAULT_CHECKPOINT, live=EngineSettings(2, BUCKETS, numbers)) for numbers in ("float32", "bfloat16")}


def asked(resident, temperature):
    """Requests of two jams that follow the resident's plans, and these plans."""
    settings = Settings(model=resident.info.name, temperature=temperature, silence_beats=4, commit_beats=2)
    players = [Player(tune, [resident.info], settings, name=f"{temperature} {n}", seed=n) for n, tune in enumerate(fixture_tunes()[:2])]
    by_name = {f"{temperature} {n}": player for n, player in enumerate(players)}
    found = []
    for frame, wave in enumerate(rounds(players)):
        if frame == FRAMES:
            break
        requests = {request.session: request for _, request in wave}
        for reply in answer(resident, list(requests.values())):
            by_name[reply.session].take(reply)
            found.append((requests[reply.session], unpack_values(reply.chords)))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_the_share_of_plans_that_differ_in_bfloat16_is_bounded(residents, temperature):
    """The same requests, planned in both. Where one chord differs those behind it follow: plans differ more often than choices do."""
    plans = asked(residents["float32"], temperature)
    assert len(plans) >= FRAMES
    differing = first = 0
    for request, chords in plans:
        (reply,) = answer(residents["bfloat16"], [request])
        rounder = unpack_values(reply.chords)
        past = unpack_values(request.chords)[: request.first_frame - request.window_start]
        assert len(rounder) == len(chords)
        assert first_break([past[-1], *rounder], NUM_CHORDS) is None
        differing += rounder != chords
        given = len(request.chords) // 2 - len(past)
        first += len(chords) > given and rounder[given] != chords[given]
    print(f"T {temperature}: {differing} of {len(plans)} plans differ, {first} in the first free chord")
    assert differing <= 0.1 * len(plans)
    assert first <= 0.03 * len(plans)


@pytest.mark.slow
def test_in_bfloat16_few_plans_depend_on_batch_mates_slots_or_guesses(residents):
    """Asked alone and from nothing, nearly every jam gets the plans it got in company: sums in another order may round otherwise."""
    resident = residents["bfloat16"]
    assert {leaf.dtype for leaf in jax.tree.leaves((resident.engine._weights, resident.engine._cache))} == {jnp.dtype(jnp.bfloat16)}
    differing, compared = 0, asked(resident, 1.0)[::9]
    for request, chords in compared:
        while look_ahead(resident):
            pass
        resident.scheduler.forget()
        (reply,) = answer(resident, [request])
        differing += unpack_values(reply.chords) != chords
        assert reply.reused == 0.0
    print(f"{differing} of {len(compared)} plans differ")
    assert differing <= 0.1 * len(compared)


@pytest.mark.slow
def test_an_offline_model_hears_and_plans_in_bfloat16_too(tiny_offline_checkpoint):
    resident = prepare(tiny_offline_checkpoint, offline=EngineSettings(2, BUCKETS, "bfloat16"))
    assert {leaf.dtype for leaf in jax.tree.leaves(resident.engine._heard)} == {jnp.dtype(jnp.bfloat16)}
    request = whole_melody("a", [60, 64, 67, 62], temperature=0.0)
    (reply,) = answer(resident, [request])
    assert len(unpack_values(reply.chords)) == request.lookahead_frames


@pytest.mark.slow
def test_weights_that_do_not_keep_their_golden_plan_are_refused_in_bfloat16_too(tiny_checkpoint, tmp_path):
    """It is planned in float32 beside, so that rounding cannot be the excuse."""
    folder = shutil.copytree(tiny_checkpoint, tmp_path / "copy")
    manifest = read_manifest(folder)
    golden = msgspec.structs.replace(manifest.golden, chords=[*manifest.golden.chords[:-1], 0])
    write_manifest(folder, msgspec.structs.replace(manifest, golden=golden))
    with pytest.raises(GoldenMismatch):
        prepare(folder, live=EngineSettings(2, BUCKETS, "bfloat16"))
