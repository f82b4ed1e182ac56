"""What a plan costs, counted: the count is that of the network itself, and the bounds behave as bounds do."""

import jax
import pytest

from inference.cache import bytes_per_slot
from inference.checkpoints import pure_shapes
from inference.roofline import BASE, CHIPS, SMALL, Chip, sessions, step_bytes, step_flops, step_seconds, table, weights


@pytest.mark.parametrize("sizes", [SMALL, BASE])
def test_the_weights_counted_are_the_kernels_of_the_network(sizes):
    """Every kernel is multiplied with in a step; tables and scales are not."""
    leaves = jax.tree_util.tree_flatten_with_path(pure_shapes(sizes))[0]
    kernels = sum(leaf.size for path, leaf in leaves if "kernel" in jax.tree_util.keystr(path))
    assert weights(sizes) == kernels


def test_a_row_more_reads_its_own_slot_and_no_weight():
    assert step_bytes(SMALL, 5, 4) - step_bytes(SMALL, 4, 4) == bytes_per_slot(SMALL, "float32")
    assert step_flops(SMALL, 6) == 3 * step_flops(SMALL, 2)


@pytest.mark.parametrize("chip", CHIPS)
def test_more_rows_serve_more_sessions_until_memory_is_full(chip):
    """The weights are read once for all of them."""
    found = [sessions(chip, SMALL, rows=rows, steps_per_plan=7.0) for rows in (1, 4, 16, 64, 256, 1024)]
    assert found == sorted(found)
    assert found[-1] <= chip.memory_bytes / 2 / (bytes_per_slot(SMALL, "float32") / 4 * chip.bytes_per_number)
    assert step_seconds(chip, SMALL, 8) > chip.launch_s


def test_sessions_by_hand():
    """A chip that needs a millisecond a step whatever it does: eight rows, ten steps a plan, half busy, a frame of 125 ms."""
    chip = Chip("any", 1e30, 1e30, 4, 1e-3, 1e30)
    assert sessions(chip, SMALL, rows=8, steps_per_plan=10.0, utilisation=0.5) == pytest.approx(0.5 * 8 * 125 / 10)


def test_the_table_has_a_line_for_every_chip_and_batch():
    assert len(table(SMALL).splitlines()) == 2 + 4 * len(CHIPS)
