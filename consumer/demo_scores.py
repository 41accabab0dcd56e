"""The demo's reader: a consumer of scores like anybody's, beside the worker.

Owns: counting the scores that can be read, how long they took, and picking a few to show.
Never: sees inside the worker; what it knows it has read from the topic.
Source: the contract, "Score".
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

import msgspec
import numpy as np

from consumer.clock import Clock
from consumer.demo_stream import ShopperStream
from consumer.transport import Partition, Transport
from schemas.score import ScoreEntry, ScoreRecord, decode_score

WINDOW_S: Final = 2.0


class _Place(msgspec.Struct, gc=False):
    partition: int
    offset: int


class _Placed(msgspec.Struct, gc=False):
    """As much of a score as latency needs; the rest is skipped."""

    source: _Place


class Pick(NamedTuple):
    """One score to be shown."""

    record: ScoreRecord
    entry: ScoreEntry


class ScoreReader:
    """Follows the topic of scores."""

    def __init__(
        self, transport: Transport, topic: str, partitions: int, stream: ShopperStream, clock: Clock
    ) -> None:
        self._transport = transport
        self._stream = stream
        self._clock = clock
        self._decode = msgspec.json.Decoder(_Placed).decode
        self._latencies: deque[tuple[float, list[float]]] = deque()
        self._candidates: dict[str, Pick] = {}
        self._shown: dict[str, int] = {}
        self.count = 0
        for index in range(partitions):
            transport.follow(Partition(topic, index), 0)

    def read(self) -> None:
        """Take in what has come since the last call."""
        for records in self._transport.poll_followed():
            now_s = self._clock.monotonic_s()
            took: list[float] = []
            for value in records.values:
                source = self._decode(value or b"").source
                took.append(now_s - self._stream.sent_at_s(source.partition, source.offset))
            self._latencies.append((now_s, took))
            self.count += len(took)
            self._consider(decode_score(records.values[-1] or b""))
        begin_s = self._clock.monotonic_s() - WINDOW_S
        while self._latencies and self._latencies[0][0] < begin_s:
            self._latencies.popleft()

    def latency_ms(self) -> tuple[float, float] | None:
        """Median and 99th percentile from sending an event to reading its score, or nothing yet."""
        took = [each for _, batch in self._latencies for each in batch]
        if not took:
            return None
        p50, p99 = np.percentile(np.array(took) * 1000.0, [50, 99]).tolist()
        return p50, p99

    def pick(self) -> Pick | None:
        """The newest score of a campaign, if one came since its last; campaigns take turns."""
        if not self._candidates:
            return None
        campaign = min(self._candidates, key=lambda name: self._shown.get(name, 0))
        self._shown[campaign] = max(self._shown.values(), default=0) + 1
        return self._candidates.pop(campaign)

    def _consider(self, record: ScoreRecord) -> None:
        for entry in record.scores:
            self._candidates[entry.campaign] = Pick(record, entry)
