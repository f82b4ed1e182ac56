"""Rules of what no player wants to hear, as a reward per frame (ReaLchords, section 4.3; structure after what players asked for). Pure.

Axis letters: B rows · T frames. Every rule gives float32 [B, T], 0 or below where it costs, placed at the frame that broke it (or, where a
whole stretch did, spread over it), so that the advantage finds the choice. What is forced on the agent does not count.

    invalid      a value the grammar does not allow after the one before (cannot happen where the grammar is a mask)
    early_stop   silence up to the end while the melody goes on: .1 a frame
    silence      .1 a frame without a chord, melody or not, after the first two beats, if that is more than 4 % of the frames
    repetition   the same chord struck again more than four times in a row: .1 for each time from the first on, when the fifth comes
    overlong     the same chord for more than eight beats, held or struck again: .1 a frame beyond (so one chord for ever costs)
    off_bar      a chord struck off the bar line: .05 on a beat, .2 off every beat
    accent       a note that began on a beat, or has lasted one, over a chord it is no tone of: .05 a frame. Passing notes are free. The
                 nearest of all rules to what note-in-chord measures, and the answer to players who asked for chords that fit
    phrase       a four-bar phrase begins without a new chord: .25; eight bars begin with a chord that neither returns (the one that opened
                 the eight before, or the row's most frequent so far) nor resolves (down a fifth, or up a step to its root): .25
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from schema.grid import FRAMES_PER_BEAT
from schema.tokens import NOTHING, NUM_CHORDS, NUM_PITCHES, NUM_QUALITIES
from training.evaluate import CHORD_TONES

_SILENT_FROM = 8
_SILENT_SHARE = 0.04
_MOST_REPEATS = 4
_OVERLONG_FRAMES = 8 * FRAMES_PER_BEAT
_INVALID = 10.0
_PHRASE_BARS = 4


class Rules(NamedTuple):
    """One reward per rule and frame."""

    invalid: Float[Array, "B T"]
    early_stop: Float[Array, "B T"]
    silence: Float[Array, "B T"]
    repetition: Float[Array, "B T"]
    overlong: Float[Array, "B T"]
    off_bar: Float[Array, "B T"]
    accent: Float[Array, "B T"]
    phrase: Float[Array, "B T"]


def rules(
    chords: Int[Array, "B T"], melody: Int[Array, "B T"], place: Int[Array, "B T"], bar: Int[Array, "B T"], free: Bool[Array, "B T"]
) -> Rules:
    """All rules over chord values; `place` is frames since the bar line, `bar` bars since the song began."""
    found = Rules(
        _invalid(chords),
        _early_stop(chords, melody),
        _silence(chords, free),
        _repetition(chords),
        _overlong(chords),
        _off_bar(chords, place),
        _accent(chords, melody, place),
        _phrase(chords, place, bar),
    )
    return Rules(*(jnp.where(free, reward, 0.0) for reward in found))


def _name(chords: Int[Array, "B T"]) -> Int[Array, "B T"]:
    """Number of the sounding chord, -1 for none."""
    return jnp.where(chords == NOTHING, -1, (chords - 1) % NUM_CHORDS)


def _struck(chords: Int[Array, "B T"]) -> Bool[Array, "B T"]:
    return (chords > NOTHING) & (chords <= NUM_CHORDS)


def _before(values: Int[Array, "B T"], fill: int) -> Int[Array, "B T"]:
    return jnp.pad(values, ((0, 0), (1, 0)), constant_values=fill)[:, :-1]


def _invalid(chords: Int[Array, "B T"]) -> Float[Array, "B T"]:
    held = chords > NUM_CHORDS
    broken = held & (_name(chords) != _before(_name(chords), -1)) & (jnp.arange(chords.shape[1]) > 0)
    outside = (chords < 0) | (chords > 2 * NUM_CHORDS)
    return -_INVALID * (broken | outside)


def _early_stop(chords: Int[Array, "B T"], melody: Int[Array, "B T"]) -> Float[Array, "B T"]:
    """From the last chord's end to the melody's."""
    frames = jnp.arange(chords.shape[1])
    last_chord = jnp.where(chords != NOTHING, frames, -1).max(axis=1, keepdims=True)
    last_note = jnp.where(melody != NOTHING, frames, -1).max(axis=1, keepdims=True)
    return -0.1 * ((frames > last_chord) & (frames <= last_note))


def _silence(chords: Int[Array, "B T"], free: Bool[Array, "B T"]) -> Float[Array, "B T"]:
    frames = jnp.arange(chords.shape[1])
    silent = (chords == NOTHING) & (frames >= _SILENT_FROM) & free
    too_many = silent.sum(axis=1, keepdims=True) > _SILENT_SHARE * jnp.maximum(1, free.sum(axis=1, keepdims=True))
    return -0.1 * (silent & too_many)


def _repetition(chords: Int[Array, "B T"]) -> Float[Array, "B T"]:
    """Counts how often the sounding chord has been struck in a row."""
    struck, name = _struck(chords), _name(chords)

    def step(state: tuple[Array, Array], frame: tuple[Array, Array]) -> tuple[tuple[Array, Array], Array]:
        last, count = state
        struck, name = frame
        count = jnp.where(struck, jnp.where(name == last, count + 1, 1), count)
        last = jnp.where(struck, name, last)
        cost = jnp.where(struck & (count == _MOST_REPEATS + 1), 0.1 * count, jnp.where(struck & (count > _MOST_REPEATS + 1), 0.1, 0.0))
        return (last, count), cost

    start = (jnp.full(len(chords), -1), jnp.zeros(len(chords), jnp.int32))
    return -jnp.swapaxes(jax.lax.scan(step, start, (struck.T, name.T))[1], 0, 1)


def _overlong(chords: Int[Array, "B T"]) -> Float[Array, "B T"]:
    """Counts frames of one and the same chord, struck again or not."""
    name = _name(chords)

    def step(state: tuple[Array, Array], name: Array) -> tuple[tuple[Array, Array], Array]:
        last, count = state
        count = jnp.where((name == last) & (name >= 0), count + 1, 1)
        return (name, count), count

    start = (jnp.full(len(chords), -1), jnp.zeros(len(chords), jnp.int32))
    counts = jnp.swapaxes(jax.lax.scan(step, start, name.T)[1], 0, 1)
    return -0.1 * (counts > _OVERLONG_FRAMES)


def _off_bar(chords: Int[Array, "B T"], place: Int[Array, "B T"]) -> Float[Array, "B T"]:
    struck = _struck(chords)
    on_beat = place % FRAMES_PER_BEAT == 0
    return -jnp.where(struck & ~on_beat, 0.2, jnp.where(struck & (place != 0), 0.05, 0.0))


def _accent(chords: Int[Array, "B T"], melody: Int[Array, "B T"], place: Int[Array, "B T"]) -> Float[Array, "B T"]:
    """A note's age and whether it began on a beat go along with it."""
    begins, on_beat = (melody > NOTHING) & (melody <= NUM_PITCHES), place % FRAMES_PER_BEAT == 0

    def step(state: tuple[Array, Array], frame: tuple[Array, Array]) -> tuple[tuple[Array, Array], Array]:
        age, accented = state
        begins, on_beat = frame
        age = jnp.where(begins, 0, age + 1)
        accented = jnp.where(begins, on_beat, accented)
        return (age, accented), accented | (age >= FRAMES_PER_BEAT)

    start = (jnp.zeros(len(chords), jnp.int32), jnp.zeros(len(chords), bool))
    accented = jnp.swapaxes(jax.lax.scan(step, start, (begins.T, on_beat.T))[1], 0, 1)
    pitch_class = (melody - 1) % NUM_PITCHES % 12
    fits = jnp.asarray(CHORD_TONES)[chords, pitch_class]
    return -0.05 * (accented & (melody != NOTHING) & (chords != NOTHING) & ~fits)


