"""The generated copies are fresh, and `--check` names a file that is not."""

import subprocess
import sys
from pathlib import Path

from sideman_client.generated.chords import CHORD_TONES
from sideman_client.generated.codes import CLOSES, should_reconnect

GENERATE = Path(__file__).parents[2] / "generate.py"


def generate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(GENERATE), *arguments], capture_output=True, text=True, check=False)


def test_the_copies_in_the_package_are_fresh():
    result = generate("--check")
    assert (result.returncode, result.stderr) == (0, "")


def test_check_names_what_is_stale_missing_or_left_over(tmp_path: Path):
    assert generate("--folder", str(tmp_path)).returncode == 0
    assert generate("--check", "--folder", str(tmp_path)).returncode == 0
    python, typescript = tmp_path / "python/sideman_client/generated", tmp_path / "typescript/src/generated"
    (python / "codes.py").write_text("changed by hand\n")
    (python / "chords.py").unlink()
    (python / "old.py").touch()
    (typescript / "messages.ts").unlink()
    result = generate("--check", "--folder", str(tmp_path))
    assert result.returncode == 1
    assert [Path(line.split(": ")[1]).name for line in result.stderr.splitlines()] == ["codes.py", "chords.py", "messages.ts", "old.py"]


def test_the_chord_table_has_every_root_and_quality():
    assert len(CHORD_TONES) == 12 * 21 + 1
    assert CHORD_TONES["F#m7b5"] == {6, 9, 0, 4}
    assert CHORD_TONES["N"] == set()


def test_c10_who_should_come_back():
    assert {close.code for close in CLOSES if should_reconnect(close.code)} == {1011, 1012, 1013, 4002, 4003, 4004}
