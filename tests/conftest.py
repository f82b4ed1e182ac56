"""Tiny networks are compiled more often than they are run: machine code that is made quickly, here and in every process started from here.

What XLA does to a program before there is machine code stays as it is, and so do plans: the golden ones of shipped weights come out too.
"""

import os

QUICKLY = "--xla_backend_optimization_level=0"


def pytest_configure():
    """Before anything imports JAX; flags that are given already win."""
    given = os.environ.get("XLA_FLAGS", "")
    if "xla_backend_optimization_level" not in given:
        os.environ["XLA_FLAGS"] = f"{given} {QUICKLY}".strip()
