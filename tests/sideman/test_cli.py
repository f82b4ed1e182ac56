"""The `sideman` command: help for people, exit codes for scripts."""

import re
import subprocess
import sys

import pytest

from sideman.cli import BENCHMARKS, COMMANDS, main
from tests.tiny_corpus import write_tiny_corpus


def said(capsys, *arguments):
    """Exit code, standard output, standard error."""
    try:
        code = main(arguments)
    except SystemExit as end:  # argparse
        code = end.code
    output = capsys.readouterr()
    return code, output.out, output.err


def test_help_names_every_command(capsys):
    code, out, _ = said(capsys, "--help")
    assert code == 0
    assert "A hosted musician that accompanies your melody with chords, live." in out
    assert all(re.search(rf"^ +{name}( |$)", out, re.MULTILINE) for name in (*COMMANDS, "bench"))


@pytest.mark.parametrize(
    ("command", "options"),
    [
        (["serve"], ["--checkpoint", "--host", "--port", "--metrics-port", "--origin", "--max-sessions", "--slots"]),
        (["play"], ["--url", "--out", "--report", "--bpm", "--speed", "--limit-beats", "--temperature", "--model"]),
        (["evaluate"], ["--data", "--checkpoint", "--corpus", "--songs", "--commit", "--temperature", "--primed", "--json", "--plots"]),
        (["bench", "engine"], ["--checkpoint", "--rounds", "--data", "--json"]),
        (["bench"], [*BENCHMARKS]),
    ],
    ids=" ".join,
)
def test_every_command_lists_its_options(capsys, command, options):
    code, out, _ = said(capsys, *command, "--help")
    assert code == 0
    assert out.startswith(f"usage: sideman {' '.join(command)} ")
    assert all(option in out for option in options)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["swing"], "invalid choice: 'swing'"),
        (["bench"], "the following arguments are required: WHAT"),
        (["bench", "swing"], "invalid choice: 'swing'"),
        (["serve", "--swing"], "unrecognized arguments: --swing"),
        (["serve", "--port", "many"], "argument --port: invalid int value: 'many'"),
        (["evaluate"], "the following arguments are required: --data"),
    ],
    ids=" ".join,
)
def test_a_line_that_cannot_be_read_is_explained_with_exit_code_2(capsys, arguments, words):
    code, out, err = said(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("usage: sideman")
    assert words in err


def test_version(capsys):
    code, out, _ = said(capsys, "--version")
    assert code == 0
    assert re.fullmatch(r"sideman \d+\.\d+\.\d+\n", out)


def test_an_interrupt_is_exit_code_130(monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("sideman.serve.run", interrupted)
    assert main(["serve"]) == 130


@pytest.mark.parametrize("command", [["evaluate"], ["bench", "engine"]], ids=" ".join)
def test_a_missing_corpus_is_one_sentence_and_exit_code_2(capsys, tmp_path, monkeypatch, command):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("jax.config.update", lambda *_: None)  # the tests keep no compiled programs
    code, out, err = said(capsys, *command, "--data", str(tmp_path / "none"))
    assert (code, out) == (2, "")
    assert err.startswith(
        f"sideman {' '.join(command)}: expected the folders POP909/001 .. POP909/909 in {tmp_path / 'none' / 'pop909'}, got none"
    )
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", [["evaluate"], ["bench", "engine"]], ids=" ".join)
def test_a_missing_checkpoint_is_one_sentence_and_exit_code_2(capsys, tmp_path, monkeypatch, command):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("jax.config.update", lambda *_: None)
    write_tiny_corpus(tmp_path / "data")
    missing = tmp_path / "none"
    code, out, err = said(capsys, *command, "--data", str(tmp_path / "data"), "--checkpoint", str(missing))
    assert (code, out) == (2, "")
    assert err.startswith(
        f"sideman {' '.join(command)}: checkpoint {tmp_path / 'none'}: expected a folder with manifest.json, got no such folder: "
    )
    assert err.count("\n") == 1


def test_help_imports_no_jax():
    """Help is instant, and so is a client."""
    script = "import sys; from sideman.cli import main\ntry: main(['play', '--help'])\nexcept SystemExit: pass\nprint('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.endswith("False\n")
