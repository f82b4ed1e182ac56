"""Writes what the page's planner must reproduce: noise, voicings, plans and whole jams, all from the serving code. Shell.

    python tests/sideman/make_page_vectors.py            write all
    python tests/sideman/make_page_vectors.py --shipped  write those of the shipped checkpoint only (after it has changed)

Everything but `shipped.json` is of a network of toy sizes, whose weights lie beside it. No choice in any of them is close, so that
arithmetic in another order chooses the same.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import msgspec
import numpy as np

from gateway.session import Session
from inference.checkpoints import load
from inference.engine import Engine
from inference.loop import Resident, answer
from inference.model import Decoder
from inference.planner import Bucket
from inference.sampling import CHORD_PART, MELODY_PART, noise
from schema.chords import QUALITIES, Chord
from schema.client_messages import (
    Applied,
    ClientMessage,
    Configure,
    GatewayMessage,
    Hello,
    History,
    NoteEvent,
    PendingPlan,
    Plan,
    Reset,
    Settings,
    SymbolRun,
    Tick,
)
from schema.engine_messages import ModelInfo, PlanRequest, pack_values, unpack_values
from schema.grid import window_start
from schema.manifest import FORMAT, Golden, Manifest, ModelSizes
from schema.tokens import DENSITIES, HOLD_ACTION, NOTHING, NUM_CHORDS, NUM_PITCHES, STYLES, value_of, vocabulary_hash
from schema.voicing import voice
from sideman.export_web import packed
from sideman.paths import DEFAULT_CHECKPOINT
from sideman.simulate import LIMITS, Player, melody_runs, rounds, symbol_runs
from sideman.tunes import fixture_tunes
from tests.tiny import SIZES, model_of, tiny_weights
from training.rollouts import plain_plan

FOLDER = Path(__file__).parent / "page_vectors"
CLEAR = 1e-3  # by how much a choice must be ahead of the next best
BUCKETS = (Bucket(2, 1, 1), Bucket(1, 1, 4), Bucket(2, 64, 1))
TINY = ModelInfo("tiny", "online", 0.8)


def noises() -> list[dict[str, Any]]:
    """Random words and Gumbel noise of some keys."""
    keys = [(0, 0), (7, 1), (1, 255), (2_463_534_242, 256), (2**32 - 1, 10_000_000)]
    return [_noise(seed, frame, part) for seed, frame in keys for part in (CHORD_PART, MELODY_PART)]


def _noise(seed: int, frame: int, part: int) -> dict[str, Any]:
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(jnp.uint32(seed)), frame), part)
    gumbel = noise(jnp.array([seed], jnp.uint32), jnp.array([frame]), part, 130)[0]
    return {"seed": seed, "frame": frame, "part": part, "bits": jax.random.bits(key, (130,)).tolist(), "gumbel": gumbel.tolist()}


def voicings() -> list[dict[str, Any]]:
    """Chains of chords, each voiced after the one before."""
    rng = np.random.default_rng(3)
    result = []
    for style in ("led", "close"):
        previous: tuple[int, ...] = ()
        for index in range(80):
            quality = QUALITIES[index % len(QUALITIES)]
            root = int(rng.integers(12))
            pitches = voice(Chord(root, quality.name), previous, style)
            result.append({"root": root, "intervals": quality.intervals, "style": style, "previous": previous, "pitches": pitches})
            previous = () if index % 20 == 19 else pitches
    return result


def tiny_checkpoint() -> tuple[Manifest, Any]:
    """A manifest and weights that bfloat16 holds exactly."""
    weights = jax.tree.map(lambda leaf: np.asarray(jnp.asarray(leaf, jnp.bfloat16), np.float32), tiny_weights())
    golden = _clear_golden(model_of(weights))
    return Manifest(FORMAT, TINY.name, TINY.variant, SIZES, vocabulary_hash(), "bfloat16", 0, {}, [], {}, golden, TINY.temperature), weights


def _clear_golden(model: Decoder) -> Golden:
    melody = [1 + 60 + frame // 4 if frame % 4 == 0 else 1 + NUM_PITCHES + 60 + frame // 4 for frame in range(16)]
    for seed in range(100):
        request = _request(np.random.default_rng(seed), seed, history=16, lookahead=32, melody=melody, temperature=1.0)
        made = plain_plan(model, request)
        if min(made.margins) > CLEAR:
            return Golden(melody, seed, made.chords)
    raise AssertionError("expected one clear seed of 100")


def _request(
    rng: np.random.Generator,
    seed: int,
    *,
    history: int,
    lookahead: int,
    temperature: float,
    melody: Sequence[int] = (),
    committed: int = 0,
    is_open: bool = True,
    controls: tuple[int, int, int] = (0, 0, 4),
    bar_line: int = 0,
) -> PlanRequest:
    """A history by chance; with a melody given, N stands over it."""
    start = window_start(history, lookahead)
    chords = [NOTHING] * history if melody else _walk(rng, history + committed, NUM_CHORDS)
    notes = list(melody) or _walk(rng, history if is_open else history - 1, NUM_PITCHES)
    density, style, beats_per_bar = controls
    return PlanRequest(
        session="page", seq=0, model="", seed=seed, window_start=start, first_frame=history, lookahead_frames=lookahead,
        chords=pack_values(chords[start:]), melody=pack_values(notes[start:]), temperature=temperature,
        beats_per_bar=beats_per_bar, bar_line=bar_line, density=density, style=style, slack_ms=1000.0,
    )  # fmt: skip


def _walk(rng: np.random.Generator, length: int, count: int) -> list[int]:
    """Grammatical values, most of them holds."""
    values: list[int] = []
    for _ in range(length):
        chance = rng.random()
        action = HOLD_ACTION if chance < 0.7 else NOTHING if chance < 0.8 else 2 + int(rng.integers(count))
        values.append(value_of(action, values[-1] if values else NOTHING, count))
    return values


def _as_json(request: PlanRequest, planned: Sequence[int]) -> dict[str, Any]:
    """One request with its answer, named as the page names things."""
    return {
        "request": {
            "seed": request.seed, "windowStart": request.window_start, "firstFrame": request.first_frame,
            "lookaheadFrames": request.lookahead_frames, "chords": unpack_values(request.chords), "melody": unpack_values(request.melody),
            "temperature": request.temperature, "barLine": request.bar_line,
            "controls": {"density": request.density, "style": request.style, "beatsPerBar": request.beats_per_bar},
        },
        "planned": list(planned),
    }  # fmt: skip


def tiny_plans(model: Decoder, resident: Resident) -> list[dict[str, Any]]:
    """Plans of histories by chance: all lengths, temperatures, controls, commits."""
    rng = np.random.default_rng(11)
    shapes = [(history, look) for history in (1, 2, 17, 100, 223, 240, 248, 300) for look in (4, 16, 32) if history + look <= 512]
    result = []
    for index, (history, look) in enumerate(shapes):
        for attempt in range(20):
            request = _request(
                rng,
                seed=index + 1000 * attempt,
                history=history,
                lookahead=look,
                temperature=(0.0, 0.8, 1.0, 0.3)[index % 4],
                committed=(0, 3, look)[index % 3],
                is_open=index % 2 == 0,
                controls=(index % 6, index % 5, 2 + index % 11),
                bar_line=index % 7,
            )
            (reply,) = answer(resident, [request])
            if min(plain_plan(model, request).margins) > CLEAR:
                result.append(_as_json(request, unpack_values(reply.chords)))
                break
    return result


class Script(msgspec.Struct, frozen=True):
    """How a jam goes."""

    name: str
    settings: Configure
    frames: range
    late: int = 0  # frames too late that every plan comes
    skip: int = 0  # every so many frames there is no tick
    change: tuple[int, Configure | Reset] | None = None  # said before the tick of that frame
    history: bool = False  # the jam goes on from the frame before its first


SHORT = {"silence_beats": 1, "lookahead_beats": 2, "commit_beats": 1}
SCRIPTS = (
    Script("plans in time, then another metre", Configure(**SHORT), range(24), change=(13, Configure(beats_per_bar=3, density="busy"))),
    Script("plans that come late, frames without a tick", Configure(**SHORT, voicing="close"), range(32), late=2, skip=5),
    Script(
        "a silence of four beats, and a new jam",
        Configure(silence_beats=4, lookahead_beats=1, commit_beats=1, style="folk"),
        range(26),
        change=(20, Reset()),
    ),
    Script("on from a history, and the window hops", Configure(**SHORT, temperature=0.4), range(238, 262), history=True),
)


def jams(model: Decoder, resident: Resident) -> list[dict[str, Any]]:
    """Whole jams, message by message, of seeds for which no choice is close."""
    return [next(jam for seed in range(60) if (jam := _jam(script, seed, model, resident)) is not None) for script in SCRIPTS]


def _jam(script: Script, seed: int, model: Decoder, resident: Resident) -> dict[str, Any] | None:
    """What is said, and what the gateway answers to each; None if a choice was close."""
    session = Session(session_id="page", seed=seed, models={TINY.name: TINY}, settings=Settings(model=TINY.name), limits=LIMITS)
    session.receive(Hello(), 0.0)
    said = []
    replies: list[tuple[int, Plan]] = []  # frame from which it may sound
    client = _client(script, np.random.default_rng(seed), replies)
    for message in client:
        effects = session.receive(message, 0.0)
        told = list(effects.messages)
        if effects.request is not None:
            if min(plain_plan(model, effects.request).margins) < CLEAR:
                return None
            (reply,) = answer(resident, [effects.request])
            told += session.receive_reply(reply, 0.0).messages
        replies += [(plan.first_frame + script.late, plan) for plan in told if isinstance(plan, Plan)]
        said.append({"client": msgspec.to_builtins(message), "gateway": [_untimed(answered) for answered in told]})
    return {"name": script.name, "seed": seed, "messages": said}


def _client(script: Script, rng: np.random.Generator, replies: list[tuple[int, Plan]]) -> Iterator[ClientMessage]:
    """A client that plays by chance and applies what has come."""
    yield script.settings
    frames, key, applied = iter(script.frames), None, -1
    if script.history:
        yield _history(next(frames), rng)
    seq, ticked, offset = 1, script.frames.start, 0
    for frame in frames:
        if script.change is not None and frame == script.change[0]:
            yield script.change[1]
            if isinstance(script.change[1], Reset):
                replies.clear()
                offset, key, ticked = frame, None, 0
        if script.skip and frame % script.skip == 0:
            continue
        now, events = frame - offset, []
        for at in sorted(rng.integers(ticked, now + 1, size=rng.integers(4)).tolist()):
            events += [NoteEvent(at, key, on=False)] if key is not None else [NoteEvent(at, int(rng.integers(48, 84)), on=True)]
            key = None if key is not None else events[-1].pitch
        due = [plan.seq for first_frame, plan in replies if first_frame <= now and plan.seq > applied]
        applied = due[-1] if due else applied
        yield Tick(seq=seq, frame=now, events=events, applied=Applied(applied, now) if due else None)
        seq, ticked = seq + 1, now


def _history(frame: int, rng: np.random.Generator) -> History:
    """A history up to `frame` with the plan that is still held and a warm start."""
    chords = [NOTHING] * 8 + _walk(rng, frame - 7, NUM_CHORDS)
    held = [*symbol_runs([*chords, *_walk(rng, 6, NUM_CHORDS)])]
    return History(
        frame=frame,
        first_frame=0,
        melody=melody_runs(np.array(_walk(rng, frame, NUM_PITCHES))),
        chords=symbol_runs(chords),
        plan=PendingPlan(0, frame + 4, [run for run in held if run.start + run.length > frame + 1]),
        seed=99,
        bar_line=2,
        warm_start=[SymbolRun(0, 4, "F"), SymbolRun(4, 4, "C7")],
    )


def _untimed(message: GatewayMessage) -> Any:
    """A message but for what depends on the clock or on the worker."""
    told = msgspec.to_builtins(message)
    told.pop("timing", None)
    return told


def shipped(checkpoint: Path) -> dict[str, Any]:
    """Plans of the checkpoint that is shipped, asked for in jams over the project's tunes."""
    manifest, weights = load(checkpoint)
    told, _ = packed(manifest, weights)
    model, info = model_of(weights, manifest.sizes), ModelInfo(manifest.model, manifest.variant, manifest.temperature)
    resident = _resident(info, manifest.sizes, weights)
    plans = []
    tunes = fixture_tunes()
    for index in range(8):
        settings = Settings(
            model=info.name,
            temperature=(0.0, 0.8, 1.0)[index % 3],
            lookahead_beats=(4, 8, 1, 4)[index % 4],
            commit_beats=(2, 0, 1, 4)[index % 4],
            silence_beats=(8, 4, 0)[index % 3],
            density=DENSITIES[index % len(DENSITIES)],
            style=STYLES[index % len(STYLES)],
        )
        player = Player(tunes[index % len(tunes)], [info], settings, name="page", seed=1000 + index)
        plans += _some_plans(player, model, resident, after=40 * index)
    return {"model": manifest.model, "sha256": told.sha256, "plans": plans}


