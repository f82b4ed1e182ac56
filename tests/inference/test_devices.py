"""Eight devices instead of one: the same plans, each device its own slots. A process of its own: devices are made when JAX starts."""

import os
import subprocess
import sys

import pytest

CODE = """
import jax
from inference.engine import Engine
from inference.loop import Resident, answer
from inference.planner import Bucket
from schema.engine_messages import ModelInfo, unpack_values
from tests.inference.jams import Jam, Move, whole_melody
from tests.tiny import OFFLINE_SIZES, SIZES, tiny_weights

BUCKETS = (Bucket(2, 1, 4), Bucket(2, 64, 1))


def plans(resident, turns):
    jams = {name: Jam(name, history=5 + 7 * index, seed=index, temperature=1.0) for index, name in enumerate("abcdefghijkl")}
    found = []
    for _ in range(turns):
        for reply in answer(resident, [jam.ask(Move(commit=2)) for jam in jams.values()]):
            assert not reply.problem, reply.problem
            jams[reply.session].hear(unpack_values(reply.chords))
            found.append((reply.session, reply.seq, unpack_values(reply.chords)))
    return sorted(found)


def whole(resident):
    requests = [whole_melody(name, [60 + index, 64, 67, 60], given=index, seed=index) for index, name in enumerate("abcde")]
    return sorted((reply.session, unpack_values(reply.chords)) for reply in answer(resident, requests))


assert len(jax.local_devices()) == 8
results = []
for devices in (jax.local_devices(), jax.local_devices()[:1]):
    engine = Engine(SIZES, tiny_weights(), slots=1 if len(devices) > 1 else 3, buckets=BUCKETS, devices=devices)
    engine.warm_up()
    assert (engine.devices, engine.slots) == ((8, 8) if len(devices) > 1 else (1, 3))
    if len(devices) > 1:
        shards = engine._cache.keys[0].addressable_shards
        assert len({shard.device for shard in shards}) == 8
        assert {shard.data.shape[0] for shard in shards} == {2}
    offline = Engine(OFFLINE_SIZES, tiny_weights(sizes=OFFLINE_SIZES), slots=2, buckets=BUCKETS, devices=devices)
    offline.warm_up()
    warm = engine.compiled, offline.compiled
    live, all_of_it = (ModelInfo(name, name, 0.8) for name in ("online", "offline"))
    results.append((plans(Resident(live, engine, BUCKETS), 3), whole(Resident(all_of_it, offline, BUCKETS))))
    assert (engine.compiled, offline.compiled) == warm
assert results[0] == results[1]
assert len(results[0][0]) == 36
print("the same")
"""


@pytest.mark.slow
def test_the_number_of_devices_does_not_matter():
    """Twelve sessions in eight slots on eight devices and in three on one, five whole melodies likewise; nothing compiles."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, env=environment, timeout=600, check=False)
    assert done.stdout == "the same\n", done.stderr
