"""What an event costs the whole worker process on a real Kafka, as customers and campaigns grow.

Owns: worker processes that already know their customers, and their CPU over stretches of a log.
Never: a part of the worker alone; bench/scale.py times that.
Source: none; an event's CPU is taken as in bench/throughput.py.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from bench.cluster import Cluster, started
from bench.known_customers import Log, fill
from bench.runner import OURS, Place, Worker, fresh_place, running
from bench.scale import campaign_file
from bench.table import machine, spread
from bench.throughput import EVENTS_PER_S_MIN, START_MAX_S, check_score

CAMPAIGNS: Final = (1, 2, 4)


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    customers: tuple[int, int]  # few and many
    stretch: int  # events between two looks at the clock of the process
    stretches: int  # measured; one before them is not
    rounds: int


FULL: Final = Size((1_000, 1_000_000), 100_000, 3, 2)
QUICK: Final = Size((1_000, 20_000), 20_000, 2, 1)


@dataclass(frozen=True)
class Case:
    """One worker process: so many customers known, so many campaigns scored."""

    customers: int
    campaigns: int

    def __str__(self) -> str:
        """Return both numbers."""
        return f"{self.customers:,} customers, {self.campaigns} campaign(s)"


def costs_us(cluster: Cluster, place: Place, case: Case, size: Size) -> list[float]:
    """Fill a worker, then return the CPU of an event in each stretch, in microseconds.

    No example is due before the log ends, so that the models it began with are served throughout.
    """
    log, costs = Log(), []
    topics = fill(cluster, place, log, case.customers)
    with running(OURS, place, Path()) as worker:
        worker.await_outputs(cluster, place.scores, 1, START_MAX_S)
        _finish(worker, cluster, place, log)
        for number in range(1 + size.stretches):
            with worker.suspended():
                for events in log.stretch(case.customers, size.stretch):
                    cluster.load(place.events, events)
            before_s = worker.cpu_s()
            spent_s = _finish(worker, cluster, place, log) - before_s
            if number:
                costs.append(spent_s / size.stretch * 1e6)
    _, last = cluster.read_back(place.scores, log.count)
    scored = len(json.loads(last)["scores"])
    assert scored == case.campaigns, f"{scored} campaigns were scored, not {case.campaigns}"
    if case.campaigns == 1:
        check_score(OURS, last, worker)
    cluster.delete(topics)
    return costs


def _finish(worker: Worker, cluster: Cluster, place: Place, log: Log) -> float:
    """Wait until all of the log is scored; return the CPU seconds of the process by then."""
    worker.await_outputs(cluster, place.scores, log.count, 60.0 + log.count / EVENTS_PER_S_MIN)
    return worker.cpu_when_quiet_s()


def table(measured: dict[Case, list[float]], size: Size) -> str:
    """Return the figures as Markdown.

    Examples
    --------
    >>> few, many, more = Case(1, 1), Case(9, 1), Case(1, 2)
    >>> text = table({few: [10.0], many: [12.0], more: [13.0]}, Size((1, 9), 1, 1, 1))
    >>> print(text.splitlines()[-1])
    Most to fewest customers: 1.20 times. A further campaign: 2: 30%.
    """
    middle = {case: median(costs) for case, costs in measured.items()}
    lines = ["| customers known | campaigns | µs of the worker's CPU per event |", "|---" * 3 + "|"]
    lines += [
        f"| {case.customers:,} | {case.campaigns} | {spread(costs, 2)} |"
        for case, costs in measured.items()
    ]
    few, many = (middle[Case(customers, 1)] for customers in size.customers)
    further = [
        f"{case.campaigns}: {(cost - few) / (case.campaigns - 1) / few:.0%}"
        for case, cost in middle.items()
        if case.campaigns > 1
    ]
    lines.append(
        f"\nMost to fewest customers: {many / few:.2f} times. "
        f"A further campaign: {', '.join(further)}."
    )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run every case in turn, round after round, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.whole_worker", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, for a first look")
    parser.add_argument("--rounds", type=int, help="how many worker processes of each case")
    options = parser.parse_args(arguments)
    size = QUICK if options.quick else FULL
    rounds = options.rounds or size.rounds
    few, many = size.customers
    cases = [Case(few, campaigns) for campaigns in CAMPAIGNS] + [Case(many, 1)]
    measured: dict[Case, list[float]] = {case: [] for case in cases}
    serial = itertools.count()
    with started() as (cluster, folder):
        for number in range(rounds):
            for case in cases:
                print(f"round {number + 1}: {case}", file=sys.stderr, flush=True)
                name, campaigns = f"whole-{next(serial)}", campaign_file(case.campaigns)
                place = fresh_place(cluster.bootstrap, folder, name, campaigns)
                measured[case] += costs_us(cluster, place, case, size)
    print(machine(size.stretch * size.stretches, rounds))
    print(table(measured, size))


if __name__ == "__main__":
    main()
