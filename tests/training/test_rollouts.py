"""Plans by the book: what is given stays, what is sampled depends on everything before it, margins say how clear it was."""

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import pytest

from inference.model import Inputs
from inference.sampling import CHORD_PART, noise
from schema.engine_messages import pack_values, unpack_values
from schema.tokens import NUM_CHORD_ACTIONS, NUM_CHORDS, action_of, first_break
from tests.inference.jams import Jam, Move
from tests.tiny import model_of, tiny_weights
from training.rollouts import plain_plan


@pytest.fixture(scope="module")
def model():
    return model_of(tiny_weights())


def request_of(**fields):
    return msgspec.structs.replace(Jam("a", history=11, temperature=1.0).ask(Move(lookahead=6)), **fields)


def test_a_plan_has_a_chord_for_every_frame_and_keeps_the_grammar(model):
    request = request_of()
    plan = plain_plan(model, request)
    assert len(plan.chords) == len(plan.margins) == 6
    assert first_break([*unpack_values(request.chords), *plan.chords], NUM_CHORDS) is None
    assert all(0 < margin < np.inf for margin in plan.margins)
    assert plain_plan(model, request) == plan


def test_given_chords_stand_and_have_no_margin_of_their_own(model):
    """With the melody open only its choices count."""
    request = request_of()
    free = plain_plan(model, request)
    given = msgspec.structs.replace(request, chords=request.chords + pack_values(free.chords[:3]))
    plan = plain_plan(model, given)
    assert plan.chords == free.chords
    assert all(a >= b for a, b in zip(plan.margins, free.margins, strict=True))


def test_what_is_known_entirely_has_no_margin(model):
    """A plan of committed chords alone still samples melody; only a first frame with its melody known decides nothing before it."""
    request = request_of()
    melody = unpack_values(request.melody)
    known = msgspec.structs.replace(request, melody=pack_values([*melody, 0]))
    assert plain_plan(model, known).margins[0] != plain_plan(model, request).margins[0]


def test_the_first_chord_is_the_likeliest_with_its_noise(model):
    """By hand: one forward pass over prefix and history, noise of (seed, frame, chord), argmax."""
    request = request_of(first_frame=12, melody=request_of().melody + pack_values([0]))
    chords, melody = unpack_values(request.chords), unpack_values(request.melody)
    length = len(chords) + 1
    place = [(frame - request.bar_line) % 16 for frame in range(-1, length - 1)]
    columns = ([[0, *chords]], [[0, *melody]], [place], [range(length)], [request.density], [request.style], [request.beats_per_bar])
    hidden = jax.jit(model.hidden_full)(Inputs(*(np.asarray(column) for column in columns)))[:, -1]
    made = noise(jnp.array([request.seed], jnp.uint32), jnp.array([request.first_frame]), CHORD_PART, NUM_CHORD_ACTIONS)
    expected = int((model.chord_logits(hidden) + made)[0].argmax())
    assert action_of(plain_plan(model, request).chords[0], NUM_CHORDS) == expected
