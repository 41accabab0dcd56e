"""Events in order and events broken in every way that was thought of, from a seed.

Owns: what a sender may do wrong.
Never: says what should become of it.
Source: the contract, "Event".
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from schemas.input_mapping import InputMapping
from schemas.times import TIME_MAX_MS, TIME_MIN_MS, format_time

NATIVE = InputMapping()
MAPPING = InputMapping(
    customer_id="userId", type="event", occurred_at="timestamp", value="properties.revenue"
)

HAND_PICKED = (
    b"",
    b" ",
    b"null",
    b"[]",
    b"{}",
    b"\xef\xbb\xbf{}",
    b"\xff\xfe{\x00}\x00",
    b'{"customer_id":"a","type":"b","occurred_at":1764000000000,"x":"\xff"}',
    b'{"customer_id":"a","type":"b","occurred_at":1764000000000,"x":"\\q"}',
    b'{"customer_id":"a","type":"b","occurred_at":1764000000000,"x":"\\ud800"}',
    b'{"customer_id":"a","type":"b","occurred_at":1764000000000,"x":"\\ud83d\\ude00"}',
    b'{"customer_id":"a","type":"b","occurred_at":1764000000000,"x":"tab\there"}',
    b'{"customer_id":"a","type":"b","occurred_at":1764000000000,"x":"\x00"}',
    b'{"customer_id":"a","type":"b","occurred_at":1764000000000,"x":-}',
    b'{"customer_id":"a","type":"b","occurred_at":1764000000000,"x":01}',
    b'{"customer_id":"a","type":"b","occurred_at":1764000000000,"x":1.}',
    b'{"customer_id":"a","type":"b","occurred_at":1764000000000,"x":1e}',
    b'{"customer_id":"a","type":"b","occurred_at":1764000000000,"x":NaN}',
    b'{"customer_id":"a","type":"b","occurred_at":1764000000000,"value":-Infinity}',
    b'{"customer_id":"a","type":"b","occurred_at":1764000000000,"value":1e999}',
    b'{"customer_id":"a","type":"b","occurred_at":1764000000000,"value":' + b"9" * 5000 + b"}",
    b'{"customer_id":"a","type":"b","occurred_at":1764000000000,"\xc3\xa4":1}',
    b'{"customer_id":"a","type":"b","occurred_at":1764000000000,"\\ud800":1}',
    b'{"customer_id":"a","type":"b","occurred_at":1764000000000,"properties":{"\\ud800":1}}',
    b'{"customer_id":"a","type":"b","occurred_at":1764000000000,"customer_id":5}',
    b'{"customer_id":5,"type":"b","occurred_at":1764000000000,"customer_id":"a"}',
    b'{"customer_id":"a","type":"b","occurred_at":1764000000000.0}',
    b'{"customer_id":"a","type":"b","occurred_at":true}',
    b'{"customer_id":"a","type":"b","occurred_at":"1764000000000"}',
    b'{"customer_id":"a","type":"b","occurred_at":"\xd9\xa1\xd9\xa2"}',
    b'{"customer_id":"a","type":"b","occurred_at":"1970-01-01T00:00:00Z"}',
    b'{"customer_id":"a","type":"b","occurred_at":"2999-01-01T00:00:00Z"}',
    b'{"customer_id":"a","type":"b","occurred_at":"2100-12-31T23:59:59.9999999Z"}',
    b'{"customer_id":"a","type":"b","occurred_at":1764000000000}\x00',
    b'{"customer_id":"a","type":"b","occurred_at":1764000000000} \r\n\t',
    b'{"customer_id":"a","type":"b","occurred_at":1764000000000}{}',
    b'{"customer_id":"a","type":"b","occurred_at":1764000000000,}',
    b'{"customer_id":"a","type":"b","occurred_at":1764000000000,"x":' + b"[" * 3000 + b"}",
    b'{"customer_id":"a","type":"b","occurred_at":1764000000000,"x":'
    + b"[" * 3000
    + b"]" * 3000
    + b"}",
)


def valid_event(generator: random.Random) -> dict[str, object]:
    """A record in order, native or mapped, of any of the allowed forms."""
    time_ms = generator.randrange(TIME_MIN_MS, TIME_MAX_MS)
    moments: list[object] = [
        time_ms,
        str(time_ms),
        format_time(time_ms),
        format_time(time_ms).replace("Z", "+05:30"),
        format_time(time_ms)[:19] + "z",
    ]
    fields = NATIVE if generator.random() < 0.8 else MAPPING
    event: dict[str, object] = {
        fields.customer_id: f"c{generator.randrange(1000)}ü",
        fields.type: generator.choice(["page_view", "page_view", "$forget", "käufe"]),
        fields.occurred_at: generator.choice(moments),
    }
    if generator.random() < 0.7:
        event["event_id"] = generator.choice([None, "e1", "😀" * 20])
    if generator.random() < 0.7:
        event["value"] = generator.choice([None, 1, 12.5, "12.5", -3e300, "x", True, [1]])
    if generator.random() < 0.8:
        event["properties"] = {
            f"p{index}": generator.choice([None, True, 1, 2.5, "a", "b" * 300, {"c": 1}, [], 2**70])
            for index in range(generator.choice([0, 3, 70]))
        }
    return event


def wrong_value(generator: random.Random) -> object:
    """Something that may stand where it should not."""
    return generator.choice(
        [None, True, 0, -1, 17, 2.5, 1e300, 2**80, "", "x", "y" * 129, "z" * 65, [], {}, [[1]],
         {"a": {"b": 1}}, float("nan"), float("inf"), "\ud800", 253402300800000,
         "2999-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "2026-11-23",
         "2026-11-23T10:15:30", "1764000000"]
    )  # fmt: skip


def mutated(generator: random.Random) -> bytes:
    """A valid record, then broken once or twice, or not at all."""
    event = valid_event(generator)
    if generator.random() < 0.4:
        event[generator.choice([*event, "extra", "value", "properties"])] = wrong_value(generator)
    if generator.random() < 0.2:
        event.pop(generator.choice(list(event)))
    record = bytearray(json.dumps(event, ensure_ascii=generator.random() < 0.5).encode(
        "utf-8", "surrogatepass"
    ))  # fmt: skip
    for _ in range(generator.choice([0, 0, 1, 1, 2])):
        MUTATIONS[generator.randrange(len(MUTATIONS))](record, generator)
    return bytes(record)


INSERTIONS = (
    b"\\", b'"', b"{", b"}", b",", b":", b"NaN", b"1e999", b"\xef\xbb\xbf", b"\x00", b"\\ud800"
)  # fmt: skip


def _truncate(record: bytearray, generator: random.Random) -> None:
    del record[generator.randrange(len(record) + 1) :]


def _flip(record: bytearray, generator: random.Random) -> None:
    if record:
        record[generator.randrange(len(record))] = generator.randrange(256)


def _insert(record: bytearray, generator: random.Random) -> None:
    place = generator.randrange(len(record) + 1)
    record[place:place] = generator.choice(INSERTIONS)


def _delete(record: bytearray, generator: random.Random) -> None:
    start = generator.randrange(len(record) + 1)
    del record[start : start + generator.randrange(1, 6)]


def _repeat(record: bytearray, generator: random.Random) -> None:
    start = generator.randrange(len(record) + 1)
    record[start:start] = record[start : start + generator.randrange(1, 60)]


MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _truncate,
    _flip,
    _insert,
    _delete,
    _repeat,
)
