"""Questions to the broker: watermarks, times, partition counts, committed positions.

Owns: asking again until a deadline when the answer is that it is too early to say.
Never: creates a topic by asking, joins a group, or reads a record.
Source: a topic just made has no leader for a moment; a moved group has no coordinator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaException

from consumer.deadline import Patience
from consumer.kafka.errors import MISSING, NamedError, is_passing
from consumer.kafka.places import place, places
from consumer.kafka.reader import InWords
from consumer.ownership import unsigned
from consumer.transport import Bounds, Partition, Position

ANSWER_MAX_S = 10.0
MEMBER_ANSWER_MAX_S = 30.0  # A broker that comes back needs some seconds to know its groups.
QUESTION_MAX_S = 2.0  # Asked again until ANSWER_MAX_S; in between, a signal is seen.
RETRY_S = 0.02

Answer = TypeVar("Answer")


def ask(
    question: Callable[[], Answer], patience: Patience, most_s: float, *, was_there: bool = False
) -> Answer:
    """Ask until there is an answer; the last KafkaException if there is none in time.

    `was_there` is whether the topic in question was seen before: a broker that has just started
    denies its topics until it has read of them, so it is asked again.
    """
    deadline = patience.at_most(most_s)
    while True:
        try:
            return question()
        except KafkaException as error:
            failed: NamedError = error.args[0]
            passes = is_passing(failed) or (was_there and failed.name() in MISSING)
            if not passes or deadline.passed:
                raise
        patience.wait_s(RETRY_S)


class Asker:
    """Asks with a consumer of its own, which belongs to no group.

    The consumer must read uncommitted records: under read_committed the end of a partition is
    the last stable offset, which can hide committed records behind an open transaction.
    """

    def __init__(self, consumer: Consumer, *, patience: Patience, in_words: InWords) -> None:
        self.consumer = consumer
        self._patience = patience
        self._in_words = in_words
        self._seen: set[str] = set()
        self.answer_max_s = ANSWER_MAX_S

    def _ask(self, question: Callable[[], Answer], *, was_there: bool = False) -> Answer:
        try:
            return ask(question, self._patience, self.answer_max_s, was_there=was_there)
        except KafkaException:
            # A refused login shows as a silent broker; what the client has noted says more.
            self.consumer.poll(0)
            raise

    def about(self, topic: str, question: Callable[[], Answer]) -> Answer:
        """Ask about a topic; the last KafkaException if there is no answer in time."""
        seen = topic in self._seen
        answer = self._ask(question, was_there=seen)
        self._seen.add(topic)
        return answer

    @property
    def _question_s(self) -> float:
        return self._patience.left_s(QUESTION_MAX_S)

    def bounds(self, partition: Partition) -> Bounds:
        """Ask for the first offset kept and the high watermark."""
        (asked,) = places([partition])
        answer = self.about(
            partition.topic, lambda: self.consumer.get_watermark_offsets(asked, self._question_s)
        )
        return Bounds(*answer)

    def offset_at(self, partition: Partition, time_ms: int) -> int:
        """Ask for the first offset stamped at or after this time; -1 if there is none."""
        asked = [place(partition, time_ms)]
        (answer,) = self._ask(lambda: self.consumer.offsets_for_times(asked, self._question_s))
        if answer.error is not None:
            raise self._in_words(answer.error, partition.topic)
        return answer.offset

    def partition_count(self, topic: str) -> int:
        """Ask how many partitions a topic has; a consumer's question never creates it."""
        return self.about(topic, lambda: self._partition_count(topic))

    def _partition_count(self, topic: str) -> int:
        found: Any = self.consumer.list_topics(topic, self._question_s).topics[topic]
        if found.error is not None:
            raise KafkaException(found.error)
        return len(found.partitions)

    def committed(
        self, partitions: Sequence[Partition], member: Consumer | None
    ) -> dict[Partition, Position | None]:
        """Ask for committed positions; a member waits for those of open transactions."""
        asked = places(partitions)
        client = member or self.consumer
        positions: dict[Partition, Position | None] = {}
        for answer in self._ask(lambda: client.committed(asked, self._question_s)):
            if answer.error is not None:
                raise self._in_words(answer.error, answer.topic)
            partition = Partition(answer.topic, answer.partition)
            _, note = unsigned(answer.metadata or "")
            positions[partition] = None if answer.offset < 0 else Position(answer.offset, note)
        return positions