def _phrase(chords: Int[Array, "B T"], place: Int[Array, "B T"], bar: Int[Array, "B T"]) -> Float[Array, "B T"]:
    struck, name = _struck(chords), _name(chords)
    begins = (place == 0) & (jnp.arange(chords.shape[1]) > 0)
    four, eight = begins & (bar % _PHRASE_BARS == 0), begins & (bar % (2 * _PHRASE_BARS) == 0)
    root, before = name // NUM_QUALITIES, _before(name, -1) // NUM_QUALITIES
    step = (root - before) % 12
    resolves = struck & (before >= 0) & ((step == 5) | (step == 1) | (step == 2))

    def follow(state: tuple[Array, Array], frame: tuple[Array, Array]) -> tuple[tuple[Array, Array], Array]:
        counts, opened = state
        name, eight = frame
        returns = (name >= 0) & ((name == opened) | (name == counts.argmax(axis=1)))
        counts = counts + jax.nn.one_hot(name, NUM_CHORDS, dtype=counts.dtype)
        return (counts, jnp.where(eight, name, opened)), returns

    start = (jnp.zeros((len(chords), NUM_CHORDS), jnp.int32), jnp.where(name[:, 0] < 0, -2, name[:, 0]))
    returns = jnp.swapaxes(jax.lax.scan(follow, start, (name.T, eight.T))[1], 0, 1)
    still = four & ~struck & (name >= 0)
    lost = eight & (name >= 0) & ~(returns | resolves)
    return -0.25 * still - 0.25 * lost
