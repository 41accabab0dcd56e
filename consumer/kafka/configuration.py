"""How our Kafka clients are configured.

Owns: the defaults we found worth having, and the settings that nobody may change.
Never: opens a connection.
Source: https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md
"""

from __future__ import annotations

from collections.abc import Mapping

from consumer.deadline import REBALANCE_MAX_S
from consumer.transport import TransportError

Scalar = str | int | float | bool

SHARED_DEFAULTS: dict[str, Scalar] = {
    "socket.nagle.disable": True,
    # A broker that comes back is found within a second or two, and not after ten.
    "reconnect.backoff.max.ms": 1_000,
    # A request to a broker that has gone ends before patience does. Some calls in a transaction
    # end only then, whatever time they are given: at a stop there is not much more.
    "socket.timeout.ms": 5_000,
    # Ten times a second it logs that it cannot connect; what matters comes as an error too.
    "log_level": 2,
}

CONSUMER_DEFAULTS: dict[str, Scalar] = {
    # A worker that was killed keeps its partitions for so long, and its successor waits.
    "session.timeout.ms": 10_000,
    # Also how soon a member hears that another has come or gone.
    "heartbeat.interval.ms": 1_000,
    # A partition that goes on after a pause is fetched when the request under way is answered;
    # where nothing comes the broker answers only after this long (its default is 500).
    "fetch.wait.max.ms": 50,
    # When its queue is full, librdkafka stops fetching for this long. Its default of 1 s leaves
    # a fast reader waiting four fifths of the time.
    "fetch.queue.backoff.ms": 2,
    # A shorter queue stays in the processor's cache.
    "queued.min.messages": 20_000,
}

PRODUCER_DEFAULTS: dict[str, Scalar] = {
    "linger.ms": 1,
    "compression.type": "lz4",
    "queue.buffering.max.messages": 500_000,
    # A learner state is one record.
    "message.max.bytes": 8 * 1024 * 1024,
    # Shorter than the commit's own deadline, so that the commit hears of it.
    "delivery.timeout.ms": 30_000,
}

# The broker ends a transaction that has been open for so long; what is in it is produced again.
TRANSACTION_MAX_MS = 20_000

# The client's own default: whoever polls more seldom is thought to hang.
POLL_INTERVAL_MS = 300_000

# What the delivery promises rest on.
CONSUMER_LAWS: dict[str, Scalar] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "partition.assignment.strategy": "range",
}

PRODUCER_LAWS: dict[str, Scalar] = {
    "acks": "all",
    "enable.idempotence": True,
    # Java's choice of partition for a key; librdkafka's own default is another.
    "partitioner": "murmur2_random",
    "delivery.report.only.error": True,
}

_OTHER_NAMES = {
    "request.required.acks": "acks",
    "metadata.broker.list": "bootstrap.servers",
    "compression.codec": "compression.type",
    "queue.buffering.max.ms": "linger.ms",
    "message.timeout.ms": "delivery.timeout.ms",
}

# Of the settings given, these concern one side only; the other would warn about them.
_CONSUMER_ONLY = (
    "fetch.", "queued.", "session.", "heartbeat.", "max.poll.", "max.partition.", "group.",
    "auto.", "partition.assignment.", "check.crcs", "isolation.", "coordinator.query.",
    "enable.auto.", "enable.partition.",
)  # fmt: skip
_PRODUCER_ONLY = (
    "linger.", "compression.", "queue.buffering.", "delivery.", "batch.", "acks", "partitioner",
    "enable.idempotence", "enable.gapless.", "transaction", "sticky.", "message.send.",
    "retries", "request.timeout.", "message.timeout.",
)  # fmt: skip


class KafkaConfiguration:
    """The settings under `kafka:`, completed for each kind of client.

    A setting that contradicts a law is refused by name.
    """

    def __init__(self, given: Mapping[str, Scalar], *, group: str, instance: str) -> None:
        self._given = {_OTHER_NAMES.get(key, key): value for key, value in given.items()}
        self.group = group
        self._instance = instance
        laws = {**CONSUMER_LAWS, **PRODUCER_LAWS, "group.id": group, "client.id": instance}
        for key, law in laws.items():
            value = self._given.get(key, law)
            if str(value).lower() not in {str(law).lower(), "-1" if key == "acks" else ""}:
                raise TransportError(
                    f"`kafka: {{{key}: {value}}}` cannot be set: it must stay {law}",
                    "Take it out of the settings (`group` and `instance` have their own)",
                )

    @property
    def bootstrap(self) -> str:
        """The brokers' addresses as given."""
        return str(self._given.get("bootstrap.servers", ""))

    @property
    def rebalance_max_s(self) -> float:
        """How long a rebalance's callback may take: half of what the group waits for a poll."""
        whole_ms = int(self._given.get("max.poll.interval.ms", POLL_INTERVAL_MS))
        return min(REBALANCE_MAX_S, whole_ms / 2000.0)

    def client(self) -> dict[str, Scalar]:
        """Return what every kind of client takes."""
        own = {
            key: value
            for key, value in self._given.items()
            if not key.startswith(_CONSUMER_ONLY + _PRODUCER_ONLY)
        }
        return {**SHARED_DEFAULTS, **own, "client.id": self._instance}

    def consumer(self, **more: Scalar) -> dict[str, Scalar]:
        """Return the configuration of a consumer; `more` has underscores for dots."""
        own = {key: value for key, value in self._given.items() if key.startswith(_CONSUMER_ONLY)}
        return {
            **self.client(),
            **CONSUMER_DEFAULTS,
            "isolation.level": "read_committed",
            **own,
            **CONSUMER_LAWS,
            "group.id": self.group,
            **{key.replace("_", "."): value for key, value in more.items()},
        }

    def producer(self) -> dict[str, Scalar]:
        """Return the configuration of the producer."""
        own = {key: value for key, value in self._given.items() if key.startswith(_PRODUCER_ONLY)}
        return {**self.client(), **PRODUCER_DEFAULTS, **own, **PRODUCER_LAWS}

    def transactional_producer(self, transactional_id: str) -> dict[str, Scalar]:
        """Return the configuration of a producer that writes in transactions."""
        whole = self.producer()
        longest_ms = int(whole.get("transaction.timeout.ms", TRANSACTION_MAX_MS))
        return {
            **whole,
            "transaction.timeout.ms": longest_ms,
            # Longer the client does not allow.
            "delivery.timeout.ms": min(int(whole["delivery.timeout.ms"]), longest_ms),
            "transactional.id": transactional_id,
        }
