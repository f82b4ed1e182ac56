"""`sideman harmonize`: chords for a whole tune, by a server of its own if it is given none. Shell."""

import argparse

from sideman.play import with_own_service
from sideman_client import harmonize


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    harmonize.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """The command; without --url a service is started for this tune and stopped after it."""
    return harmonize.run(arguments) if arguments.url is not None else with_own_service(arguments, harmonize.run, "harmonize")
