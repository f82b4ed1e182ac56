"""Reward models: how well chords go with a melody, learnt from songs (ReaLchords, arXiv 2506.14723, section 4.2). Pure.

Axis letters: B fragments · F frames of a fragment · E width · D embedding. A beat (four frames side by side) is one token of a small
bidirectional Transformer, so 64 beats cost 64 tokens.

    contrastive     a melody encoder and a chord encoder; the reward is the cosine of their embeddings (symmetric InfoNCE, CLIP,
                    arXiv 2103.00020, section 2.3)
    discriminative  one encoder over both, frame under frame; the reward is the probability that the pair is real
Their rhythm variants hear onset, hold and silence only. An adversary (GAPT, arXiv 2511.17879) hears chords alone.
"""

from typing import Literal

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from inference.model import Block, ChordEmbedding, MelodyEmbedding, Part, attend, laid_out
from schema.grid import FRAMES_PER_BEAT
from schema.manifest import ModelSizes
from schema.tokens import NUM_CHORDS, NUM_PITCHES

Kind = Literal["contrastive", "discriminative", "adversary"]
Hears = Literal["values", "rhythm"]
_FIRST_SCALE = float(np.log(1 / 0.07))  # of the logits of InfoNCE, as in CLIP
_LARGEST_SCALE = float(np.log(100.0))


class RewardSizes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Shape of an encoder."""

    layers: int = 2
    width: int = 128
    heads: int = 4
    head_width: int = 32
    feed_width: int = 320
    frame_width: int = 64  # of one frame's embedding; a beat is four of them
    embedding: int = 128
    dropout: float = 0.1

    @property
    def blocks(self) -> ModelSizes:
        """As the decoder's blocks want it."""
        return ModelSizes(self.layers, self.width, self.heads, self.heads, self.head_width, self.feed_width, 1, self.dropout)


class Frames(nnx.Module):
    """Frames as vectors: whole values, or their rhythm alone."""

    def __init__(self, part: Literal["melody", "chords"], hears: Hears, width: int, rngs: nnx.Rngs) -> None:
        self.count = NUM_PITCHES if part == "melody" else NUM_CHORDS
        self.rhythm_only = hears == "rhythm"
        self.embed: nnx.Embed | MelodyEmbedding | ChordEmbedding
        if self.rhythm_only:
            self.embed = nnx.Embed(3, width, rngs=rngs)
        else:
            self.embed = MelodyEmbedding(width, rngs) if part == "melody" else ChordEmbedding(width, rngs)

    def __call__(self, values: Int[Array, "B F"]) -> Float[Array, "B F E"]:
        """Embed melody or chord values."""
        if self.rhythm_only:
            values = jnp.where(values == 0, 0, jnp.where(values <= self.count, 1, 2))
        return jnp.asarray(self.embed(values)) * 10.0  # tables begin at .02: without a gain they learn slowly


