"""Events as the data sets build them, and the file they are written to.

Owns: one row per event, their order, and the lines of `events.ndjson`.
Never: what a data set means; that is the data set's own module.
Source: the event record of the contract, encoded by msgspec.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import msgspec
import zstandard

from schemas.times import format_time

Property: TypeAlias = str | float | bool
LINES_PER_WRITE = 10_000


class Fact(NamedTuple):
    """One event before it is a line; `rank` orders events of the same millisecond."""

    at_ms: int
    rank: int
    customer_id: str
    type: str
    event_id: str
    value: float | None
    properties: dict[str, Property]


def ordered(facts: Iterable[Fact]) -> list[Fact]:
    """Sort by time, then rank, keeping the given order among equals."""
    return sorted(facts, key=lambda fact: (fact.at_ms, fact.rank))


def encode_lines(facts: Iterable[Fact], *, keyed: bool) -> Iterator[bytes]:
    """Yield each event as one line; `keyed` puts the customer id and a tab before it."""
    encode = msgspec.json.Encoder().encode
    for fact in facts:
        record: dict[str, Any] = {
            "event_id": fact.event_id,
            "customer_id": fact.customer_id,
            "type": fact.type,
            "occurred_at": format_time(fact.at_ms),
        }
        if fact.value is not None:
            record["value"] = fact.value
        if fact.properties:
            record["properties"] = fact.properties
        line = encode(record) + b"\n"
        yield fact.customer_id.encode() + b"\t" + line if keyed else line


def write_lines(path: Path, lines: Iterable[bytes]) -> int:
    """Write `lines` to `path`, compressed when it ends in `.zst`; return how many."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with path.open("wb") as file:
        compressed = path.suffix == ".zst"
        sink: Any = zstandard.ZstdCompressor(level=3).stream_writer(file) if compressed else file
        pending: list[bytes] = []
        for line in lines:
            pending.append(line)
            count += 1
            if len(pending) == LINES_PER_WRITE:
                sink.write(b"".join(pending))
                pending.clear()
        sink.write(b"".join(pending))
        if compressed:
            sink.close()
    return count


def describe(facts: Iterable[Fact]) -> Mapping[str, int]:
    """Count events by type, in alphabetical order."""
    counts: dict[str, int] = {}
    for fact in facts:
        counts[fact.type] = counts.get(fact.type, 0) + 1
    return dict(sorted(counts.items()))
