"""The simulator from the command line.

Owns: options, and what a failing seed leaves to read.
Never: judges.
Source: `python -m tests.simulation --help`.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from consumer.clock import SystemClock
from tests.simulation.defects import table_of_defects
from tests.simulation.runs import SEEDS_FILE, Verdict, seeds_that_failed, verdicts

TRACE_LINES = 60


def say(text: str) -> None:
    """Write a line."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def show(verdict: Verdict, *, verbose: bool) -> None:
    """What a seed did, and how to see it again."""
    trace = verdict.trace if verbose else verdict.trace[-TRACE_LINES:]
    for line in trace:
        say(line)
    if verdict.problem is not None:
        say(verdict.problem)
        say(f"Again: python -m tests.simulation --seed {verdict.seed} --verbose")


def keep(seed: int) -> None:
    """Note a seed that failed: it is played first from now on."""
    if seed not in seeds_that_failed():
        with SEEDS_FILE.open("a", encoding="utf-8") as file:
            file.write(f"{seed}\n")


def play(first: int, count: int, jobs: int) -> int:
    """Play the seeds that failed once, and then so many more; gives how many fail."""
    seeds = list(dict.fromkeys([*seeds_that_failed(), *range(first, first + count)]))
    clock = SystemClock()
    begun_s = clock.monotonic_s()
    failed = 0
    seen: Counter[str] = Counter()
    for verdict in verdicts(seeds, jobs):
        seen.update(verdict.seen)
        if verdict.problem is not None:
            failed += 1
            show(verdict, verbose=False)
            keep(verdict.seed)
    took_s = clock.monotonic_s() - begun_s
    say(f"{len(seeds)} seeds, {failed} failed, {60 * len(seeds) / took_s:.0f} a minute")
    say("Seeds with " + ", ".join(f"{name}: {count}" for name, count in sorted(seen.items())))
    return failed


def main() -> int:
    """Do what the options say."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", type=int, default=500, help="how many (500)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (0)")
    parser.add_argument("--seed", type=int, help="this one only")
    parser.add_argument("--verbose", action="store_true", help="with its whole trace")
    parser.add_argument("--jobs", type=int, default=2, help="processes (2)")
    parser.add_argument("--defects", action="store_true", help="which seeded defects are caught")
    options = parser.parse_args()
    if options.defects:
        for line in table_of_defects(options.first, options.seeds, options.jobs):
            say(line)
        return 0
    if options.seed is not None:
        (verdict,) = verdicts([options.seed], 1)
        show(verdict, verbose=options.verbose or verdict.problem is not None)
        return verdict.problem is not None
    return play(options.first, options.seeds, options.jobs) > 0


if __name__ == "__main__":
    sys.exit(main())
