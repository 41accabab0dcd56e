"""What one undisturbed worker makes of a seed's events: what all others are held to.

Owns: the uninterrupted run, and what of it does not depend on when models were learned.
Never: a fault, a second worker or a snapshot.
Source: consumer/worker.py on tests/world.py.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

from consumer.memory_log import PartitionLog
from consumer.transport import Outgoing
from models.plan import Plan
from models.rows import customer_hash
from models.scorer import HASH_KEY
from schemas.example import TrainingExample
from schemas.score import ScoreRecord
from tests.simulation.traffic import Sent, Traffic
from tests.world import World

RowKey = tuple[str, str, int, int, str]
Letter = tuple[bytes | None, bytes | None, str]


class Due(NamedTuple):
    """A score that is due, and the campaigns and lineages that it speaks of."""

    offset: int
    score_id: str
    campaigns: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """The outputs of the uninterrupted run; `due` by partition and in order.

    An example has one row, unless two histories of its partition have labelled it.
    """

    due: list[list[Due]]
    rows: dict[RowKey, list[tuple[Any, ...]]]
    letters: Counter[Letter]


def due_of(score: ScoreRecord) -> Due:
    """What a score says whichever models were served."""
    campaigns = tuple((entry.campaign, entry.model.lineage) for entry in score.scores)
    return Due(score.source.offset, score.score_id, campaigns)


def row_key(row: TrainingExample) -> RowKey:
    """What a row is of; several timers may share an offset."""
    moment = "" if row.event_id is not None else f"{row.customer} {row.as_of}"
    return row.campaign, row.lineage, row.source.partition, row.source.offset, moment


def score_keys(score: ScoreRecord) -> list[RowKey]:
    """What the rows of a score's examples are of, by campaign."""
    moment = ""
    if score.cause == "timer":
        moment = f"{customer_hash(HASH_KEY, score.customer_id)} {score.as_of}"
    place = score.source.partition, score.source.offset, moment
    return [(entry.campaign, entry.model.lineage, *place) for entry in score.scores]


def row_facts(row: TrainingExample) -> tuple[Any, ...]:
    """What the row of a score says whichever models were served.

    All but `acted`: tests.simulation.trigger_checks holds that to what was served, and whole rows
    of arms.
    """
    return (
        row.customer, row.event_id, row.as_of, row.closed_at,
        (row.closed_by.offset, row.closed_by.index), row.label, row.weight, row.features,
    )  # fmt: skip


def letters_of(logs: list[PartitionLog]) -> Counter[Letter]:
    """The dead letters of a topic, and how often each is there."""
    return Counter(
        (key, value, repr(headers))
        for log in logs
        for key, value, headers in zip(log.keys, log.values, log.headers, strict=True)
    )


def outgoing(sent: Sent, topic: str) -> Outgoing:
    """A record as its sender hands it over."""
    return Outgoing(topic, sent.partition, [sent.key], [sent.value], None, [sent.stamp_ms])


def reference_of(traffic: Traffic, plan: Plan) -> Reference:
    """Let one worker do all of it, under a plan that publishes every score."""
    world = World(
        partitions=traffic.partitions, delivery="at_least_once", publish_from="start",
        limits=traffic.limits, times={"lateness": "10m"},
    )  # fmt: skip
    for sent in traffic.records:
        world.log.append(outgoing(sent, world.settings.topics.events))
    world.settle(world.start(given=plan))
    opened = [row for row in world.rows() if not row.triggered]
    rows = {row_key(row): [row_facts(row)] for row in opened}
    assert len(rows) == len(opened), "one row of each example"
    return Reference(
        due=[
            [due_of(score) for score in world.scores(index)] for index in range(traffic.partitions)
        ],
        rows=rows,
        letters=letters_of(world.log.topics[world.settings.topics.dead_letters]),
    )
