"""The dead-letter topic as an operator reads it: letters, and which of them were sent again.

Owns: how a letter is named, which ones are wanted, and one pass over the topic.
Never: writes; holds more than one batch of records.
Source: the contract, "Dead letter".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from consumer.errors import WorldError
from consumer.transport import Partition, Records, Transport
from schemas.dead_letter import DeadLetter, Headers, explanation, parted
from schemas.redriven import marked, times_redriven

DIGITS_MAX = 18


class LetterId(NamedTuple):
    """Where a letter stands in the dead-letter topic, written `partition:offset`."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"

    @classmethod
    def of(cls, text: str) -> LetterId | None:
        """The id that a text says, or None.

        Examples
        --------
        >>> LetterId.of("0:17"), LetterId.of("17")
        (LetterId(partition=0, offset=17), None)
        """
        partition, _, offset = text.partition(":")
        for part in (partition, offset):
            if not (part.isascii() and part.isdigit() and len(part) <= DIGITS_MAX):
                return None
        return cls(int(partition), int(offset))


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A record of the dead-letter topic; `letter` is None where it is none of ours."""

    id: LetterId
    at_ms: int
    key: bytes | None
    value: bytes | None
    sent: Headers
    own: Headers
    letter: DeadLetter | None

    @property
    def times(self) -> int:
        """How often the record had been sent again when it was refused."""
        return times_redriven(self.sent)

    @property
    def size(self) -> int:
        """The bytes of the value."""
        return len(self.value or b"")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letters somebody asks for; all that is said must hold.

    `topic` and `partition` are those that the record came from, `reason` is part of the reason
    in any case of letters, `since_ms` is compared with the letter's Kafka timestamp.
    """

    ids: frozenset[LetterId] | None = None
    reason: str | None = None
    topic: str | None = None
    partition: int | None = None
    since_ms: int | None = None

    def takes(self, stored: StoredLetter) -> bool:
        """Whether this letter is asked for; a foreign record has no reason and no source."""
        if self.ids is not None and stored.id not in self.ids:
            return False
        if self.since_ms is not None and stored.at_ms < self.since_ms:
            return False
        letter = stored.letter
        if letter is None:
            return self.reason is None and self.topic is None and self.partition is None
        reason = self.reason
        return (
            (reason is None or reason.casefold() in letter.exception_message.casefold())
            and self.topic in {None, letter.topic}
            and self.partition in {None, letter.partition}
        )


class LetterTopic:
    """The dead-letter topic up to the high watermarks at the time this was made.

    `redriven` holds the letters that markers name. A marker stands in its letters' partition and
    behind them, so after a pass over `each` it is complete for the letters that were given.
    """

    def __init__(self, transport: Transport, topic: str) -> None:
        self._transport = transport
        self.topic = topic
        self.redriven: set[LetterId] = set()
        partitions = [Partition(topic, index) for index in range(transport.partition_count(topic))]
        self._spans = {partition: transport.bounds(partition) for partition in partitions}

    def each(self, wanted: Wanted) -> Iterator[StoredLetter]:
        """Give the wanted letters, partition by partition in the order of the log."""
        for partition, span in self._spans.items():
            start = self._start(partition, wanted)
            if start >= span.high:
                continue
            for records in self._transport.read(partition, max(start, span.low), span.high):
                for stored in self._letters(records):
                    if wanted.takes(stored):
                        yield stored

    def one(self, letter_id: LetterId) -> StoredLetter:
        """Give one letter.

        Raises
        ------
        WorldError: there is none of this id.
        """
        partition = Partition(self.topic, letter_id.partition)
        span = self._spans.get(partition)
        if span is not None and span.low <= letter_id.offset < span.high:
            stop = letter_id.offset + 1
            for records in self._transport.read(partition, letter_id.offset, stop):
                for stored in self._letters(records):
                    return stored
        raise WorldError(
            f"There is no letter {letter_id} in {self.topic}",
            "`propensity dead-letters list` has the ids of those there are",
        )

    def _start(self, partition: Partition, wanted: Wanted) -> int:
        """The first offset that can hold a wanted letter."""
        span = self._spans[partition]
        if wanted.ids is not None:
            offsets = [each.offset for each in wanted.ids if each.partition == partition.index]
            return min(offsets, default=span.high)
        if wanted.since_ms is not None:
            return self._transport.offset_at(partition, wanted.since_ms)
        return span.low

    def _letters(self, records: Records) -> Iterator[StoredLetter]:
        index = records.partition.index
        rows = zip(
            records.offsets,
            records.timestamps_ms,
            records.keys,
            records.values,
            records.headers,
            strict=True,
        )
        for offset, at_ms, key, value, headers in rows:
            offsets = marked(value, headers)
            if offsets is not None:
                self.redriven.update(LetterId(index, each) for each in offsets)
                continue
            sent, own = parted(headers)
            yield StoredLetter(
                LetterId(index, offset), at_ms, key, value, sent, own, explanation(own)
            )
