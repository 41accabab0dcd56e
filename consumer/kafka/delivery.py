"""How what we produce and what we commit become lasting: acknowledged, or in transactions.

Owns: the at-least-once half, and what both halves have in common.
Never: knows what a record says.
Source: the settings' `delivery`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol

from confluent_kafka import Consumer, KafkaError, TopicPartition

from consumer.deadline import COMMIT_MAX_S, Patience
from consumer.kafka.asker import RETRY_S, Asker
from consumer.kafka.errors import NamedError, is_passing
from consumer.kafka.outbox import Outbox
from consumer.kafka.places import offsets
from consumer.transport import Outgoing, OwnershipLostError, Partition, Position, TransportError

# At the usual 50 ms between commits: after one second without an answer no more are sent.
COMMITS_UNANSWERED_MAX = 20

# A commit that the group takes is seen by the next question: after so long it was refused.
SEEN_MAX_S = 3.0
NOWHERE = Position(-1)

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
        self,
        outbox: Outbox,
        member: Member,
        asker: Asker,
        patience: Patience,
        in_words: GroupInWords,
    ) -> None:
        self._outbox = outbox
        self._member = member
        self._asker = asker
        self._patience = patience
        self._in_words = in_words
        self._commit_error: KafkaError | None = None
        self._unanswered = self._outdated = 0
        self._answer_due = patience.at_most(COMMIT_MAX_S)
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
        if giving_back:
            self._commit_and_see()
        elif self._unanswered < COMMITS_UNANSWERED_MAX:
            self._send()
        elif self._answer_due.passed:
            raise TransportError(
                "The group has not answered our commit in time",
                "Check that the brokers are up; what was not committed is read again",
            )

    def give_back(self) -> None:
        if self._unanswered and self._latest:
            with suppress(OwnershipLostError):
                self._commit_and_see()

    def forget(self) -> None:
        """What was committed under another generation says nothing about this one."""
        self._latest.clear()
        self._commit_error = None
        self._outdated = self._unanswered

    def lost(self) -> None:
        self.forget()

    def close(self) -> None:
        told = self._outbox.failure
        if self._outbox.flush() is not told:
            self._raise_failure()

    def on_commit(self, error: KafkaError | None, answers: list[TopicPartition]) -> None:
        """Note the answer to a commit."""
        self._unanswered -= 1
        self._answer_due = self._patience.at_most(COMMIT_MAX_S)
        if self._outdated:  # Answers come in the order of the commits.
            self._outdated -= 1
            return
        failed = error or next((each.error for each in answers if each.error), None)
        if failed is not None:
            self._commit_error = failed

    def _send(self) -> None:
        if not self._unanswered:
            self._answer_due = self._patience.at_most(COMMIT_MAX_S)
        self._unanswered += 1
        self._member().commit(offsets=offsets(self._latest), asynchronous=True)

    def _commit_and_see(self) -> None:
        """Commit the latest positions, those of unanswered commits among them, and see them there.

        Answers come with a poll, and there is none in a callback; the client's way of waiting for
        them has no end when the broker is silent. A client that is closing answers no question,
        so another one asks.
        """
        deadline = self._patience.at_most(SEEN_MAX_S)
        while True:
            self._send()
            seen = self._asker.committed(sorted(self._latest), None)
            if all(
                (seen[each] or NOWHERE).offset == at.offset for each, at in self._latest.items()
            ):
                self._latest.clear()
                return
            if deadline.passed:
                raise OwnershipLostError("The group answers, and does not take our commit")
            self._patience.wait_s(RETRY_S)

    def _raise_failure(self) -> None:
        if self._outbox.failure is not None:
            raise self._outbox.error()
