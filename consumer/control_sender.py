"""Sending control facts: to every partition of the events, whoever partitions them.

Owns: which records are sent where.
Never: says what a control fact means.
Source: docs/contract.md, "Control facts".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from consumer.transport import Outgoing, Transport
from schemas.control import encode_control
from schemas.input_mapping import InputMapping


class Sent(NamedTuple):
    """What was sent: these types, to so many partitions of a topic."""

    customer: str
    types: Sequence[str]
    topic: str
    partitions: int


def send_control(
    transport: Transport,
    topic: str,
    customer: str,
    types: Sequence[str],
    mapping: InputMapping | None,
    now_ms: int,
) -> Sent:
    """Send control facts of a customer, in their order, and wait until they are in the log.

    Which partition the customer is in depends on the sender's partitioner, and who changed it may
    have left something of them in several. Where nobody knows them, forgetting does nothing.
    """
    partitions, key = transport.partition_count(topic), customer.encode()
    values = [encode_control(mapping, each, customer, now_ms) for each in types]
    for index in range(partitions):
        transport.produce(Outgoing(topic, index, [key] * len(values), values))
    transport.commit({})
    return Sent(customer, list(types), topic, partitions)
