"""Kafka's errors in words that an operator can act on.

Owns: which error is whose fault, its sentence and its remedy.
Never: imports the client; it goes by the errors' names.
Source: https://kafka.apache.org/protocol#protocol_error_codes and librdkafka's rdkafka.h.
"""

from __future__ import annotations

from typing import Protocol

from consumer.transport import (
    MissingTopicError,
    OwnershipLostError,
    TransportError,
    UnreachableError,
)


class NamedError(Protocol):
    """What a `KafkaError` tells of itself."""

    def name(self) -> str:
        """Return the error's name, such as `_TRANSPORT`."""
        ...

    def str(self) -> str:
        """Return the error in Kafka's own words."""
        ...

    def fatal(self) -> bool:
        """Return whether the client is of no use any more."""
        ...

    def retriable(self) -> bool:
        """Return whether the same call may succeed."""
        ...


UNREACHABLE = frozenset(
    {"_TRANSPORT", "_ALL_BROKERS_DOWN", "_TIMED_OUT", "_RESOLVE", "_TIMED_OUT_QUEUE", "_WAIT_COORD"}
)
LOGIN_REFUSED = frozenset({"_AUTHENTICATION", "_SSL", "SASL_AUTHENTICATION_FAILED"})
FORBIDDEN = frozenset(
    {
        "TOPIC_AUTHORIZATION_FAILED",
        "GROUP_AUTHORIZATION_FAILED",
        "CLUSTER_AUTHORIZATION_FAILED",
        "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
    }
)
MISSING = frozenset({"UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC", "_UNKNOWN_PARTITION"})
OWNERSHIP_LOST = frozenset(
    {
        "ILLEGAL_GENERATION",
        "UNKNOWN_MEMBER_ID",
        "FENCED_INSTANCE_ID",
        "FENCED_MEMBER_EPOCH",
        "STALE_MEMBER_EPOCH",
        "REBALANCE_IN_PROGRESS",
        "_ASSIGNMENT_LOST",
        "_NO_OFFSET",
    }
)
FENCED = frozenset({"_FENCED", "PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH"})
OUT_OF_RANGE = frozenset({"_AUTO_OFFSET_RESET", "OFFSET_OUT_OF_RANGE"})

# The client goes on by itself; it tells us in case we wonder.
PASSING = UNREACHABLE | {
    "_DESTROY",  # Of one connection: what was asked over it is asked again over another.
    "_MAX_POLL_EXCEEDED",
    "_NODE_UPDATE",
    "REQUEST_TIMED_OUT",
    "COORDINATOR_NOT_AVAILABLE",
    "NOT_COORDINATOR",
    "COORDINATOR_LOAD_IN_PROGRESS",
    "LEADER_NOT_AVAILABLE",
    "NOT_LEADER_FOR_PARTITION",
}


def is_passing(error: NamedError) -> bool:
    """Return whether to go on as if nothing had happened, or try again."""
    return not error.fatal() and (error.retriable() or error.name() in PASSING)


def in_words(error: NamedError, *, bootstrap: str, subject: str = "") -> TransportError:
    """Translate an error; `subject` is the topic, partition or group it is about."""
    name = error.name()
    about = f" ({subject})" if subject else ""
    if name in OWNERSHIP_LOST:
        return OwnershipLostError(f"The group refused the commit: {error.str()}{about}")
    if name in UNREACHABLE:
        return unreachable(bootstrap)
    if name == "_MSG_TIMED_OUT":
        return TransportError(
            f"Kafka did not acknowledge in time what was produced{about}",
            "Check that the brokers are up and that enough copies are in sync",
        )
    if name in LOGIN_REFUSED:
        return TransportError(
            f"The broker at {bootstrap} refuses the login: {error.str()}",
            "Check `security.protocol` and the `sasl.*` and `ssl.*` settings under `kafka`",
        )
    if name in FORBIDDEN:
        return TransportError(
            f"Kafka denies the right: {error.str()}{about}",
            "Grant this user READ on the events, READ and WRITE on our own topics and READ on "
            "the group; creating topics needs CREATE",
        )
    if name in MISSING:
        return MissingTopicError(subject)
    if name in OUT_OF_RANGE:
        return TransportError(
            f"The offset to read next is not in the log{about}",
            "Keep events longer than the worker may stand still, or start a new group",
        )
    if name in FENCED:
        return TransportError(
            f"Another worker has taken our place{about}: {error.str()}",
            "Give each worker an `instance` of its own; after a long pause of this one, start it "
            "again: it goes on from the last commit",
        )
    if name == "MSG_SIZE_TOO_LARGE":
        return TransportError(
            f"A record is larger than the topic allows{about}", "Raise its `max.message.bytes`"
        )
    return TransportError(
        f"Kafka says {name}: {error.str()}{about}", "Look it up in the broker's log"
    )


def unreachable(bootstrap: str) -> TransportError:
    """Say that nobody answers."""
    return UnreachableError(
        f"No Kafka broker answers at {bootstrap}",
        "Check `kafka: {bootstrap.servers: …}` in the settings, and that the broker is up",
    )
