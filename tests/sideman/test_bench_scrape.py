"""`sideman bench scrape`, small: it opens, scrapes and closes; and what it refuses."""

import argparse
import subprocess
import sys

import pytest

from sideman.bench_scrape import add_arguments, run
from tests.system.service import START_S


def arguments(*given):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(given)


@pytest.mark.slow
def test_a_few_scrapes_with_a_few_sessions(tiny_checkpoint, environment):
    options = ["--checkpoint", str(tiny_checkpoint), "--sessions", "3", "--scrapes", "2", "--pause", "0"]
    command = [sys.executable, "-m", "sideman.cli", "bench", "scrape", *options]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=START_S, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2 scrapes with 3 sessions open: p50 ")


@pytest.mark.parametrize("given", [("--sessions", "0"), ("--scrapes", "0"), ("--pause", "-1"), ("--pause", "60")])
def test_numbers_that_do_not_work_are_one_sentence(given, capsys):
    assert run(arguments(*given)) == 2
    assert capsys.readouterr().err.count("\n") == 1
