"""The demo's shoppers as a producer: their events sent at a steady pace.

Owns: what was sent when, and what the sender remembers of each shopper.
Never: sends more than the worker keeps up with; the broker of the demo forgets early.
Source: consumer.shoppers decides what happens.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from itertools import islice
from typing import Final

import msgspec

from consumer.clock import Clock
from consumer.partitioner import partition_of
from consumer.score_words import LATELY_DAYS, Circumstances
from consumer.shoppers import DAY_MS, START_MS, Properties, shopper_events
from consumer.transport import Outgoing, Transport

EVENTS_PER_DAY: Final = 7_000
SEND_EVERY_S: Final = 0.01  # The broker of the demo works harder on many small batches.
TURN_MAX_S: Final = 0.05  # After a longer turn nothing is made up for: no bursts.


class Pace:
    """How many events are due; a turn in which the worker is behind counts for nothing."""

    def __init__(self, events_per_s: float, now_s: float) -> None:
        self._events_per_s = events_per_s
        self._turned_s = now_s
        self._due = 0.0

    def due(self, now_s: float, *, held: bool) -> int:
        """Give how many events to send now."""
        passed_s = now_s - self._turned_s
        if passed_s < SEND_EVERY_S:
            return 0
        passed_s = min(passed_s, TURN_MAX_S)
        self._turned_s = now_s
        if held:
            return 0
        self._due += passed_s * self._events_per_s
        count = int(self._due)
        self._due -= count
        return count


class _Act(msgspec.Struct, gc=False):
    """What the sender remembers of one event."""

    at_ms: int
    event_type: str
    event_id: str
    properties: Properties


class ShopperStream:
    """Sends the shoppers' events to a topic, in order of time."""

    def __init__(
        self, transport: Transport, topic: str, partitions: int, *, seed: int, clock: Clock
    ) -> None:
        self._transport = transport
        self._topic = topic
        self._partitions = partitions
        self._clock = clock
        self._events = shopper_events(seed)
        self._encode = msgspec.json.Encoder().encode
        self._partition_of: dict[str, int] = {}
        self._sent: list[deque[tuple[int, float]]] = [deque() for _ in range(partitions)]
        self._next_offset = [0] * partitions  # Nobody else writes there.
        self._acts: defaultdict[str, deque[_Act]] = defaultdict(deque)
        self._types: dict[str, None] = {}
        self.at_ms = START_MS

    @property
    def sent(self) -> int:
        """How many events were sent."""
        return sum(self._next_offset)

    def send(self, count: int) -> None:
        """Send the next events; the records are stamped with the present, as from a real shop.

        When the shoppers' time has reached the present, with their own: an event must not be
        ahead of its record.
        """
        keys: list[list[bytes | None]] = [[] for _ in range(self._partitions)]
        values: list[list[bytes | None]] = [[] for _ in range(self._partitions)]
        for at_ms, customer, event in islice(self._events, count):
            partition = self._partition(customer)
            keys[partition].append(customer.encode())
            values[partition].append(self._encode(event))
            properties = event["properties"]
            assert isinstance(properties, dict)
            act = _Act(at_ms, str(event["type"]), str(event["event_id"]), properties)
            self._remember(customer, act)
            self.at_ms = at_ms
        now_s, ahead = self._clock.monotonic_s(), self.at_ms > self._clock.now_ms()
        for partition, offset in enumerate(self._next_offset):
            size = len(keys[partition])
            if size:
                stamps = [self.at_ms] * size if ahead else None
                self._transport.produce(
                    Outgoing(
                        self._topic, partition, keys[partition], values[partition], None, stamps
                    )
                )
                self._sent[partition].append((offset, now_s))
                self._next_offset[partition] = offset + size

    def sent_at_s(self, partition: int, offset: int) -> float:
        """When an event was sent; asked in the order of offsets, for older ones are forgotten."""
        sent = self._sent[partition]
        while len(sent) > 1 and sent[1][0] <= offset:
            sent.popleft()
        return sent[0][1]

    def circumstances(self, customer: str, event_id: str | None, as_of_ms: int) -> Circumstances:
        """What the sender knew of a shopper when one of the last days' events happened."""
        begin_ms = as_of_ms - LATELY_DAYS * DAY_MS
        acts = [act for act in self._acts[customer] if begin_ms < act.at_ms <= as_of_ms]
        counts = Counter(dict.fromkeys(self._types, 0))
        counts.update(act.event_type for act in acts)
        for act in reversed(acts):
            if act.event_id == event_id:
                return Circumstances(act.event_type, counts, act.properties)
        return Circumstances("event" if event_id else "timer", counts)

    def _remember(self, customer: str, act: _Act) -> None:
        acts = self._acts[customer]
        acts.append(act)
        self._types[act.event_type] = None
        # A day longer than is told, for the scores that are still on their way.
        while acts[0].at_ms < act.at_ms - (LATELY_DAYS + 1) * DAY_MS:
            acts.popleft()

    def _partition(self, customer: str) -> int:
        partition = self._partition_of.get(customer)
        if partition is None:
            partition = partition_of(customer.encode(), self._partitions)
            self._partition_of[customer] = partition
        return partition
