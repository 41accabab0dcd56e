"""How what we produce and what we commit become lasting: acknowledged, or in transactions.

Owns: the at-least-once half, and what both halves have in common.
Never: knows what a record says.
Source: the settings' `delivery`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from consumer.clock import Clock
from consumer.kafka.asker import RETRY_S
from consumer.kafka.errors import NamedError, is_passing
from consumer.kafka.outbox import Outbox
from consumer.kafka.places import offsets
from consumer.transactions import COMMIT_MAX_S
from consumer.transport import Outgoing, OwnershipLostError, Partition, Position, TransportError

# At the usual 50 ms between commits: after one second without an answer we wait for it.
COMMITS_UNANSWERED_MAX = 20

Member = Callable[[], Consumer]
GroupInWords = Callable[[NamedError], TransportError]


class Delivery(Protocol):
    """The producing and committing half of the Kafka transport."""

    def be_ready(self) -> None:
        """Do what must be done before the first record of a new assignment."""
        ...

    def put(self, outgoing: Outgoing) -> None:
        """Hand records over."""
        ...

    def commit(self, positions: Mapping[Partition, Position], *, giving_back: bool) -> None:
        """Make everything handed over and these positions last; all answers are in if asked to."""
        ...

    def give_back(self) -> None:
        """Finish what was committed under the generation of the group that ends."""
        ...

    def forget(self) -> None:
        """Let go of what was not committed: the generation it belongs to is over."""
        ...

    def lost(self) -> None:
        """The same after the group has thought us dead."""
        ...

    def close(self) -> None:
        """Finish; raises what nobody has been told yet."""
        ...


class Acknowledged:
    """At least once: positions are committed after the acknowledgement of all that was produced.

    An answer is not waited for: an error in it is raised by the next `commit`.
    """

    def __init__(
        self, outbox: Outbox, member: Member, clock: Clock, in_words: GroupInWords
    ) -> None:
        self._outbox = outbox
        self._member = member
        self._clock = clock
        self._in_words = in_words
        self._commit_error: KafkaError | None = None
        self._unanswered = 0
        self._latest: dict[Partition, Position] = {}

    def be_ready(self) -> None:
        """Nothing: what is produced needs no beginning."""

    def put(self, outgoing: Outgoing) -> None:
        self._raise_failure()
        self._outbox.put(outgoing)
        self._raise_failure()

    def commit(self, positions: Mapping[Partition, Position], *, giving_back: bool) -> None:
        self._outbox.flush()
        self._raise_failure()
        failed, self._commit_error = self._commit_error, None
        if failed is not None and not is_passing(failed):
            raise self._in_words(failed)
        if not positions:
            return
        self._latest.update(positions)
        if giving_back or failed is not None or self._unanswered >= COMMITS_UNANSWERED_MAX:
            self._commit_and_wait()
        else:
            self._member().commit(offsets=offsets(self._latest), asynchronous=True)
            self._unanswered += 1

    def give_back(self) -> None:
        if self._unanswered and self._latest:
            with suppress(OwnershipLostError):
                self._commit_and_wait()

    def forget(self) -> None:
        """What was committed under another generation says nothing about this one."""
        self._latest.clear()
        self._commit_error = None

    def lost(self) -> None:
        self.forget()

    def close(self) -> None:
        told = self._outbox.failure
        if self._outbox.flush() is not told:
            self._raise_failure()

    def on_commit(self, error: KafkaError | None, answers: list[TopicPartition]) -> None:
        """Note the answer to a commit."""
        self._unanswered = max(0, self._unanswered - 1)
        failed = error or next((each.error for each in answers if each.error), None)
        if failed is not None:
            self._commit_error = failed

    def _commit_and_wait(self) -> None:
        """Commit the latest positions, those of unanswered commits among them."""
        give_up_s = self._clock.monotonic_s() + COMMIT_MAX_S
        while True:
            try:
                answers = self._member().commit(offsets=offsets(self._latest), asynchronous=False)
                failed: Any = next((each.error for each in answers if each.error), None)
            except KafkaException as error:
                failed = error.args[0]
            if failed is None:
                self._unanswered = 0  # This answer covers theirs.
                return
            if not is_passing(failed) or self._clock.monotonic_s() > give_up_s:
                raise self._in_words(failed)
            self._clock.wait_s(RETRY_S)

    def _raise_failure(self) -> None:
        if self._outbox.failure is not None:
            raise self._outbox.error()