def _some_plans(player: Player, model: Decoder, resident: Resident, after: int) -> list[dict[str, Any]]:
    """Four clear plans of a jam, from a frame on: close ones, of which most of the history is the same, and others."""
    result, due = [], after
    for ((_, request),) in rounds([player]):
        (reply,) = answer(resident, [request])
        player.take(reply)
        if request.first_frame >= due and min(plain_plan(model, request).margins) > CLEAR:
            result.append(_as_json(request, unpack_values(reply.chords)))
            due = request.first_frame + (7, 61)[len(result) % 2 == 0]
        if len(result) == 4:
            break
    return result


def _resident(info: ModelInfo, sizes: ModelSizes, weights: Any) -> Resident:
    return Resident(info, Engine(sizes, weights, slots=2, buckets=BUCKETS), BUCKETS)


def _write(name: str, content: Any) -> None:
    FOLDER.mkdir(exist_ok=True)
    lines = ",\n".join(f"{json.dumps(key)}: {_lines(value)}" for key, value in content.items())
    (FOLDER / name).write_text(f"{{{lines}}}\n")


def _lines(value: Any) -> str:
    """JSON; of a list one item a line, so that a change shows as the lines it changed."""
    if not isinstance(value, list):
        return json.dumps(value)
    return "[\n" + ",\n".join(json.dumps(item) for item in value) + "\n]"


def main(arguments: Sequence[str]) -> None:
    """Write the files."""
    _write("shipped.json", shipped(DEFAULT_CHECKPOINT))
    if "--shipped" in arguments:
        return
    manifest, weights = tiny_checkpoint()
    told, data = packed(manifest, weights)
    model, resident = model_of(weights), _resident(TINY, SIZES, weights)
    _write("arithmetic.json", {"noise": noises(), "voicings": voicings()})
    _write("tiny.json", {"manifest": msgspec.to_builtins(told), "plans": tiny_plans(model, resident), "jams": jams(model, resident)})
    (FOLDER / "tiny.bin").write_bytes(data)


if __name__ == "__main__":
    main(sys.argv[1:])