class FragmentEncoder(nnx.Module):
    """One vector of a fragment: its beats attend to one another, both ways in time, and are averaged."""

    def __init__(self, sizes: RewardSizes, rngs: nnx.Rngs) -> None:
        self.to_beat = nnx.Linear(FRAMES_PER_BEAT * sizes.frame_width, sizes.width, rngs=rngs)
        self.blocks = nnx.List([Block(sizes.blocks, rngs) for _ in range(sizes.layers)])
        self.norm = nnx.RMSNorm(sizes.width, rngs=rngs)

    def __call__(self, frames: Float[Array, "B F E"], key: Array | None = None) -> Float[Array, "B E"]:
        """Encode embedded frames; `key` turns dropout on."""
        b, f, e = frames.shape
        x = self.to_beat(frames.reshape(b, f // FRAMES_PER_BEAT, FRAMES_PER_BEAT * e))
        beats = x.shape[1]
        position = jnp.broadcast_to(jnp.arange(beats), (b, beats))
        visible = jnp.ones((b, beats, beats), bool)
        for index, block in enumerate(self.blocks):
            q, k, v = block.project(x, position)
            x = block.finish(x, attend(q, [Part(*laid_out(k, v), visible)]), None if key is None else jax.random.fold_in(key, index))
        return jnp.asarray(self.norm(x).mean(axis=1))


class Contrastive(nnx.Module):
    """Two encoders that put what belongs together in one place."""

    def __init__(self, sizes: RewardSizes, hears: Hears, rngs: nnx.Rngs) -> None:
        self.melody_frames = Frames("melody", hears, sizes.frame_width, rngs)
        self.chord_frames = Frames("chords", hears, sizes.frame_width, rngs)
        self.melody_encoder = FragmentEncoder(sizes, rngs)
        self.chord_encoder = FragmentEncoder(sizes, rngs)
        self.from_melody = nnx.Linear(sizes.width, sizes.embedding, rngs=rngs)
        self.from_chords = nnx.Linear(sizes.width, sizes.embedding, rngs=rngs)
        self.log_scale = nnx.Param(jnp.float32(_FIRST_SCALE))

    def embed_melody(self, melody: Int[Array, "B F"], key: Array | None = None) -> Float[Array, "B D"]:
        """Unit vectors of melodies."""
        return _unit(self.from_melody(self.melody_encoder(self.melody_frames(melody), key)))

    def embed_chords(self, chords: Int[Array, "B F"], key: Array | None = None) -> Float[Array, "B D"]:
        """Unit vectors of chord fragments."""
        return _unit(self.from_chords(self.chord_encoder(self.chord_frames(chords), key)))

    def loss(self, melody: Int[Array, "B F"], chords: Int[Array, "B F"], key: Array | None) -> Float[Array, ""]:
        """Symmetric InfoNCE: each melody finds its chords in the batch and the other way round."""
        keys = (None, None) if key is None else jax.random.split(key)
        cosines = self.embed_melody(melody, keys[0]) @ self.embed_chords(chords, keys[1]).T
        logits = cosines * jnp.exp(jnp.minimum(self.log_scale[...], _LARGEST_SCALE))
        mine = jnp.arange(len(cosines))
        both = [jax.nn.log_softmax(rows, axis=-1)[mine, mine].mean() for rows in (logits, logits.T)]
        return -(both[0] + both[1]) / 2

    def reward(self, melody: Int[Array, "B F"], chords: Int[Array, "B F"]) -> Float[Array, "B"]:
        """Cosine of the two embeddings, -1 to 1."""
        return (self.embed_melody(melody) * self.embed_chords(chords)).sum(axis=-1)


class Discriminative(nnx.Module):
    """One encoder that tells real pairs from shuffled ones; an adversary has no ear for the melody."""

    def __init__(self, sizes: RewardSizes, hears: Hears, rngs: nnx.Rngs, *, chords_alone: bool = False) -> None:
        self.chord_frames = Frames("chords", hears, sizes.frame_width, rngs)
        self.melody_frames = None if chords_alone else Frames("melody", hears, sizes.frame_width, rngs)
        self.encoder = FragmentEncoder(sizes, rngs)
        self.out = nnx.Linear(sizes.width, 1, rngs=rngs)

    def logit(self, melody: Int[Array, "B F"], chords: Int[Array, "B F"], key: Array | None = None) -> Float[Array, "B"]:
        """Log odds that the pair is real."""
        frames = self.chord_frames(chords)
        if self.melody_frames is not None:
            frames = frames + self.melody_frames(melody)
        return jnp.asarray(self.out(self.encoder(frames, key))[:, 0])

    def loss(
        self, melody: Int[Array, "B F"], chords: Int[Array, "B F"], real: Bool[Array, "B"], key: Array | None, smoothing: float = 0.0
    ) -> Float[Array, ""]:
        """Mean cross-entropy of real against not, in nats, the labels smoothed by this share."""
        logit = self.logit(melody, chords, key)
        target = jnp.where(real, 1.0 - smoothing / 2, smoothing / 2)
        return -(target * jax.nn.log_sigmoid(logit) + (1 - target) * jax.nn.log_sigmoid(-logit)).mean()

    def reward(self, melody: Int[Array, "B F"], chords: Int[Array, "B F"]) -> Float[Array, "B"]:
        """Probability that the pair is real."""
        return jax.nn.sigmoid(self.logit(melody, chords))


def build_reward(kind: Kind, hears: Hears, sizes: RewardSizes, seed: int) -> Contrastive | Discriminative:
    """A freshly initialised reward model; fixed seed, fixed weights."""
    rngs = nnx.Rngs(seed)
    if kind == "contrastive":
        return Contrastive(sizes, hears, rngs)
    return Discriminative(sizes, hears, rngs, chords_alone=kind == "adversary")


def _unit(x: Float[Array, "B D"]) -> Float[Array, "B D"]:
    return x / jnp.sqrt((x * x).sum(axis=-1, keepdims=True) + 1e-6)
