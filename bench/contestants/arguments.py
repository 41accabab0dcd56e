"""What every contestant is told on its command line.

Owns: the command line of the contestants written for the comparison.
Never: imports that Quix's environment lacks.
Source: none.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass


@dataclass(frozen=True)
class Arguments:
    """Where to read, where to write, and as whom."""

    bootstrap: str
    group: str
    events: str
    scores: str
    goal: str
    horizon_ms: int
    lateness_ms: int
    rate: float


def read_arguments() -> Arguments:
    """Parse the command line."""
    parser = argparse.ArgumentParser()
    for name in ("bootstrap", "group", "events", "scores", "goal"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("horizon-ms", "lateness-ms"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    return Arguments(**vars(parser.parse_args()))


def as_flags(arguments: Arguments) -> list[str]:
    """Return the command line that `read_arguments` reads."""
    flags = []
    for name, value in vars(arguments).items():
        flags += [f"--{name.replace('_', '-')}", str(value)]
    return flags
