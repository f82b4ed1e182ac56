"""What a plan costs, counted: arithmetic and bytes of a decode step, and the sessions a chip could serve by them. Pure.

Run: python -m inference.roofline [layers width heads kv_heads head_width feed_width melody_head_width]

A step of B rows reads every weight once, reads B rows' keys and values, and multiplies. Its time is bounded below by arithmetic / peak
and by bytes / bandwidth (Williams et al., CACM 52(4), 2009), and a chip adds a fixed time for launching what cannot be fused.
"""

import sys
from typing import NamedTuple

from inference.model import CACHE_POSITIONS
from schema.grid import frame_seconds
from schema.manifest import ModelSizes
from schema.tokens import NUM_CHORD_ACTIONS, NUM_MELODY_ACTIONS

SMALL = ModelSizes(layers=4, width=256, heads=4, kv_heads=1, head_width=64, feed_width=640, melody_head_width=128)
BASE = ModelSizes(layers=8, width=512, heads=8, kv_heads=2, head_width=64, feed_width=1408, melody_head_width=256)


class Chip(NamedTuple):
    """Published or measured rates."""

    name: str
    flops: float  # a second, in the number format served
    bytes_per_s: float
    bytes_per_number: int
    launch_s: float  # of a step, however small: dependent kernels that were not fused
    memory_bytes: float
    row_s: float = 0.0  # of a step, for every row: what is neither product nor the reading of keys and values; 0: not known


CHIPS = (
    Chip("this CPU, two cores, float32", 195e9, 64e9, 4, 350e-6, 4e9, 100e-6),  # by `sideman bench steps`
    Chip("TPU v5e, bfloat16", 197e12, 819e9, 2, 60e-6, 16e9),
    Chip("H100 SXM, bfloat16", 989e12, 3.35e12, 2, 120e-6, 80e9),
)


def weights(sizes: ModelSizes) -> int:
    """Numbers that a step multiplies with; embeddings are looked up, not multiplied."""
    e, hd, kd = sizes.width, sizes.heads * sizes.head_width, sizes.kv_heads * sizes.head_width
    block = e * hd + 2 * e * kd + hd * e + 3 * e * sizes.feed_width
    heads = e * NUM_CHORD_ACTIONS + 2 * e * sizes.melody_head_width + sizes.melody_head_width * NUM_MELODY_ACTIONS
    return sizes.layers * block + heads


def step_flops(sizes: ModelSizes, rows: int, positions: int = CACHE_POSITIONS) -> float:
    """Multiplications and additions of one position in every row over `positions` cached ones."""
    attention = 4.0 * sizes.layers * sizes.heads * sizes.head_width * positions
    return rows * (2.0 * weights(sizes) + attention)


def step_bytes(sizes: ModelSizes, rows: int, bytes_per_number: int, positions: int = CACHE_POSITIONS) -> float:
    """Weights once, keys and values of every row."""
    cache = 2.0 * sizes.layers * positions * sizes.kv_heads * sizes.head_width
    return bytes_per_number * (weights(sizes) + rows * cache)


def step_seconds(chip: Chip, sizes: ModelSizes, rows: int) -> float:
    """One step's time: its bound, and what the chip adds."""
    bound = max(step_flops(sizes, rows) / chip.flops, step_bytes(sizes, rows, chip.bytes_per_number) / chip.bytes_per_s)
    return bound + chip.launch_s + rows * chip.row_s


def sessions(
    chip: Chip, sizes: ModelSizes, *, rows: int, steps_per_plan: float, tempo_bpm: float = 120.0, utilisation: float = 0.7
) -> float:
    """Players that `rows` at a time can be served, each asking once a frame, with the chip this busy; memory bounds it too."""
    by_time = utilisation * rows * frame_seconds(tempo_bpm) / (steps_per_plan * step_seconds(chip, sizes, rows))
    slot = step_bytes(sizes, 1, chip.bytes_per_number) - step_bytes(sizes, 0, chip.bytes_per_number)
    return min(by_time, (chip.memory_bytes / 2) / slot)


def table(sizes: ModelSizes, steps_per_plan: float = 7.0) -> str:
    """Markdown: for each chip and batch the step's time, what bounds it, and the sessions."""
    lines = ["| chip | rows | arithmetic | memory | step | sessions at 120 BPM |", "|---|---:|---:|---:|---:|---:|"]
    for chip in CHIPS:
        for rows in (1, 8, 32, 128):
            flops, moved = step_flops(sizes, rows) / chip.flops, step_bytes(sizes, rows, chip.bytes_per_number) / chip.bytes_per_s
            found = sessions(chip, sizes, rows=rows, steps_per_plan=steps_per_plan)
            step = step_seconds(chip, sizes, rows)
            lines.append(f"| {chip.name} | {rows} | {flops * 1e6:,.1f} us | {moved * 1e6:,.1f} us | {step * 1e6:,.0f} us | {found:,.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    print(table(ModelSizes(*given) if given else SMALL))
