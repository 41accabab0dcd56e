"""Who has a partition, as the group's commits are signed.

Owns: a client of its own, made when first asked, so that other threads may ask.
Never: joins the group, or commits.
Source: ARCHITECTURE.md, "Transactions".
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException

from consumer.clock import Clock
from consumer.kafka.configuration import KafkaConfiguration
from consumer.kafka.places import places
from consumer.ownership import unsigned
from consumer.transport import Partition
from schemas.settings import Scalar

ANSWER_MAX_S: Final = 1.0
KEPT_S: Final = 5.0


class Owners:
    """Asks the group who committed a partition last; an answer is kept for `KEPT_S`.

    Parameters
    ----------
    topic: that of events.
    """

    def __init__(
        self, kafka: Mapping[str, Scalar], *, group: str, instance: str, topic: str, clock: Clock
    ) -> None:
        self._configuration = KafkaConfiguration(kafka, group=group, instance=instance)
        self._prefix = f"{group}/"
        self._topic = topic
        self._clock = clock
        self._consumer: Consumer | None = None
        self._known: dict[int, tuple[float, str | None]] = {}
        self._lock = Lock()

    def __call__(self, partition: int) -> str | None:
        """The instance that has a partition; None if its commits are not signed, or nobody says."""
        with self._lock:
            asked_s, owner = self._known.get(partition, (float("-inf"), None))
            if self._clock.monotonic_s() - asked_s > KEPT_S:
                owner = self._ask(partition)
                self._known[partition] = self._clock.monotonic_s(), owner
            return owner

    def _ask(self, partition: int) -> str | None:
        if self._consumer is None:
            quiet = {"error_cb": _unheard}  # Who asks hears that there is no answer.
            self._consumer = Consumer({**self._configuration.consumer(), **quiet})
        try:
            asked = places([Partition(self._topic, partition)])
            (found,) = self._consumer.committed(asked, ANSWER_MAX_S)
        except KafkaException:
            return None
        owner, _ = unsigned(found.metadata or "")
        return owner.removeprefix(self._prefix) if owner.startswith(self._prefix) else None


def _unheard(error: KafkaError) -> None:
    """Leave an error to the answer that does not come."""
    del error
