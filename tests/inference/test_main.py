"""`python -m inference`: ready only when everything holds, sentences instead of tracebacks, a clean stop."""

import asyncio
import shutil
import signal
import sys
import urllib.request
from contextlib import asynccontextmanager

import msgspec
import pytest

from inference.__main__ import main, use_compilation_cache
from inference.checkpoints import read_manifest, write_manifest
from inference.loop import Resident
from inference.planner import Bucket
from inference.server import HEADER
from inference.toy_engine import ToyEngine
from schema.codec import decode_answers, encode_call
from schema.engine_messages import ModelInfo, PlanCall
from tests.system.service import START_S


def command(checkpoint, socket, *options):
    return (sys.executable, "-m", "inference", "--checkpoint", str(checkpoint), "--socket", str(socket), *options)


@asynccontextmanager
async def worker(*given, environment):
    """A process that has ended when this block does."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*given, stdout=pipe, stderr=pipe, env=environment)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def test_a_missing_checkpoint_is_one_sentence_and_exit_code_2(tmp_path, capsys):
    assert main(["--checkpoint", str(tmp_path / "none"), "--socket", str(tmp_path / "w.sock")]) == 2
    output = capsys.readouterr()
    assert output.err.startswith(
        f"sideman worker: checkpoint {tmp_path / 'none'}: expected a folder with manifest.json, got no such folder: "
    )
    assert output.err.count("\n") == 1
    assert output.out == ""


def test_the_compilation_cache_is_made_where_it_is_wanted(tmp_path, monkeypatch):
    """Everything is kept, however small or quick to compile."""
    chosen = {}
    monkeypatch.setattr("jax.config.update", chosen.__setitem__)
    use_compilation_cache(tmp_path / "deep" / "cache")
    assert (tmp_path / "deep" / "cache").is_dir()
    assert chosen["jax_compilation_cache_dir"] == str(tmp_path / "deep" / "cache")
    assert chosen["jax_persistent_cache_min_compile_time_secs"] == chosen["jax_persistent_cache_min_entry_size_bytes"] == 0


@pytest.mark.slow
async def test_it_becomes_ready_answers_and_leaves_on_a_signal(tiny_checkpoint, tiny_offline_checkpoint, compiled, environment, tmp_path):
    """Two models in one worker. A socket left by a killed worker is replaced; SIGTERM ends it with 0 and takes the socket away."""
    socket = tmp_path / "w.sock"
    socket.touch()
    options = ("--checkpoint", str(tiny_offline_checkpoint), "--cache", str(compiled), "--metrics-port", "0")
    async with asyncio.timeout(START_S), worker(*command(tiny_checkpoint, socket, *options), environment=environment) as process:
        said, _, metrics = (await process.stdout.readline()).decode().partition(" metrics ")
        assert said == f"sideman worker: tiny, tiny-offline ready on {socket}"
        with await asyncio.to_thread(urllib.request.urlopen, metrics.strip()) as page:
            assert b'sideman_engine_slots{model="tiny-offline"} 4.0' in page.read()
        assert any(compiled.iterdir())
        reader, writer = await asyncio.open_unix_connection(socket)
        call = encode_call(PlanCall([]))
        writer.write(HEADER.pack(len(call), 7) + call)
        length, call_id = HEADER.unpack(await reader.readexactly(HEADER.size))
        state = decode_answers(await reader.readexactly(length)).worker
        assert (call_id, state.ready, state.slots) == (7, True, 132)
        assert [(model.name, model.is_offline) for model in state.models] == [("tiny", False), ("tiny-offline", True)]
        assert state.rss_bytes > 1 << 20
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
        writer.close()
    assert not socket.exists()


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["a file", "the golden plan"])
async def test_a_checkpoint_that_must_not_be_served_is_one_sentence_and_exit_code_2(
    tiny_checkpoint, compiled, environment, tmp_path, damage
):
    folder = shutil.copytree(tiny_checkpoint, tmp_path / "copy")
    manifest = read_manifest(folder)
    if damage == "a file":
        path = folder / sorted(manifest.files)[0]
        path.write_bytes(path.read_bytes() + b"\0")
        expected = f"sideman worker: checkpoint {folder}: expected {sorted(manifest.files)[0]} with SHA-256 "
    else:
        golden = msgspec.structs.replace(manifest.golden, chords=[0, *manifest.golden.chords[1:]])
        write_manifest(folder, msgspec.structs.replace(manifest, golden=golden))
        expected = f"sideman worker: checkpoint {folder}: expected the manifest's golden plan, got 1 of 32 other chords: "
    started = worker(*command(folder, tmp_path / "w.sock", "--cache", str(compiled)), environment=environment)
    async with asyncio.timeout(START_S), started as process:
        out, err = await process.communicate()
    said = [line for line in err.decode().splitlines() if " worker INFO " not in line]
    assert (process.returncode, out) == (2, b"")
    assert len(said) == 1
    assert said[0].startswith(expected)
    assert not (tmp_path / "w.sock").exists()


def test_models_of_one_name_are_refused(tmp_path, capsys, monkeypatch):
    """Nobody could say which of them is meant."""
    info = ModelInfo("tiny", "online", 0.8)
    monkeypatch.setattr("inference.__main__.prepare", lambda *_, **__: Resident(info, ToyEngine(1), (Bucket(1, 1, 1),)))
    assert main(["--checkpoint", "a", "--checkpoint", "b", "--socket", str(tmp_path / "w.sock")]) == 2
    assert capsys.readouterr().err.startswith("sideman worker: expected models of different names, got tiny, tiny; ")
