"""What an event costs the whole worker process on a real Kafka, as customers and campaigns grow.

Owns: worker processes that already know their customers, and their CPU over stretches of a log.
Never: a part of the worker alone; bench/scale.py times that.
Source: none; an event's CPU is taken as in bench/throughput.py.
"""

from __future__ import annotations

import argparse
import itertools
import json
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np

from bench.cluster import Cluster
from bench.runner import OURS, Place, Worker, prepare, running
from bench.scale import Feed, Numbers, campaign_file, model_records
from bench.table import machine, spread
from bench.throughput import EVENTS_PER_S_MIN, START_MAX_S, check_score
from bench.workload import TYPES, Workload
from models.plan import Plan, compile_plan
from schemas.campaign_file import parse_campaigns
from schemas.model_record import encode_model_record
from tests.broker import kafka_broker

FILL_TYPES: Final = 2  # Of so many types each customer has an event before anything is measured.
SLICE: Final = 10_000
CAMPAIGNS: Final = (1, 2, 4)
SEED: Final = 7


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


class Log:
    """The events of one case, made as they are wanted; offsets are their numbers."""

    def __init__(self) -> None:
        self._feed = Feed()
        self._draw = np.random.default_rng(SEED)
        self.count = 0

    def fill(self, customers: int) -> Iterator[Workload]:
        """Yield events until every customer has one of each of the first types."""
        for kind in range(FILL_TYPES):
            for first in range(0, customers, SLICE):
                people = list(range(first, min(first + SLICE, customers)))
                yield self._events(people, [kind] * len(people))

    def stretch(self, customers: int, events: int) -> Iterator[Workload]:
        """Yield so many events of customers and types drawn at random."""
        for first in range(0, events, SLICE):
            many = min(SLICE, events - first)
            people = self._draw.integers(customers, size=many).tolist()
            yield self._events(people, self._draw.integers(len(TYPES), size=many).tolist())

    def _events(self, people: Numbers, kinds: Numbers) -> Workload:
        _, _, keys, values = self._feed.batch(people, kinds)
        self.count += len(values)
        return Workload(keys, values)


def models_of(plan: Plan) -> Workload:
    """Return ready models of all campaigns, as the worker finds them at its start."""
    records = list(model_records(plan))
    return Workload(
        [record.campaign.encode() for record in records],
        [encode_model_record(record) for record in records],
    )


def costs_us(cluster: Cluster, place: Place, case: Case, size: Size) -> list[float]:
    """Fill a worker, then return the CPU of an event in each stretch, in microseconds.

    No example is due before the log ends, so that the models it began with are served throughout.
    """
    topics = prepare(cluster, place, OURS)
    cluster.load(
        place.topics()["models"], models_of(compile_plan(parse_campaigns(place.campaigns)))
    )
    log, costs = Log(), []
    for events in log.fill(case.customers):
        cluster.load(place.events, events)
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
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # Broker and workers are stopped.
    few, many = size.customers
    cases = [Case(few, campaigns) for campaigns in CAMPAIGNS] + [Case(many, 1)]
    measured: dict[Case, list[float]] = {case: [] for case in cases}
    serial = itertools.count()
    with (
        kafka_broker(heap_mib_max=1024) as bootstrap,
        tempfile.TemporaryDirectory(prefix="propensity-bench-") as name,
    ):
        cluster = Cluster(bootstrap)
        for number in range(rounds):
            for case in cases:
                print(f"round {number + 1}: {case}", file=sys.stderr, flush=True)
                place = _place(bootstrap, Path(name), next(serial), case)
                measured[case] += costs_us(cluster, place, case, size)
    print(machine(size.stretch * size.stretches, rounds))
    print(table(measured, size))


def _place(bootstrap: str, folder: Path, serial: int, case: Case) -> Place:
    """Return a fresh place with the case's campaigns."""
    name = f"whole-{serial}"
    own = folder / name
    own.mkdir()
    campaigns = campaign_file(case.campaigns)
    return Place(bootstrap, name, f"{name}-events", own, campaigns)


if __name__ == "__main__":
    main()
