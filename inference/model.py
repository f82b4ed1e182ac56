"""The network: a pre-norm decoder with one position per frame (DESIGN 3). Pure.

Axis letters: B rows · T positions fed · S positions attended (cache) · L layers · H query heads · K key/value heads
· D head width · E model width · V actions.

Position 0 of a window is the prefix (controls); position i + 1 is the window's frame i: its chord, its melody and its
place in the bar. Its hidden state predicts the chord action of frame i + 1, and, given that chord, the melody action.
So the chord of a frame sees the melody up to the frame before: the online rule of ReaLchords (arXiv 2506.14723, section 3).

An offline model has `listening_layers` too: they hear the melody of the whole window, both ways in time, and what they make of
frame i is added at position i, which predicts that frame's chord. Its decode step costs what an online model's costs.
"""

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from schema.grid import FRAMES_PER_BEAT, MAX_BEATS_PER_BAR, WINDOW_FRAMES
from schema.manifest import ModelSizes
from schema.tokens import (
    DENSITIES,
    NUM_CHORD_ACTIONS,
    NUM_CHORD_VALUES,
    NUM_CHORDS,
    NUM_MELODY_ACTIONS,
    NUM_MELODY_VALUES,
    NUM_PITCHES,
    NUM_QUALITIES,
    STYLES,
)

CACHE_POSITIONS = WINDOW_FRAMES  # prefix + WINDOW_FRAMES - 1 frames: the last frame of a plan is decided, never fed
NOWHERE = 2 * CACHE_POSITIONS  # position of padding and of what is not fed yet: beyond the cache, seen by nobody
MAX_BAR_FRAMES = MAX_BEATS_PER_BAR * FRAMES_PER_BEAT
_KINDS = 3  # nothing, onset, hold
_AHEAD_FRAMES = (4, 8, 16, 32)
_AHEAD_GAIN = 8.0  # shares are small, and with small inputs a table of weights learns slowly
_ROPE_BASE = 10_000.0
FLOAT32 = jnp.dtype(jnp.float32)


class Inputs(NamedTuple):
    """What is fed at each position; at the prefix position only the controls count."""

    chord: Int[Array, "B T"]  # chord value
    melody: Int[Array, "B T"]  # melody value
    place: Int[Array, "B T"]  # frames since the bar line
    position: Int[Array, "B T"]  # index in the window, 0 = prefix
    density: Int[Array, "B"]
    style: Int[Array, "B"]
    beats_per_bar: Int[Array, "B"]  # 0 = unspecified
    heard: Float[Array, "B T E"] | None = None  # what `listen` made of the frame that each position predicts; offline models only


class KeysValues(NamedTuple):
    """Keys and values of some positions, one array per layer, each lying as a decode step multiplies with it (see `cache`)."""

    keys: tuple[Float[Array, "B K D S"], ...]
    values: tuple[Float[Array, "B K S D"], ...]


class Fresh(NamedTuple):
    """What one call has fed so far; entries not filled yet stand at a position beyond every other."""

    kept: KeysValues
    position: Int[Array, "B S"]


def nothing_fed(sizes: ModelSizes, rows: int, positions: int, dtype: jnp.dtype = FLOAT32) -> Fresh:
    """Room for so many positions of every row, none of them fed yet."""
    return Fresh(blank(sizes, rows, positions, dtype), jnp.full((rows, positions), NOWHERE))


def blank(sizes: ModelSizes, rows: int, positions: int, dtype: jnp.dtype) -> KeysValues:
    """Zeros for so many rows and positions."""
    keys = (rows, sizes.kv_heads, sizes.head_width, positions)
    values = (rows, sizes.kv_heads, positions, sizes.head_width)
    return KeysValues(*(tuple(jnp.zeros(shape, dtype) for _ in range(sizes.layers)) for shape in (keys, values)))


def _kind(values: np.ndarray, count: int) -> np.ndarray:
    return np.where(values == 0, 0, np.where(values <= count, 1, 2))


