"""Control facts of a life: whom they are about, and that nothing left of who is suppressed.

Owns: the facts that are woven into a seed's traffic, and asking the outputs about them.
Never: a fold: what a fact means is asked of the log itself.
Source: docs/contract.md, "Control facts".
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.partitioner import partition_of
from consumer.transport import Records
from models.rows import customer_hash
from models.scorer import HASH_KEY
from schemas.control import CONSENT, FORGET, SUPPRESS, UNSUPPRESS
from schemas.example import TrainingExample
from schemas.score import decode_score
from schemas.times import DAY_MS, HOUR_MS, parse_time
from tests.event_logs import LoggedEvent
from tests.naive_controls import NaiveControls, is_control

if TYPE_CHECKING:
    from tests.simulation.group_life import GroupLife
    from tests.simulation.traffic import Sent

SHARE = 0.5  # Of the seeds have control facts.


def with_controls(seed: int, records: Sequence[Sent], partitions: int) -> list[Sent]:
    """The records of a seed with control facts between them, each with an id of its own."""
    draws, found = random.Random(f"{seed}/controls"), list(records)
    if draws.random() >= SHARE:
        return found
    for number in range(draws.randrange(2, 30)):
        place = draws.randrange(len(found))
        near, key = found[place], f"c{draws.randrange(16)}".encode()
        fields: dict[str, Any] = {
            "customer_id": key.decode(), "event_id": f"control {number}",
            "occurred_at": near.stamp_ms,
            "type": draws.choice((SUPPRESS, SUPPRESS, UNSUPPRESS, FORGET, FORGET, CONSENT)),
        }  # fmt: skip
        if fields["type"] == CONSENT:
            fields["properties"] = {"granted": draws.random() < 0.3}
        elif fields["type"] == SUPPRESS and draws.random() < 0.3:
            fields["properties"] = {"until": near.stamp_ms + draws.randrange(HOUR_MS, DAY_MS)}
        fact = near._replace(
            partition=partition_of(key, partitions), key=key, value=msgspec.json.encode(fields)
        )
        found.insert(place, fact)
    return found


class ControlChecks:
    """What control facts forbid, in one partition."""

    def __init__(self, life: GroupLife, index: int) -> None:
        records = life.histories.records(index)
        self._life = life
        self._index = index
        self._offsets = records.offsets
        self._events = [_event_of(records, row) for row in range(len(records))]
        # What was gone from the log and from the snapshots holds no longer: docs/guarantees.md.
        log = life.log.topics[life.settings.topics.events][index]
        kept = log.low if life.retention.has_stopped else 0
        obeyed = [
            row
            for row, event in enumerate(self._events)
            if is_control(event) and self._offsets[row] >= kept
        ]
        self._naive = NaiveControls(self._events, obeyed)
        self._known = {customer_hash(HASH_KEY, each.customer): each.customer
                       for each in self._events}  # fmt: skip
        self._rows = {offset: row for row, offset in enumerate(records.offsets)}
        life.seen.update(f"control {self._events[row].type}" for row in obeyed)

    def check_scores(self) -> None:
        """No score is of somebody who was suppressed by then."""
        topic = self._life.settings.topics.scores
        for _, value in self._life.log.everything(topic, self._index):
            score = decode_score(value or b"")
            row, as_of = self._rows[score.source.offset], parse_time(score.as_of)
            assert not self._naive.suppresses(score.customer_id, row, as_of), (
                f"{score.customer_id} is suppressed at {score.source.offset} and was scored"
            )

    def check_rows(self, rows: Sequence[TrainingExample]) -> None:
        """No row is of an example that was open when its customer was suppressed or forgotten."""
        for row in rows:
            first, last = self._rows[row.source.offset], self._rows[row.closed_by.offset]
            assert not self._naive.is_withdrawn(self._known[row.customer], first, last), (
                f"the example of {row.source.offset} is a row, though its customer was left alone"
            )

    def check_outcomes(self, rows: Sequence[TrainingExample]) -> None:
        """No row of an arm is of somebody who was forgotten while it was open."""
        for row in rows:
            first, last = self._rows[row.source.offset], self._rows[row.closed_by.offset]
            customer = self._known[row.customer]
            assert self._naive.forgotten(customer, last) < first, (
                f"the trigger of {row.source.offset} is counted, though {customer} was forgotten"
            )
            if self._naive.is_withdrawn(customer, first, last):
                self._life.seen.add("an arm: kept through a suppression")


def _event_of(records: Records, row: int) -> LoggedEvent:
    """What stands in a record; of one that cannot be read, nobody."""
    try:
        fields = msgspec.json.decode(records.values[row] or b"")
        customer, kind = str(fields["customer_id"]), str(fields["type"])
        if records.keys[row] != customer.encode():
            customer = ""
        return LoggedEvent(customer, kind, int(fields["occurred_at"]), "", None,
                           fields.get("properties") or {})  # fmt: skip
    except (msgspec.DecodeError, KeyError, TypeError, ValueError):
        return LoggedEvent("", "unreadable", 0, "")
