"""Plans by the book: every frame from a whole forward pass, no cache, no batch. Pure.

This is what every fast path of the service must equal (DESIGN 4); the golden plan of a checkpoint is made with it.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from inference.model import Decoder, Inputs
from inference.sampling import CHORD_PART, MELODY_PART, MELODY_TEMPERATURE, candidate_values, noise
from schema.engine_messages import PlanRequest, unpack_values
from schema.grid import WINDOW_FRAMES, place_in_bar
from schema.tokens import NOTHING, NUM_CHORD_ACTIONS, NUM_CHORDS, NUM_MELODY_ACTIONS, NUM_PITCHES, value_of


class PlainPlan(NamedTuple):
    """Chord values of the planned frames, and by how much each frame's choices (chord or melody) were ahead of the next best.

    The melody of the frame before the plan, where it is open, counts with the first frame.
    """

    chords: list[int]
    margins: list[float]


def plain_plan(model: Decoder, request: PlanRequest) -> PlainPlan:
    """Plan a request with one whole forward pass per frame."""
    chords, melody = unpack_values(request.chords), unpack_values(request.melody)
    first = request.first_frame - request.window_start
    end = first + request.lookahead_frames
    margins = [np.inf] * end
    heard = _hear(model, request, melody) if hasattr(model, "listener") else None
    for frame in range(min(len(chords), len(melody)), end):
        before = (chords[frame - 1], melody[frame - 1]) if frame else (NOTHING, NOTHING)
        hidden = _hidden(model, _inputs(request, chords[:frame], melody[:frame])._replace(heard=heard), frame)
        if frame >= len(chords):
            values = _chord_values(model, hidden, request, frame, before[0])
            chords.append(value_of(int(values.argmax()), before[0], NUM_CHORDS))
            margins[frame] = _margin(values)
        if frame >= len(melody):
            values = _melody_values(model, hidden, request, (frame, chords[frame]), before[1])
            melody.append(value_of(int(values.argmax()), before[1], NUM_PITCHES))
            margins[frame] = min(margins[frame], _margin(values))
    return PlainPlan(chords[first:end], [min(margins[: first + 1]), *margins[first + 1 : end]])


def _hear(model: Decoder, request: PlanRequest, melody: list[int]) -> Float[Array, "1 T E"]:
    """What an offline model hears of the whole window."""
    padded = np.zeros((1, WINDOW_FRAMES), np.int32)
    padded[0, : len(melody)] = melody
    place = [place_in_bar(request.window_start + frame, request.beats_per_bar, request.bar_line) for frame in range(WINDOW_FRAMES)]
    return model.listen(jnp.asarray(padded), jnp.array([place], jnp.int32), jnp.arange(WINDOW_FRAMES)[None] < len(melody))


def _inputs(request: PlanRequest, chords: list[int], melody: list[int]) -> Inputs:
    """Prefix and frames, padded to the whole window so that one program serves every length."""
    rows = []
    for values in (chords, melody):
        row = np.zeros((1, WINDOW_FRAMES), np.int32)
        row[0, 1 : 1 + len(values)] = values
        rows.append(row)
    frames = np.arange(-1, WINDOW_FRAMES - 1) + request.window_start
    place = [[place_in_bar(int(frame), request.beats_per_bar, request.bar_line) for frame in frames]]
    controls = (np.array([value], np.int32) for value in (request.density, request.style, request.beats_per_bar))
    arrays = (*rows, np.array(place, np.int32), np.arange(WINDOW_FRAMES, dtype=np.int32)[None], *controls)
    return Inputs(*(jnp.asarray(array) for array in arrays))


@nnx.jit
def _hidden(model: Decoder, inputs: Inputs, position: int) -> Float[Array, "1 E"]:
    return jnp.asarray(jax.lax.dynamic_index_in_dim(model.hidden_full(inputs), position, axis=1, keepdims=False))


def _chord_values(model: Decoder, hidden: Float[Array, "1 E"], request: PlanRequest, frame: int, running: int) -> np.ndarray:
    made = noise(*_key(request, frame), CHORD_PART, NUM_CHORD_ACTIONS)
    return _candidates(model.chord_logits(hidden), request.temperature, made, running)


def _melody_values(
    model: Decoder, hidden: Float[Array, "1 E"], request: PlanRequest, frame_chord: tuple[int, int], running: int
) -> np.ndarray:
    frame, chord = frame_chord
    made = noise(*_key(request, frame), MELODY_PART, NUM_MELODY_ACTIONS)
    logits = model.melody_logits(hidden, jnp.array([chord]))
    return _candidates(logits, min(request.temperature, MELODY_TEMPERATURE), made, running)


def _key(request: PlanRequest, frame: int) -> tuple[Array, Array]:
    return jnp.array([request.seed], jnp.uint32), jnp.array([request.window_start + frame], jnp.int32)


def _candidates(logits: Array, temperature: float, made: Array, running: int) -> np.ndarray:
    return np.asarray(candidate_values(logits, jnp.array([temperature], jnp.float32), made, jnp.array([running != NOTHING]))[0])


def _margin(values: np.ndarray) -> float:
    best, second = np.sort(values)[::-1][:2]
    return float(best - second)