_CHORD_VALUES = np.arange(NUM_CHORD_VALUES)
_CHORD_KIND = _kind(_CHORD_VALUES, NUM_CHORDS)
_CHORD_ROOT = np.where(_CHORD_VALUES == 0, 12, (_CHORD_VALUES - 1) % NUM_CHORDS // NUM_QUALITIES)
_CHORD_QUALITY = np.where(_CHORD_VALUES == 0, NUM_QUALITIES, (_CHORD_VALUES - 1) % NUM_CHORDS % NUM_QUALITIES)
_MELODY_VALUES = np.arange(NUM_MELODY_VALUES)
_MELODY_KIND = _kind(_MELODY_VALUES, NUM_PITCHES)
_MELODY_PITCH = np.where(_MELODY_VALUES == 0, NUM_PITCHES, (_MELODY_VALUES - 1) % NUM_PITCHES)
_MELODY_CLASS = np.where(_MELODY_VALUES == 0, 12, (_MELODY_VALUES - 1) % NUM_PITCHES % 12)


def _embed(count: int, width: int, rngs: nnx.Rngs) -> nnx.Embed:
    made = nnx.Embed(count, width, embedding_init=nnx.initializers.normal(0.02), rngs=rngs)
    made.dtype = None  # that of the table when it is looked up; it may be served in rounder numbers than it was made in
    return made


def _linear(inputs: int, outputs: int, rngs: nnx.Rngs) -> nnx.Linear:
    return nnx.Linear(inputs, outputs, use_bias=False, kernel_init=nnx.initializers.normal(0.02), rngs=rngs)


class ChordEmbedding(nnx.Module):
    """A chord value as the sum of its root, its quality, and onset or hold."""

    def __init__(self, width: int, rngs: nnx.Rngs) -> None:
        self.kind = _embed(_KINDS, width, rngs)
        self.root = _embed(13, width, rngs)
        self.quality = _embed(NUM_QUALITIES + 1, width, rngs)

    def __call__(self, chord: Int[Array, "*any"]) -> Float[Array, "*any E"]:
        """Embed chord values."""
        return (
            self.kind(jnp.asarray(_CHORD_KIND)[chord])
            + self.root(jnp.asarray(_CHORD_ROOT)[chord])
            + self.quality(jnp.asarray(_CHORD_QUALITY)[chord])
        )


class MelodyEmbedding(nnx.Module):
    """A melody value as the sum of its pitch, its pitch class, and onset or hold."""

    def __init__(self, width: int, rngs: nnx.Rngs) -> None:
        self.kind = _embed(_KINDS, width, rngs)
        self.pitch = _embed(NUM_PITCHES + 1, width, rngs)
        self.pitch_class = _embed(13, width, rngs)

    def __call__(self, melody: Int[Array, "*any"]) -> Float[Array, "*any E"]:
        """Embed melody values."""
        kind, pitch, pitch_class = (jnp.asarray(table)[melody] for table in (_MELODY_KIND, _MELODY_PITCH, _MELODY_CLASS))
        return self.kind(kind) + self.pitch(pitch) + self.pitch_class(pitch_class)


def rotate(x: Float[Array, "B T N D"], position: Int[Array, "B T"]) -> Float[Array, "B T N D"]:
    """Rotary position embedding (RoFormer, arXiv 2104.09864, section 3.4), halves instead of neighbouring pairs."""
    half = x.shape[-1] // 2
    frequency = _ROPE_BASE ** (-jnp.arange(half, dtype=jnp.float32) / half)
    angle = position[..., None, None].astype(jnp.float32) * frequency
    cos, sin = jnp.cos(angle).astype(x.dtype), jnp.sin(angle).astype(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return jnp.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)


class Part(NamedTuple):
    """Keys and values of one layer that may be attended to, and by which of the fed positions."""

    keys: Float[Array, "B K D S"]
    values: Float[Array, "B K S D"]
    visible: Bool[Array, "B T S"]


def attend(q: Float[Array, "B T H D"], parts: Sequence[Part]) -> Float[Array, "B T H D"]:
    """Softmax attention over several stretches of keys as if they were one; H / K query heads share a key/value head.

    Keeping cached and fresh keys apart saves copying the cache to append to it. The softmax is put together from the stretches' own
    maxima and sums, so nothing is concatenated.
    """
    b, t, h, d = q.shape
    kv_heads = parts[0].keys.shape[1]
    group = h // kv_heads
    grouped = (q * d**-0.5).reshape(b, t, kv_heads, group, d).transpose(0, 2, 3, 1, 4).reshape(b, kv_heads, group * t, d)
    logits = [_logits(grouped, part) for part in parts]
    top = jax.lax.stop_gradient(reduce(jnp.maximum, [part.max(-1, keepdims=True) for part in logits]))
    weights = [jnp.exp(part - top) for part in logits]
    total = reduce(jnp.add, [part.sum(-1, keepdims=True) for part in weights])
    mixed = [jnp.einsum("bkms,bksd->bkmd", w.astype(q.dtype), part.values) for w, part in zip(weights, parts, strict=True)]
    found = (reduce(jnp.add, mixed) / total).astype(q.dtype)
    return found.reshape(b, kv_heads, group, t, d).transpose(0, 3, 1, 2, 4).reshape(b, t, h, d)


def _logits(grouped: Float[Array, "B K M D"], part: Part) -> Float[Array, "B K M S"]:
    """In float32; what is not visible weighs nothing."""
    b, t, s = part.visible.shape
    visible = jnp.broadcast_to(part.visible[:, None, None], (b, 1, grouped.shape[2] // t, t, s)).reshape(b, 1, -1, s)
    found = jnp.einsum("bkmd,bkds->bkms", grouped, part.keys).astype(jnp.float32)
    return jnp.where(visible, found, jnp.float32(-1e30))


def laid_out(key: Float[Array, "B T K D"], value: Float[Array, "B T K D"]) -> tuple[Float[Array, "B K D T"], Float[Array, "B K T D"]]:
    """Keys and values of fed positions as `Part` and the cache hold them."""
    return key.transpose(0, 2, 3, 1), value.transpose(0, 2, 1, 3)


class Block(nnx.Module):
    """Attention and SwiGLU, each on a normalised copy of the residual stream."""

    def __init__(self, sizes: ModelSizes, rngs: nnx.Rngs) -> None:
        e, h, k, d = sizes.width, sizes.heads, sizes.kv_heads, sizes.head_width
        self.shape = (h, k, d)
        self.attention_norm = nnx.RMSNorm(e, rngs=rngs)
        self.to_query = _linear(e, h * d, rngs)
        self.to_key_value = _linear(e, 2 * k * d, rngs)
        self.query_norm = nnx.RMSNorm(d, rngs=rngs)
        self.key_norm = nnx.RMSNorm(d, rngs=rngs)
        self.from_heads = _linear(h * d, e, rngs)
        self.feed_norm = nnx.RMSNorm(e, rngs=rngs)
        self.to_feed = _linear(e, 2 * sizes.feed_width, rngs)
        self.from_feed = _linear(sizes.feed_width, e, rngs)
        self.dropout = nnx.Dropout(sizes.dropout)

    def project(
        self, x: Float[Array, "B T E"], position: Int[Array, "B T"]
    ) -> tuple[Float[Array, "B T H D"], Float[Array, "B T K D"], Float[Array, "B T K D"]]:
        """Queries, keys and values of the fed positions, normalised and rotated."""
        h, k, d = self.shape
        b, t, _ = x.shape
        normed = self.attention_norm(x)
        query = self.to_query(normed).reshape(b, t, h, d)
        key, value = jnp.split(self.to_key_value(normed).reshape(b, t, 2 * k, d), 2, axis=2)
        return rotate(self.query_norm(query), position), rotate(self.key_norm(key), position), value

    def finish(self, x: Float[Array, "B T E"], attended: Float[Array, "B T H D"], key: Array | None) -> Float[Array, "B T E"]:
        """Add what attention found, then the feed-forward part; `key` drops parts of both in training."""
        b, t, _ = x.shape
        keys = (None, None) if key is None else jax.random.split(key)
        x = x + self._drop(self.from_heads(attended.reshape(b, t, -1)), keys[0])
        gate, up = jnp.split(self.to_feed(self.feed_norm(x)), 2, axis=-1)
        return x + self._drop(self.from_feed(jax.nn.silu(gate) * up), keys[1])

    def _drop(self, x: Float[Array, "B T E"], key: Array | None) -> Float[Array, "B T E"]:
        return x if key is None else self.dropout(x, deterministic=False, rngs=key)


def pitch_classes_ahead(melody: Int[Array, "B S"], known: Bool[Array, "B S"]) -> Float[Array, "B S F"]:
    """For each frame, how much of some spans from it on each pitch class sounds: what a chord that begins there would meet."""
    sounding = jax.nn.one_hot(jnp.asarray(_MELODY_CLASS)[melody], 13)[..., :12] * known[..., None]
    s = melody.shape[1]
    total = jnp.pad(jnp.cumsum(sounding, axis=1), ((0, 0), (1, 0), (0, 0)))  # before each frame, and at the end
    ends = [jnp.minimum(jnp.arange(s) + span, s) for span in _AHEAD_FRAMES]
    shares = [(total[:, end] - total[:, :-1]) / span for end, span in zip(ends, _AHEAD_FRAMES, strict=True)]
    return _AHEAD_GAIN * jnp.concatenate(shares, axis=-1)


class Listener(nnx.Module):
    """Hears a whole melody: every frame attends to all known frames, earlier and later."""

    def __init__(self, sizes: ModelSizes, rngs: nnx.Rngs) -> None:
        self.melody = MelodyEmbedding(sizes.width, rngs)
        self.place = _embed(MAX_BAR_FRAMES, sizes.width, rngs)
        self.blocks = nnx.List([Block(sizes, rngs) for _ in range(sizes.listening_layers)])
        self.ahead = nnx.Linear(12 * len(_AHEAD_FRAMES), sizes.width, use_bias=False, kernel_init=nnx.initializers.zeros, rngs=rngs)
        self.norm = nnx.RMSNorm(sizes.width, rngs=rngs)
        self.out = nnx.Linear(sizes.width, sizes.width, use_bias=False, kernel_init=nnx.initializers.zeros, rngs=rngs)  # deaf at first

    def __call__(
        self, melody: Int[Array, "B S"], place: Int[Array, "B S"], known: Bool[Array, "B S"], key: Array | None = None
    ) -> Float[Array, "B S E"]:
        """What there is to know about each frame from the melody around it; frames that are not `known` are not heard."""
        x = self.melody(melody) + self.place(place)
        b, s = melody.shape
        position = jnp.broadcast_to(jnp.arange(s), (b, s))
        visible = jnp.broadcast_to(known[:, None, :], (b, s, s))
        for index, block in enumerate(self.blocks):
            q, k, v = block.project(x, position)
            x = block.finish(x, attend(q, [Part(*laid_out(k, v), visible)]), None if key is None else jax.random.fold_in(key, index))
        return jnp.asarray(self.out(self.norm(x)) + self.ahead(pitch_classes_ahead(melody, known)))


class Decoder(nnx.Module):
    """The whole network; `hidden_full` for training, `hidden_cached` for serving, one pair of heads for both."""

    def __init__(self, sizes: ModelSizes, rngs: nnx.Rngs) -> None:
        e = sizes.width
        self.sizes = sizes
        self.chord = ChordEmbedding(e, rngs)
        self.melody = MelodyEmbedding(e, rngs)
        self.place = _embed(MAX_BAR_FRAMES, e, rngs)
        self.density = _embed(len(DENSITIES), e, rngs)
        self.style = _embed(len(STYLES), e, rngs)
        self.beats_per_bar = _embed(MAX_BEATS_PER_BAR + 1, e, rngs)
        self.blocks = nnx.List([Block(sizes, rngs) for _ in range(sizes.layers)])
        self.norm = nnx.RMSNorm(e, rngs=rngs)
        self.chord_head = _linear(e, NUM_CHORD_ACTIONS, rngs)
        self.melody_from_hidden = _linear(e, sizes.melody_head_width, rngs)
        self.melody_from_chord = _linear(e, sizes.melody_head_width, rngs)
        self.melody_head = _linear(sizes.melody_head_width, NUM_MELODY_ACTIONS, rngs)
        if sizes.listening_layers:
            self.listener = Listener(sizes, rngs)

    def embed(self, inputs: Inputs) -> Float[Array, "B T E"]:
        """Sum of what a position holds; the prefix holds the controls instead of a frame."""
        frame = self.chord(inputs.chord) + self.melody(inputs.melody) + self.place(inputs.place)
        prefix = self.density(inputs.density) + self.style(inputs.style) + self.beats_per_bar(inputs.beats_per_bar)
        held = jnp.where((inputs.position == 0)[..., None], prefix[:, None], frame)
        return held if inputs.heard is None else held + inputs.heard

    def listen(
        self, melody: Int[Array, "B S"], place: Int[Array, "B S"], known: Bool[Array, "B S"], key: Array | None = None
    ) -> Float[Array, "B S E"]:
        """`Inputs.heard` of an offline model, from position 0 on, made of the melody of the very frames that the positions predict."""
        return self.listener(melody, place, known, key)

    def hidden_full(self, inputs: Inputs, key: Array | None = None) -> Float[Array, "B T E"]:
        """Hidden states of whole windows, each position seeing itself and the ones before; `key` turns dropout on."""
        x = self.embed(inputs)
        visible = inputs.position[:, None, :] <= inputs.position[:, :, None]
        for index, block in enumerate(self.blocks):
            q, k, v = block.project(x, inputs.position)
            x = block.finish(x, attend(q, [Part(*laid_out(k, v), visible)]), None if key is None else jax.random.fold_in(key, index))
        return jnp.asarray(self.norm(x))

    def hidden_cached(
        self, inputs: Inputs, past: KeysValues | None, past_visible: Bool[Array, "B T S"] | None, fresh: Fresh, at: Int[Array, ""] | int
    ) -> tuple[Float[Array, "B T E"], Fresh]:
        """Hidden states of the fed positions over what is cached (`past`, if anything) and what this call has fed already (`fresh`).

        Returns `fresh` with the fed positions from entry `at` on. Padding positions are those at or beyond CACHE_POSITIONS.
        """
        x = self.embed(inputs)
        position = jax.lax.dynamic_update_slice_in_dim(fresh.position, inputs.position, at, axis=1)
        seen = position[:, None, :] <= inputs.position[:, :, None]
        keys, values = [], []
        for index, block in enumerate(self.blocks):
            q, k, v = block.project(x, inputs.position)
            key, value = laid_out(k, v)
            keys.append(jax.lax.dynamic_update_slice_in_dim(fresh.kept.keys[index], key, at, axis=3))
            values.append(jax.lax.dynamic_update_slice_in_dim(fresh.kept.values[index], value, at, axis=2))
            parts = [Part(keys[-1], values[-1], seen)]
            if past is not None and past_visible is not None:
                parts.append(Part(past.keys[index].astype(q.dtype), past.values[index].astype(q.dtype), past_visible))
            x = block.finish(x, attend(q, parts), None)
        return self.norm(x), Fresh(KeysValues(tuple(keys), tuple(values)), position)

    def chord_logits(self, hidden: Float[Array, "*any E"]) -> Float[Array, "*any V"]:
        """One logit per chord action of the next frame, in float32."""
        return jnp.asarray(self.chord_head(hidden), jnp.float32)

    def melody_logits(self, hidden: Float[Array, "*any E"], chord: Int[Array, "*any"]) -> Float[Array, "*any V"]:
        """One logit per melody action of the next frame, given the chord value of that frame, in float32."""
        mixed = self.melody_from_hidden(hidden) + self.melody_from_chord(self.chord(chord))
        return jnp.asarray(self.melody_head(jax.nn.silu(mixed)), jnp.float32)


def build(sizes: ModelSizes, seed: int = 0) -> Decoder:
    """A freshly initialised network; fixed seed, fixed weights."""
    return Decoder(sizes, nnx.Rngs(seed))
