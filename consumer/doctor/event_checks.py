"""Whether the newest events can be read, are keyed by their customers, and come in our time.

Owns: reading a sample as the worker's door does, and how many refusals are too many.
Never: reads Kafka; whoever looks hands over the records.
Source: docs/doctor.md, "Events"; docs/contract.md, "Event".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from consumer.doctor.command_lines import CommandLines
from consumer.doctor.finding import Finding, Verdict
from consumer.transport import Partition, Records
from models.refusal import Door, Record, Refusal
from schemas.campaign_warnings import SeenEvents
from schemas.durations import format_duration
from schemas.event import bounded_properties
from schemas.settings import Settings
from schemas.times import SECOND_MS, format_time

AHEAD_MAX_MS = 5 * SECOND_MS
NO_EVENTS = "no event is there yet to look at"


class Refused(NamedTuple):
    """A record of the sample that a worker would make a dead letter."""

    partition: Partition
    offset: int
    sentence: str


class Pair(NamedTuple):
    """A customer whose events lie in two partitions."""

    customer: str
    one: Partition
    other: Partition


@dataclass(slots=True)
class Sample:
    """What was read: how many of each partition, what was refused, and who is where."""

    records: Counter[Partition] = field(default_factory=Counter)
    refused: list[Refused] = field(default_factory=list)
    foreign: list[Refused] = field(default_factory=list)
    split: list[Pair] = field(default_factory=list)
    types: SeenEvents = field(default_factory=SeenEvents)
    newest_stamp_ms: int = -1

    @property
    def size(self) -> int:
        """How many records were read."""
        return self.records.total()


def read_sample(batches: Sequence[Records], door: Door) -> Sample:
    """Let the door judge every record."""
    sample = Sample()
    homes: dict[str, Partition] = {}
    for batch in batches:
        sample.records[batch.partition] += len(batch)
        rows = zip(batch.offsets, batch.timestamps_ms, batch.keys, batch.values, strict=True)
        for row, (offset, stamp_ms, key, value) in enumerate(rows):
            sample.newest_stamp_ms = max(sample.newest_stamp_ms, stamp_ms)
            event = door.judge(row, Record(stamp_ms, key, value))
            if isinstance(event, Refusal):
                refused = Refused(batch.partition, offset, str(event.error))
                (sample.foreign if event.stage == "key" else sample.refused).append(refused)
                continue
            sample.types.add(event.type, bounded_properties(event.properties)[0])
            home = homes.setdefault(event.customer_id, batch.partition)
            if home != batch.partition:
                sample.split.append(Pair(event.customer_id, home, batch.partition))
    return sample


def judge_keys(sample: Sample, settings: Settings, lines: CommandLines) -> list[Finding]:
    """Each event has its customer as key (unless `keys: partitioned`), and each one partition."""
    if sample.split:
        pair = sample.split[0]
        return [
            Finding(
                "keys",
                "failed",
                f"events of customer {pair.customer!r} lie in {pair.one} and in {pair.other}",
                "all events of a customer in one partition: its profile lives there",
                "Let all senders use the customer id as key and one partitioner (librdkafka's "
                "default is not Java's: set `partitioner=murmur2_random`), and begin with a new "
                "topic: what lies in the wrong partition stays there",
            )
        ]
    if sample.foreign:
        first = sample.foreign[0]
        return [
            Finding(
                "keys",
                _verdict(sample, sample.foreign, settings),
                f"{_share(sample, sample.foreign)}, as {first.partition} offset {first.offset}: "
                f"{first.sentence.rstrip('.')}",
                "the customer id as key",
                "Key the events by customer; where the sender chooses the partition by customer "
                "in another way, say `keys: partitioned`",
                lines.set("KEYS", "partitioned"),
            )
        ]
    if not sample.size:
        return [Finding("keys", "ok", NO_EVENTS)]
    strict = settings.keys == "strict"
    said = "are keyed by their customers" if strict else "lie apart by customer, as far as seen"
    return [Finding("keys", "ok", f"the newest {sample.size} events {said}")]


def judge_events(sample: Sample, settings: Settings, lines: CommandLines) -> list[Finding]:
    """The newest events can be read, by the mapping of the campaign file."""
    if not sample.size:
        return [Finding("events", "ok", NO_EVENTS)]
    if not sample.refused:
        return [Finding("events", "ok", f"the newest {sample.size} can be read")]
    first = sample.refused[-1]
    return [
        Finding(
            "events",
            _verdict(sample, sample.refused, settings),
            f"{_share(sample, sample.refused)}, as {first.partition} offset {first.offset}: "
            f"{first.sentence.rstrip('.')}",
            "events as docs/contract.md has them, or as `input` of the campaign file maps them",
            "Mend the sender, or say under `input` where its fields are; this prints the record",
            lines.show_record(first.partition.topic, first.partition.index, first.offset),
        )
    ]


def judge_clock(
    newest_stamp_ms: int, now_ms: int, future_max_ms: int, *, broker_stamps: bool
) -> list[Finding]:
    """No record is stamped later than this machine's clock; how far behind it is nobody can say.

    `broker_stamps`: the topic has `message.timestamp.type=LogAppendTime`.
    """
    if newest_stamp_ms < 0:
        return [Finding("clock", "ok", NO_EVENTS)]
    whose = "the broker" if broker_stamps else "the sender"
    ahead_ms = newest_stamp_ms - now_ms
    if ahead_ms <= AHEAD_MAX_MS:
        said = f"no event is stamped ahead of this machine's clock (the stamps are {whose}'s)"
        return [Finding("clock", "ok", said)]
    return [
        Finding(
            "clock",
            "failed" if ahead_ms > future_max_ms else "warning",
            f"an event was stamped by {whose} at {format_time(newest_stamp_ms)}, which is "
            f"{format_duration(ahead_ms // SECOND_MS * SECOND_MS)} from now by this clock",
            f"at most {format_duration(AHEAD_MAX_MS)} apart; events more than `future_max` "
            f"({format_duration(future_max_ms)}) ahead of their stamp are dead letters",
            f"Set the clocks of this machine and of {whose} by NTP",
            "timedatectl status",
        )
    ]


def _verdict(sample: Sample, bad: Sequence[Refused], settings: Settings) -> Verdict:
    """Failed where a partition has so many that a worker would let it wait."""
    by_partition = Counter(each.partition for each in bad)
    worst = max(number / sample.records[where] for where, number in by_partition.items())
    too_many = worst > settings.limits.dead_letters_share_max or worst == 1.0
    return "failed" if too_many else "warning"


def _share(sample: Sample, bad: Sequence[Refused]) -> str:
    return f"{len(bad)} of the newest {sample.size} would be dead letters"
