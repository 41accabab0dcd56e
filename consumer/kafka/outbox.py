"""What we produce, until Kafka has acknowledged it.

Owns: handing records to the client's queue, waiting while it is full, flushing it.
Never: imports the client, drops a record, or forgets that one could not be delivered.
Source: librdkafka's produce_batch refuses a tail of the batch when its queue is full.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from consumer.deadline import COMMIT_MAX_S, Deadline, Patience
from consumer.kafka.errors import NamedError
from consumer.transport import Outgoing, TransportError

WAIT_MAX_S = 0.2
PURGED = frozenset({"_PURGE_QUEUE", "_PURGE_INFLIGHT"})

Undelivered = tuple[NamedError, str]


class Outbox:
    """The producing half of the Kafka transport.

    The producer reports failures only, to `note_failure`. A failure stays: what was lost is
    lost to this process, and only an aborted transaction or a restart from the last commit makes
    up for it. `producer` is a confluent_kafka.Producer.
    """

    def __init__(
        self,
        producer: Any,
        patience: Patience,
        in_words: Callable[[NamedError, str], TransportError],
    ) -> None:
        self.producer = producer
        self._patience = patience
        self._in_words = in_words
        self.failure: Undelivered | None = None

    def error(self) -> TransportError:
        """The failure in an operator's words."""
        assert self.failure is not None
        return self._in_words(*self.failure)

    def told(self, error: NamedError | None, message: Any) -> None:
        """Hear from the client what became of a confluent_kafka.Message."""
        if error is not None:
            self.note_failure(error, f"{message.topic()}[{message.partition()}]")

    def note_failure(self, error: NamedError, place: str) -> None:
        """Remember the first record that could not be delivered.

        What an aborted transaction purged is no failure: it is produced again.
        """
        if error.name() in PURGED:
            return
        self.failure = self.failure or (error, place)

    def put(self, outgoing: Outgoing) -> Undelivered | None:
        """Queue records, in order; return what the client refuses for good."""
        if outgoing.headers is None and outgoing.timestamps_ms is None:
            self._put_batch(outgoing)
        else:
            self._put_each(outgoing)
        self.producer.poll(0)
        return self.failure

    def flush(self) -> Undelivered | None:
        """Wait until all is acknowledged; return what was not delivered."""
        deadline = self._patience.at_most(COMMIT_MAX_S)
        # In slices, so that a signal is seen.
        while self.producer.flush(WAIT_MAX_S) and self.failure is None:
            self._refuse_after(deadline, "Kafka has not acknowledged what was produced")
        return self.failure

    def _put_batch(self, outgoing: Outgoing) -> None:
        """Queue by batch: a quarter less work, but without headers and timestamps."""
        messages: list[dict[str, Any]] = [
            {"key": key, "value": value}
            for key, value in zip(outgoing.keys, outgoing.values, strict=True)
        ]
        partition = -1 if outgoing.partition is None else outgoing.partition
        deadline = self._patience.at_most(COMMIT_MAX_S)
        while messages:
            taken = self.producer.produce_batch(outgoing.topic, messages, partition=partition)
            if taken == len(messages):
                return
            messages = [message for message in messages if "_error" in message]
            for message in messages:
                error: NamedError = message.pop("_error")
                if error.name() != "_QUEUE_FULL":
                    self.note_failure(error, outgoing.topic)
                    return
            self._wait_for_room(deadline)

    def _put_each(self, outgoing: Outgoing) -> None:
        count = len(outgoing.values)
        headers = outgoing.headers or [[]] * count
        stamps = outgoing.timestamps_ms or [0] * count  # 0: the client's own time.
        partition = -1 if outgoing.partition is None else outgoing.partition
        rows = zip(outgoing.keys, outgoing.values, headers, stamps, strict=True)
        deadline = self._patience.at_most(COMMIT_MAX_S)
        for key, value, header, stamp_ms in rows:
            queued = False
            while not queued:
                try:
                    self.producer.produce(
                        outgoing.topic, value, key, partition, headers=header, timestamp=stamp_ms
                    )
                    queued = True
                except BufferError:
                    self._wait_for_room(deadline)

    def _wait_for_room(self, deadline: Deadline) -> None:
        self.producer.poll(WAIT_MAX_S / 10)
        self._refuse_after(deadline, "Kafka has not taken what was produced")

    def _refuse_after(self, deadline: Deadline, problem: str) -> None:
        if deadline.passed:
            raise TransportError(
                f"{problem} in time",
                "Check that the brokers are up and that enough copies are in sync",
            )
