"""Which partitions move when a worker joins, and for how long nobody reads: two protocols.

Owns: plain group members without work, and counting who has what.
Never: our transport: what is compared is the broker's and the client's.
Source: KIP-848 for `consumer`; the classic protocol with Kafka's range assignor for the other.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.broker import kafka_broker

if TYPE_CHECKING:
    from collections.abc import Mapping

PARTITIONS: Final = {"events": 12, "examples": 16}
MEMBERS: Final = 6
QUIET_S: Final = 4.0
ROUNDS: Final = 3
PROTOCOLS: Final[Mapping[str, Mapping[str, str | int]]] = {
    "classic, range": {
        "partition.assignment.strategy": "range",
        "session.timeout.ms": 10_000,
        "heartbeat.interval.ms": 500,
    },
    "consumer": {"group.protocol": "consumer"},
}

Place = tuple[str, int]


def member(bootstrap: str, group: str, number: int, protocol: str) -> Consumer:
    """A member that reads both topics; its name orders it, as an instance's does."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "client.id": f"worker-{number:02d}",
            "auto.offset.reset": "earliest",
            "log_level": 0,
            **PROTOCOLS[protocol],
        }
    )
    consumer.subscribe(list(PARTITIONS))
    return consumer


def owners(members: list[Consumer]) -> dict[Place, int]:
    """Who has which partition now."""
    return {
        (each.topic, each.partition): number
        for number, one in enumerate(members)
        for each in one.assignment()
    }


def settle(members: list[Consumer]) -> tuple[dict[Place, int], float]:
    """Poll until nothing changes any more; give the owners, and when the last change was."""
    begun_s = changed_s = time.monotonic()
    before: dict[Place, int] = {}
    while time.monotonic() - changed_s < QUIET_S or len(before) < sum(PARTITIONS.values()):
        for each in members:
            each.poll(0.02)
        now = owners(members)
        if now != before:
            before, changed_s = now, time.monotonic()
    return before, changed_s - begun_s


def measure(bootstrap: str, protocol: str, serial: int) -> tuple[int, float, list[int]]:
    """Let one more join; give moved partitions, seconds, and the learning partitions of each."""
    group = f"rebalance-{serial}"
    members = [member(bootstrap, group, number, protocol) for number in range(MEMBERS)]
    before, _ = settle(members)
    members.append(member(bootstrap, group, MEMBERS, protocol))
    after, took_s = settle(members)
    moved = sum(after[place] not in {number, MEMBERS} for place, number in before.items())
    moved += sum(number == MEMBERS for number in after.values())
    shares = [
        sum(1 for (topic, _), who in after.items() if topic == "examples" and who == number)
        for number in range(MEMBERS + 1)
    ]
    for each in members:
        each.close()
    return moved, took_s, shares


def main() -> None:
    """Print the table."""
    print("| protocol | moved of 28 | seconds | learning partitions of each |\n|---|---|---|---|")
    with kafka_broker() as bootstrap:
        admin = AdminClient({"bootstrap.servers": bootstrap})
        topics = [NewTopic(name, count, 1) for name, count in PARTITIONS.items()]
        for future in admin.create_topics(topics).values():
            future.result()
        serial = 0
        for _ in range(ROUNDS):
            for protocol in PROTOCOLS:
                serial += 1
                moved, took_s, shares = measure(bootstrap, protocol, serial)
                print(f"| {protocol} | {moved} | {took_s:.1f} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
