"""What each rule does: which runs are made, and the table of them."""

from io import StringIO
from pathlib import Path

import msgspec
from rich.console import Console

from training.ablate_rules import ALL_RULES, last_half, table, without
from training.train_rl import Curve, read_config

CONFIG = read_config(Path("training/configs/rl_m.toml"))


def test_a_run_leaves_out_one_rule_and_goes_on_as_the_config_ends():
    """Same episodes, same weights otherwise; the teacher counts what it counts at the end."""
    everything, one = (without(CONFIG, rule, "start", 32) for rule in (None, "overlong"))
    assert everything.rules == CONFIG.rules
    assert one.rules == {name: weight for name, weight in CONFIG.rules.items() if name != "overlong"}
    assert (one.initial, one.steps, one.seed) == ("start", 32, CONFIG.seed)
    assert one.learning.teacher_weight == one.learning.teacher_weight_last == CONFIG.learning.teacher_weight_last
    assert msgspec.structs.replace(one, name="", rules={}) == msgspec.structs.replace(everything, name="", rules={})


def test_the_table_says_what_a_rule_cost_with_and_without_it(tmp_path):
    """Of the second half of each run's curves."""
    music = {"note_in_chord": 0.5, "change_on_bar": 0.6, "beats_per_change": 3.0, "silent_share": 0.0, "overlong_share": 0.0}
    for name, costs in (("all", (-9.0, -1.0, -3.0)), ("overlong", (-9.0, -4.0, -6.0))):
        lines = [Curve(step, 1.0, 0.3, {"rule overlong": cost}, music) for step, cost in enumerate(costs)]
        (tmp_path / name).write_bytes(b"\n".join(msgspec.json.encode(line) for line in lines) + b"\n")
    found = {ALL_RULES: last_half(tmp_path / "all"), "overlong": last_half(tmp_path / "overlong")}
    printed = StringIO()
    Console(width=160, file=printed).print(table(found))
    row = next(line for line in printed.getvalue().splitlines() if "overlong" in line and "-" in line)
    assert "-2.000" in row
    assert "-5.000" in row
    assert "0.500" in row
