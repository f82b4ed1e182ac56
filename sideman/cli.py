"""The `sideman` command. Shell."""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version

DESCRIPTION = """\
A hosted musician that accompanies your melody with chords, live.

  sideman serve                          start the service on this machine
  sideman play TUNE.mid --out jam.mid    let it accompany the melody of a MIDI file, in real time
  sideman harmonize TUNE.mid             chords for the whole of it, without playing
  sideman bench engine                   how fast plans are made here
  sideman evaluate --data DIR            how good they are, on melodies the model has never seen
"""

# Each command's module is imported only when it is used: help is instant, and playing needs no JAX.
COMMANDS = {
    "serve": ("sideman.serve", "start gateway and worker; ready when every shape is compiled and the golden plan matches"),
    "play": ("sideman.play", "play the melody of a MIDI file against a server and report how the jam went"),
    "harmonize": ("sideman.harmonize", "chords for the whole melody of a MIDI file, as a lead sheet and as MIDI"),
    "evaluate": ("sideman.evaluate", "accompany held-out melodies with the serving code and print the figures"),
}
BENCHMARKS = {
    "engine": ("sideman.bench", "plans over real melodies: plain against served, equality included"),
    "session": ("sideman.bench_session", "what a plan costs as a session grows, from 16 beats to half an hour"),
    "steps": ("sideman.bench_steps", "every compiled call against what arithmetic and memory allow here"),
    "drafts": ("sideman.bench_drafts", "plans decided step by step and with drafts checked at once"),
    "training": ("sideman.bench_training", "train steps against the rate of a matrix product; needs optax"),
    "scrape": ("sideman.bench_scrape", "reading the gateway's metrics while many sessions are open"),
    "load": ("sideman.bench_load", "many players over real sockets, in real time: round trips against the budget of one frame"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. 2 means that the caller has to mend something."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="sideman", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="version", version=f"sideman {version('sideman')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    runs = [_add(commands, name, *spec, wanted=name in arguments[:1]) for name, spec in COMMANDS.items()]
    bench = commands.add_parser("bench", help="measure this machine", description="Measure this machine.")
    benchmarks = bench.add_subparsers(dest="benchmark", metavar="WHAT", required=True)
    runs += [_add(benchmarks, name, *spec, wanted=arguments[:2] == ["bench", name]) for name, spec in BENCHMARKS.items()]
    given = parser.parse_args(arguments)
    run = next(run for run in runs if run is not None)
    try:
        return run(given)
    except KeyboardInterrupt:
        return 130


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, module: str, about: str, *, wanted: bool
) -> Callable[[argparse.Namespace], int] | None:
    """Add a command; only the wanted one is imported, and its `run` returned."""
    parser = commands.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".")
    if not wanted:
        return None
    loaded = import_module(module)
    loaded.add_arguments(parser)
    run: Callable[[argparse.Namespace], int] = loaded.run
    return run


if __name__ == "__main__":
    sys.exit(main())
