"""A log whose customers all have an open example, and a group that serves models from its start.

Owns: which events those customers have had, and what lies in the topics before a worker starts.
Never: starts a worker.
Source: none; the records are those of bench/scale.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from bench.cluster import Cluster
from bench.runner import OURS, Place, prepare
from bench.scale import Feed, Numbers, model_records
from bench.workload import TYPES, Workload
from models.plan import Plan, compile_plan
from schemas.campaign_file import parse_campaigns
from schemas.model_record import encode_model_record

FILL_TYPES: Final = 2  # Of so many types each customer has an event before anything is measured.
SLICE: Final = 10_000
SEED: Final = 7


class Log:
    """The events of one partition, made as they are wanted; offsets are their numbers."""

    def __init__(self) -> None:
        self._feed = Feed()
        self._draw = np.random.default_rng(SEED)
        self._known: set[int] = set()
        self.count = 0

    @property
    def customers(self) -> int:
        """How many customers have had an event."""
        return len(self._known)

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
        self._known.update(people)
        return Workload(keys, values)


def models_of(plan: Plan) -> Workload:
    """Return ready models of all campaigns, as the worker finds them at its start."""
    records = list(model_records(plan))
    return Workload(
        [record.campaign.encode() for record in records],
        [encode_model_record(record) for record in records],
    )


def fill(cluster: Cluster, place: Place, log: Log, customers: int) -> list[str]:
    """Create the topics, with ready models and the first events of all customers; return them."""
    topics = prepare(cluster, place, OURS)
    plan = compile_plan(parse_campaigns(place.campaigns))
    cluster.load(place.topics()["models"], models_of(plan))
    for events in log.fill(customers):
        cluster.load(place.events, events)
    return topics
