"""`sideman play`: the ordinary client, with a server of its own if it is given none. Shell."""

import argparse
import asyncio
import sys
from collections.abc import Callable

from sideman.serve import ServeOptions, ServiceProblem, running
from sideman_client import SidemanError, play
from sideman_client.midi import read_melody


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    play.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """The command; without --url a service is started for this jam and stopped after it."""
    return play.run(arguments) if arguments.url is not None else with_own_service(arguments, play.run, "play")


def with_own_service(arguments: argparse.Namespace, run: Callable[[argparse.Namespace], int], command: str) -> int:
    """Run a client command against a service that is started for it; the exit code."""
    try:
        read_melody(arguments.tune, track=arguments.track)  # before a service is started in vain
        return asyncio.run(_serve_and_run(arguments, run))
    except SidemanError as problem:
        print(problem, file=sys.stderr)
        return play.EXIT_FAILED
    except ServiceProblem as problem:
        if not problem.said:
            print(f"sideman {command}: {problem}", file=sys.stderr)
        return 2


async def _serve_and_run(arguments: argparse.Namespace, run: Callable[[argparse.Namespace], int]) -> int:
    print("sideman: starting a service for this tune", file=sys.stderr, flush=True)
    async with running(ServeOptions(port=0, metrics_port=0, quiet=True)) as (_, address):
        arguments.url = address.url
        return await asyncio.to_thread(run, arguments)
