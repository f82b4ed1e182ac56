"""The whole service as its users meet it: processes, sockets, a tune, a worker that is killed, a session that comes back."""

import copy
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import mido
import msgspec
import pytest

from sideman_client.client import connect
from sideman_client.errors import SettingRefused
from sideman_client.generated.messages import Configure, Keep, NoteEvent, Plan
from tests.system.service import START_S, Service, alive
from tests.tiny import write_tiny_checkpoint

pytestmark = pytest.mark.slow

TUNE = Path(__file__).parent.parent / "fixtures" / "sunday_walk.mid"
SETTINGS = Configure(bpm=20.0, silence_beats=1, commit_beats=1, temperature=1.0)  # 750 ms for a plan: enough on a busy machine


@pytest.fixture(scope="module")
def service(tiny_checkpoint, tiny_offline_checkpoint, environment, tmp_path_factory):
    """One service with tiny networks, two to play live and one that hears everything first, for all of these tests."""
    errors = tmp_path_factory.mktemp("serve") / "errors"
    other = tmp_path_factory.mktemp("other")
    write_tiny_checkpoint(other, seed=1, name="other")
    options = [part for folder in (tiny_checkpoint, other, tiny_offline_checkpoint) for part in ("--checkpoint", str(folder))]
    with Service(*options, environment=environment, errors=errors) as service:
        yield service.until_ready()
        children = service.children()
        assert len(children) == 2
        assert service.stop() == 0
        assert not any(alive(pid) for pid in children)
        assert "Traceback" not in service.errors()


class Band:
    """A client ticked frame by frame as fast as the answers come, and every plan it got by the frame of its tick."""

    def __init__(self, client):
        self.client = client
        self.plans = {}
        self.promised = {}

    async def tick(self, frame):
        """Play a note every other frame; the answer to the tick of `frame`. What is committed must stand."""
        if frame % 2:
            self.client.jam.note(NoteEvent(frame - 1, 60 + 5 * frame % 12, True))
        tick = await self.client.send_tick(frame)
        async for message in self.client:
            if getattr(message, "seq", None) == tick.seq:
                break
        assert isinstance(message, Plan | Keep), message
        if isinstance(message, Plan):
            self._check(message)
            self.plans[frame] = message
        return message

    def _check(self, plan):
        symbols = {frame: run.symbol for run in plan.chords for frame in range(run.start, run.start + run.length)}
        assert sorted(symbols) == list(range(plan.first_frame, plan.first_frame + len(symbols)))
        assert len(symbols) >= 16
        assert all(symbols[frame] == symbol for frame, symbol in self.promised.items() if frame in symbols)
        self.promised |= {frame: symbol for frame, symbol in symbols.items() if frame < plan.committed_until}


def chords(plan):
    """Without pitches: a history has symbols only, so a resumed session may voice them anew (H5)."""
    return plan.first_frame, plan.committed_until, [(run.start, run.length, run.symbol, run.onset) for run in plan.chords]


def test_it_says_what_it_is(service):
    assert service.models == "tiny, other, tiny-offline"
    assert [service.get(path)[0] for path in ("/healthz", "/readyz", "/metrics")] == [200, 200, 200]


def test_a_tune_is_played(service, environment, tmp_path):
    """`sideman play` in real time: every frame planned, a report, a MIDI file of melody and chords with their symbols."""
    jam, report = tmp_path / "jam.mid", tmp_path / "report.json"
    options = ["--url", service.url, "--bpm", "240", "--silence", "2", "--limit-beats", "12", "--out", str(jam), "--report", str(report)]
    command = [sys.executable, "-m", "sideman.cli", "play", str(TUNE), *options]
    played = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=START_S, check=False)
    assert (played.returncode, played.stderr) == (0, "")
    assert re.match(r"48 frames, \d+ plans, \d+ keeps, \d+ late, 0 unplanned\n", played.stdout)
    figures = json.loads(report.read_bytes())
    assert (figures["frames"], figures["unplanned_frames"], figures["frame_budget_ms"], figures["model"]) == (48, 0, 62.5, "tiny")
    assert figures["plans"] > 10
    assert figures["share_in_budget"] > 0.2
    assert figures["chord_changes"] > 0
    midi = mido.MidiFile(jam)
    notes = [track.name for track in midi.tracks if any(message.type == "note_on" for message in track)]
    markers = [message.text for track in midi.tracks for message in track if message.type == "marker"]
    assert notes == ["melody", "chords"]
    assert markers[0] == "N"
    assert len(set(markers)) > 1
    assert midi.length == pytest.approx(3.0, abs=0.01)


