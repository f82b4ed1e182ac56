"""Prefill, decode and sampling on the device: the only `jit` for serving. Shell.

One compiled function per bucket (rows, positions fed at once, decisions): a call gathers its rows' keys and values once, feeds
the known positions, decides frame after frame with everything on the device (or one behind each position, to check a draft), and
writes the fresh keys and values into the donated cache. Which buckets exist is fixed at construction; `warm_up` compiles all of them,
nothing compiles afterwards.

The rows of a call and the slots are split over the local devices (data parallel): each device has its own slots, and computes the rows
that use them; nothing travels between devices. One device is a mesh of one.

An offline model hears a request's whole melody first, in a call of its own; what it heard stays beside the slot's keys and values.

Weights, keys and values are float32 on a CPU and bfloat16 on accelerators, whose matrix units want it (docs/roofline.md); logits, softmax
and noise are float32 everywhere.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Bool, Float, Int

from inference import cache as kv
from inference.model import CACHE_POSITIONS, FLOAT32, NOWHERE, Decoder, Fresh, Inputs, KeysValues, build, nothing_fed
from inference.packing import Header, decisions_of, header, pack, row_width
from inference.planner import Bucket, Decision, Work
from inference.sampling import CHORD_PART, MELODY_PART, MELODY_TEMPERATURE, choose, likeliest, noise, value_of
from schema.engine_messages import unpack_values
from schema.grid import FRAMES_PER_BEAT
from schema.manifest import ModelSizes
from schema.tokens import NOTHING, NUM_CHORD_ACTIONS, NUM_CHORDS, NUM_MELODY_ACTIONS, NUM_PITCHES

GUESSES = 4  # likeliest melody values that are told of each frame
_EARSHOTS = (CACHE_POSITIONS // 4, CACHE_POSITIONS)  # frames heard at once: a warm start needs few, a whole window all


class Frame(NamedTuple):
    """Chord and melody values of one frame of every row."""

    chord: Int[Array, "B"]
    melody: Int[Array, "B"]
    likely: Int[Array, "B G"]  # melody values, likeliest first; none where the melody is known


def served_numbers(device: jax.Device) -> str:
    """The dtype of weights, keys and values that a device serves with."""
    return "float32" if device.platform == "cpu" else "bfloat16"


def matmul_precision(device: jax.Device, dtype: jnp.dtype) -> str | None:
    """How products are made: float32 asked for on an accelerator is meant (there it is rounded to less unless one says so)."""
    return "highest" if device.platform != "cpu" and dtype == FLOAT32 else None


class Programs:
    """What is compiled for models of one shape on some devices: weights are given to it, so all of them share it."""

    def __init__(self, sizes: ModelSizes, devices: tuple[jax.Device, ...], dtype: jnp.dtype) -> None:
        self.compiled = 0  # shapes compiled so far
        self.mesh = Mesh(np.array(devices), ("device",))
        graph, self.state = nnx.split(nnx.eval_shape(lambda: build(sizes)))
        tree, mesh = jax.tree.structure(self.state), self.mesh
        everywhere, rows = P(), P("device")
        precision = matmul_precision(devices[0], dtype)

        def merged(weights: list[Array]) -> Decoder:
            self.compiled += 1  # runs once for every shape, while it is traced
            return nnx.merge(graph, jax.tree.unflatten(tree, weights))

        def call(
            weights: list[Array], cache: KeysValues, heard: Array | None, packed: Int[Array, "B X"], *, bucket: Bucket
        ) -> tuple[KeysValues, Array]:
            def on_one(weights: list[Array], cache: KeysValues, heard: Array | None, packed: Array) -> tuple[KeysValues, Array]:
                with jax.default_matmul_precision(precision):
                    return _advance(merged(weights), cache, heard, packed, bucket, dtype)

            specs = (everywhere, rows, rows, rows)
            advanced: tuple[KeysValues, Array] = jax.shard_map(on_one, mesh=mesh, in_specs=specs, out_specs=(rows, rows))(
                weights, cache, heard, packed
            )
            return advanced

        def hear(weights: list[Array], heard: Array, packed: Int[Array, "B X"]) -> Array:
            def on_one(weights: list[Array], heard: Array, packed: Array) -> Array:
                with jax.default_matmul_precision(precision):
                    return _hear(merged(weights), heard, packed)

            return jnp.asarray(jax.shard_map(on_one, mesh=mesh, in_specs=(everywhere, rows, rows), out_specs=rows)(weights, heard, packed))

        def copy(cache: KeysValues, packed: Int[Array, "D 2 2"]) -> KeysValues:
            self.compiled += 1
            copied: KeysValues = jax.shard_map(kv.copy, mesh=mesh, in_specs=(rows, rows), out_specs=rows)(cache, packed)
            return copied

        self.copy = jax.jit(copy, donate_argnums=0)
        self.call = jax.jit(call, static_argnames="bucket", donate_argnums=1)
        self.hear = jax.jit(hear, donate_argnums=1)


programs = lru_cache(maxsize=8)(Programs)


class Engine:
    """The model, its weights on every device, and the slots of all sessions, split over the devices: slot // slots a device tells which."""

    def __init__(
        self,
        sizes: ModelSizes,
        weights: Any,
        *,
        slots: int,
        buckets: Sequence[Bucket],
        devices: Sequence[jax.Device] | None = None,
        numbers: str | None = None,
    ) -> None:
        """`weights` is the pure tree of a Decoder of these sizes; `slots` and the rows of buckets are per device (default: all local).

        `numbers` names the dtype of weights, keys and values (default: what the devices serve with).
        """
        self.sizes = sizes
        self._devices = tuple(jax.local_devices() if devices is None else devices)
        self.devices = len(self._devices)
        self.slots = slots * self.devices
        self._local_slots = slots
        self.buckets = tuple(sorted(set(buckets)))
        self.dtype = jnp.dtype(numbers or served_numbers(self._devices[0]))
        self._programs = programs(sizes, self._devices, self.dtype)
        mesh, rows = self._programs.mesh, P("device")
        state = jax.tree.map(lambda leaf: leaf, self._programs.state)
        nnx.replace_by_pure_dict(state, weights)
        self._weights = jax.device_put([jnp.asarray(leaf, self.dtype) for leaf in jax.tree.leaves(state)], NamedSharding(mesh, P()))
        one = kv.empty(sizes, slots, self.dtype)
        self._cache = jax.tree.map(lambda leaf: _on_each(leaf, mesh, rows), one)
        heard = jnp.zeros((slots + 1, CACHE_POSITIONS, sizes.width), self.dtype) if sizes.listening_layers else None
        self._heard = None if heard is None else _on_each(heard, mesh, rows)

    @property
    def compiled(self) -> int:
        """Shapes compiled so far, for this model and all that share its programs; constant after `warm_up` of the last of them."""
        return self._programs.compiled

    def warm_up(self) -> None:
        """Compile every bucket, on scratch."""
        for bucket in self.buckets:
            self._run(np.full((self.devices * bucket.rows, row_width(bucket)), 0, np.int32), bucket)
        if self._heard is None:
            self.copy([(0, 0)])
        else:
            for frames in _EARSHOTS:
                self._listen(np.zeros((self.devices, len(Header._fields) + frames), np.int32))

    def run(self, works: Sequence[Work], bucket: Bucket) -> list[list[Decision]]:
        """Compute one batch and wait for it; the decisions of each row, as many as it asked for."""
        packed = np.zeros((self.devices, bucket.rows, row_width(bucket)), np.int32)
        packed[:, :, 0] = self._local_slots  # padding rows use the scratch slot
        filled = [0] * self.devices
        places = []
        for work in works:
            device, slot = divmod(work.slot, self._local_slots)
            if work.position == 0 and self._heard is not None:
                self._listen(self._pack_melody(work))
            assert filled[device] < bucket.rows, f"expected at most {bucket.rows} rows a device, got more of {len(works)}"
            pack(packed[device, filled[device]], work, slot, bucket)
            places.append(device * bucket.rows + filled[device])
            filled[device] += 1
        chosen = self._run(packed.reshape(-1, packed.shape[-1]), bucket)
        return [decisions_of(chosen[place], work, bucket) for place, work in zip(places, works, strict=True)]

    def copy(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Copy slots (from, to), each pair on one device."""
        for start, end in pairs:
            device, source = divmod(start, self._local_slots)
            assert end // self._local_slots == device, f"expected slots of one device, got {start} and {end}"
            packed = np.full((self.devices, 2, 2), self._local_slots, np.int32)  # scratch onto itself
            packed[device, 0] = source, end % self._local_slots
            self._cache = self._programs.copy(self._cache, packed)

    def _pack_melody(self, work: Work) -> np.ndarray:
        """One row a device for `_hear`: header (its count is that of frames heard), melody; other devices hear on scratch."""
        device, slot = divmod(work.slot, self._local_slots)
        melody = unpack_values(work.request.melody)
        width = next(frames for frames in _EARSHOTS if frames >= len(melody))
        packed = np.zeros((self.devices, len(Header._fields) + width), np.int32)
        packed[:, 0] = self._local_slots
        row = [*header(work, slot, len(melody), 0), *melody]
        packed[device, : len(row)] = row
        return packed

    def _listen(self, packed: np.ndarray) -> None:
        assert self._heard is not None, "only offline models listen"
        self._heard = self._programs.hear(self._weights, self._heard, packed)

    def _run(self, packed: np.ndarray, bucket: Bucket) -> np.ndarray:
        self._cache, chosen = self._programs.call(self._weights, self._cache, self._heard, packed, bucket=bucket)
        return np.asarray(chosen)


def _on_each(leaf: Array, mesh: Mesh, spec: P) -> Array:
    """The same array on every device, as one array that is split along its first axis."""
    copies = jnp.concatenate([leaf] * mesh.size)
    return jnp.asarray(jax.device_put(copies, NamedSharding(mesh, spec)))


class _Given(NamedTuple):
    """What of the frame to be decided is known."""

    chord: Int[Array, "B"]
    chord_counts: Bool[Array, "B"]
    melody: Int[Array, "B"]  # counts where all of it is known: for offline models


def _hear(model: Decoder, heard: Float[Array, "S T E"], packed: Int[Array, "1 X"]) -> Float[Array, "S T E"]:
    """Hear the whole melody of a slot's request; frames beyond it stay as they were, nothing reads them."""
    width = len(Header._fields)
    head = Header(*packed[:, :width].T)
    melody = packed[:, width:]
    frames = jnp.arange(melody.shape[1])[None]
    place = _place(head, frames)
    made = model.listen(melody, place, frames < head.count[:, None])
    return jnp.asarray(jax.lax.dynamic_update_slice(heard, made.astype(heard.dtype), (head.slot[0], 0, 0)))


def _advance(
    model: Decoder, cache: KeysValues, all_heard: Float[Array, "S T E"] | None, packed: Int[Array, "B X"], bucket: Bucket, dtype: jnp.dtype
) -> tuple[KeysValues, Int[Array, "B T X"]]:
    """The whole call: feed the positions, then decide `bucket.decisions` frames, behind the last of them or behind each."""
    rows, positions, decisions, at_once = bucket
    ends = np.cumsum([len(Header._fields), positions, positions, decisions])
    header, chords, melody, given, given_melody = jnp.split(packed, ends, axis=1)
    head = Header(*header.T)
    heard = None if all_heard is None else partial(_heard_at, all_heard, head.slot)
    past = kv.gather(cache, head.slot)
    cached = jnp.arange(CACHE_POSITIONS)[None, None, :] < head.position[:, None, None]

    fed = jnp.arange(positions)[None, :]
    position = jnp.where(fed < head.count[:, None], head.position[:, None] + fed, NOWHERE)
    near = nothing_fed(model.sizes, rows, positions if at_once else positions + decisions - 1, dtype)
    hidden, fresh = model.hidden_cached(_inputs(head, chords, melody, position, heard), past, cached, near, 0)
    if at_once:
        known = _Given(given, head.given[:, None] > fed, given_melody)
        chosen = _decide_each(model, head, hidden, position, (chords, melody), known)
        return _written(cache, head, fresh, chosen)
    last = (head.count - 1).clip(0)[:, None]
    hidden = jnp.take_along_axis(hidden, last[..., None], axis=1)[:, 0]
    prefix_only = head.position + head.count == 1
    chord, note = (jnp.where(prefix_only, NOTHING, jnp.take_along_axis(values, last, axis=1)[:, 0]) for values in (chords, melody))
    before = Frame(chord, note, jnp.zeros((rows, 0), jnp.int32))
    decide = partial(_decide, model, head)
    chances = _chances(head, head.position + head.count - 1, decisions, heard is not None)

    def given_at(index: Int[Array, ""] | int) -> _Given:
        return _Given(given[:, index], head.given > index, given_melody[:, index])

    first = decide(hidden, before, jax.tree.map(lambda leaf: leaf[0], chances), given_at(0))

    def step(carry: tuple[Fresh, Frame], at: tuple[Int[Array, ""], _Chances]) -> tuple[tuple[Fresh, Frame], Frame]:
        (fresh, now), (index, chances) = carry, at
        position = head.position + head.count + index
        inputs = _inputs(head, now.chord[:, None], now.melody[:, None], position[:, None], heard)
        hidden, fresh = model.hidden_cached(inputs, past, cached, fresh, positions + index)
        following = decide(hidden[:, 0], now, chances, given_at(index + 1))
        return (fresh, following), following

    chosen = _columns(first)[:, None]
    if decisions > 1:
        later_chances = jax.tree.map(lambda leaf: leaf[1:], chances)
        (fresh, _), later = jax.lax.scan(step, (fresh, first), (jnp.arange(decisions - 1), later_chances), unroll=decisions <= 4)
        chosen = jnp.concatenate([chosen, jax.vmap(_columns)(later).swapaxes(0, 1)], axis=1)
    return _written(cache, head, fresh, chosen)


def _decide_each(
    model: Decoder, head: Header, hidden: Array, position: Array, fed: tuple[Array, Array], known: _Given
) -> Int[Array, "B T X"]:
    """A frame behind each position, all at once: what each decides counts if what was fed behind the one before came out so."""
    rows, positions = position.shape
    chord, melody = (jnp.where(position == 0, NOTHING, values) for values in fed)
    before = Frame(chord, melody, jnp.zeros((rows, positions, 0), jnp.int32))
    chances = _chances(head, head.position, positions, bool(model.sizes.listening_layers))
    decided = jax.vmap(partial(_decide, model, head), in_axes=(1, 1, 0, 1), out_axes=1)(hidden, before, chances, known)
    return _columns(decided)


def _written(cache: KeysValues, head: Header, fresh: Fresh, chosen: Int[Array, "B T X"]) -> tuple[KeysValues, Int[Array, "B T X"]]:
    read_before_written = jnp.minimum(chosen.min(), 0)  # always 0; without it XLA may write first, and so would copy the whole cache
    return kv.write(cache, head.slot + read_before_written, fresh.position, fresh.kept), chosen


class _Chances(NamedTuple):
    """The noise of every frame to be decided; it depends on nothing that is computed, so all of it is made at once."""

    chord: Float[Array, "T B V"]
    melody: Float[Array, "T B V"] | None  # None: the melody is known


def _chances(head: Header, first: Int[Array, "B"], decisions: int, melody_is_known: bool) -> _Chances:
    """For frames of the window from `first` on."""
    frame = (head.window_start + first)[None] + jnp.arange(decisions)[:, None]
    seed = jnp.broadcast_to(jax.lax.bitcast_convert_type(head.seed, jnp.uint32)[None], frame.shape)
    chord = noise(seed, frame, CHORD_PART, NUM_CHORD_ACTIONS)
    return _Chances(chord, None if melody_is_known else noise(seed, frame, MELODY_PART, NUM_MELODY_ACTIONS))


def _columns(frame: Frame) -> Int[Array, "*any X"]:
    """A frame as one row of integers for each row of the batch."""
    return jnp.concatenate([frame.chord[..., None], frame.melody[..., None], frame.likely], axis=-1)


def _place(head: Header, frames: Int[Array, "B T"]) -> Int[Array, "B T"]:
    """Places in the bar of frames that count in the window."""
    bar = jnp.maximum(head.beats_per_bar, 1)[:, None] * FRAMES_PER_BEAT
    return jnp.asarray((head.window_start[:, None] + frames - head.bar_line[:, None]) % bar)


def _heard_at(heard: Float[Array, "S T E"], slot: Int[Array, "B"], position: Int[Array, "B T"]) -> Float[Array, "B T E"]:
    """What was heard of the frames that the positions predict; the last frame's stands in at padding."""
    return heard[slot[:, None], position.clip(0, CACHE_POSITIONS - 1)]


def _inputs(
    head: Header,
    chords: Int[Array, "B T"],
    melody: Int[Array, "B T"],
    position: Int[Array, "B T"],
    heard: Callable[[Int[Array, "B T"]], Float[Array, "B T E"]] | None,
) -> Inputs:
    place = _place(head, position - 1)
    told = None if heard is None else heard(position)
    return Inputs(chords, melody, place, position, head.density, head.style, head.beats_per_bar, told)


def _decide(model: Decoder, head: Header, hidden: Array, before: Frame, chances: _Chances, known: _Given) -> Frame:
    """One frame of every row: the committed chord or a sample, then the melody likewise."""
    temperature = jax.lax.bitcast_convert_type(head.temperature, jnp.float32)
    action = choose(model.chord_logits(hidden), temperature, chances.chord, before.chord != NOTHING)
    chord = jnp.where(known.chord_counts, known.chord, value_of(action, before.chord, NUM_CHORDS))
    if chances.melody is None:
        return Frame(chord, known.melody, jnp.zeros((len(chord), 0), jnp.int32))
    cooler = jnp.minimum(temperature, MELODY_TEMPERATURE)
    logits, sounding = model.melody_logits(hidden, chord), before.melody != NOTHING
    action = choose(logits, cooler, chances.melody, sounding)
    likely = likeliest(logits, sounding, GUESSES)
    return Frame(chord, value_of(action, before.melody, NUM_PITCHES), value_of(likely, before.melody[:, None], NUM_PITCHES))