def test_a_tune_that_is_none_is_one_sentence(service, environment, tmp_path):
    command = [sys.executable, "-m", "sideman.cli", "play", str(tmp_path / "none.mid"), "--url", service.url]
    played = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=START_S, check=False)
    assert played.returncode != 0
    assert played.stderr.count("\n") == 1
    assert "none.mid" in played.stderr


async def test_a_session_told_to_another_connection_gets_the_same_plans(service):
    """H5: history and seed are all it takes; the second connection goes on as the first did."""
    async with connect(service.url) as one, connect(service.url) as other:
        first, second = Band(one), Band(other)
        for client in (one, other):
            await client.configure(SETTINGS)
        for frame in range(21):
            await first.tick(frame)
        other.jam = copy.deepcopy(one.jam)
        told = other.jam.history(20)
        assert told.seed == one.welcome.seed != other.welcome.seed
        await other._send(told)
        for frame in range(21, 30):
            await first.tick(frame)
            await second.tick(frame)
    assert sorted(second.plans) == list(range(21, 30))
    assert {frame: chords(plan) for frame, plan in second.plans.items()} == {frame: chords(first.plans[frame]) for frame in second.plans}


async def test_a_killed_worker_is_replaced_and_the_session_goes_on(service):
    """The connection stays, the client is told to keep what it has, and later plans build on the earlier ones."""
    async with connect(service.url) as client:
        band = Band(client)
        await client.configure(SETTINGS)
        frame = 0
        while len(band.plans) < 6:
            await band.tick(frame)
            frame += 1
        killed = service.worker()
        os.kill(killed, signal.SIGKILL)
        await service.until_status("/readyz", 503)
        kept = await band.tick(frame)
        assert (type(kept), kept.reason) == (Keep, "unavailable")
        await service.until_status("/readyz", 200)
        for later in range(frame + 1, frame + 5):
            assert isinstance(await band.tick(later), Plan)
        assert client.reconnects == 0
    assert service.worker() != killed
    assert "sideman: the worker ended with -9; starting another in 1 s\n" in service.errors()
    assert not alive(killed)


async def test_the_first_plan_brings_a_warm_start(service):
    """P10: the silence of a jam that began with a note counts as harmonised, and still sounds like silence."""
    async with connect(service.url) as client:
        band = Band(client)
        await client.configure(msgspec.structs.replace(SETTINGS, silence_beats=4))
        for frame in range(20):
            await band.tick(frame)
    first = band.plans[11]
    silence = first.chords[0]
    assert (first.first_frame, silence.start, silence.symbol) == (12, 12, "N")
    assert silence.length >= 4
    assert sum(run.length for run in first.warm_start) == 16
    assert {run.symbol for run in first.warm_start} != {"N"}
    assert [sounding.symbol for sounding in client.jam.frames[:16]] == ["N"] * 16
    assert not band.plans[18].warm_start  # the client has applied one that brought it


async def test_models_change_while_the_music_plays(service):
    """Every resident live model answers, in one session, from one frame to the next; the offline one is none of them."""
    async with connect(service.url) as client:
        assert client.welcome.models == ["tiny", "other"]
        band = Band(client)
        await client.configure(SETTINGS)
        for frame in range(24):
            if frame in (8, 16):
                configured = await client.configure(Configure(model="other" if frame == 8 else "tiny", temperature=1.0, density="busy"))
                assert configured.settings.model == ("other" if frame == 8 else "tiny")
            assert isinstance(await band.tick(frame), Plan)
        with pytest.raises(SettingRefused, match="expected one of: tiny, other, got 'tiny-offline'"):
            await client.configure(Configure(model="tiny-offline"))


def test_a_whole_tune_is_harmonised(service, environment, tmp_path):
    """`sideman harmonize`: chords for all of it, from the offline model, as a MIDI file with markers."""
    out = tmp_path / "harmonized.mid"
    command = [sys.executable, "-m", "sideman.cli", "harmonize", str(TUNE), "--url", service.url, "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=START_S, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("|") > 4
    midi = mido.MidiFile(out)
    markers = [message.text for track in midi.tracks for message in track if message.type == "marker"]
    assert markers[0] != "N"
    assert len(set(markers)) > 1
    assert midi.length == pytest.approx(mido.MidiFile(TUNE).length, abs=1.0)


def test_nothing_was_compiled_while_serving(service):
    """Whatever these tests asked of it."""
    page = service.get("/metrics")[1]
    values = re.findall(r"^sideman_\w*compile\w*(?:\{[^}]*\})? (\S+)$", page, re.MULTILINE)
    assert values
    assert {float(value) for value in values} == {0.0}
