"""The compiled reader takes a record as the decoder does, or leaves it to it.

Owns: the agreement of `read_events` with `EventDecoder.decode`, and how much it takes.
Never: asks it to refuse a record: it cannot.
Source: the contract, "Event".
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.kernel_event import Wire, read_events
from models.wire import kinds_of, wire_of
from schemas.event import EventDecoder, WireEvent, clean_value, occurred_at_ms
from schemas.event_values import VALUE_MAX
from schemas.times import TIME_MAX_MS, TIME_MIN_MS, format_time
from tests.mutated_events import HAND_PICKED, mutated

TYPES = ("page_view", "$forget", "b", "käufe")
FUTURE_MAX_MS = 300_000
BYTES_MAX = 4_000


def read(values: Sequence[bytes | None]) -> Wire:
    """What the compiled reader makes of records whose keys nobody compares."""
    stamps_ms = [-1] * len(values)
    wire = wire_of([None] * len(values), values, stamps_ms, native=True, strict=False)
    read_events(wire, kinds_of(TYPES), VALUE_MAX, FUTURE_MAX_MS, BYTES_MAX, False)
    return wire


def text_at(wire: Wire, span: Sequence[int]) -> bytes:
    """The bytes of a span."""
    return wire.text[span[0] : span[1]].tobytes()


def assert_as_decoded(wire: Wire, row: int, event: WireEvent) -> None:
    """A plain record says what the decoder reads in it."""
    assert text_at(wire, wire.customer[row]).decode() == event.customer_id
    assert text_at(wire, wire.event[row]).decode() == (event.event_id or "")
    assert wire.kind[row] == (TYPES.index(event.type) if event.type in TYPES else -1)
    assert wire.at_ms[row] == occurred_at_ms(event)
    value, ignored = clean_value(event.value)
    assert ignored is None
    assert repr(float(wire.value[row])) == repr(value)
    properties = text_at(wire, wire.properties[row])
    assert (msgspec.json.decode(properties) if properties else None) == event.properties


def check(values: Sequence[bytes | None]) -> int:
    """Compare the two readers over a batch; give the number of records that were plain."""
    wire, decoder = read(values), EventDecoder()
    for row, value in enumerate(values):
        if wire.plain[row]:
            assert_as_decoded(wire, row, decoder.decode(value))
    return int(wire.plain.sum())


def test_hand_picked_bytes() -> None:
    """Of the mistakes that were thought of none is read as plain, but what is no mistake is."""
    assert check([*HAND_PICKED, None]) == 2  # White space behind a record, and a field "ä".


def test_mutated_records() -> None:
    """Over many mutated records the readers agree, and a good part of the valid ones is plain."""
    generator = random.Random(20261124)
    assert check([mutated(generator) for _ in range(30_000)]) > 500


@given(st.lists(st.binary(max_size=200), max_size=5))
@settings(deadline=None)
def test_any_bytes(values: list[bytes]) -> None:
    """What is read as plain is always a record."""
    check(values)


numbers = st.one_of(
    st.integers(-(10**17), 10**17).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
    st.from_regex(r"-?[0-9]{1,4}(\.[0-9]{0,4})?([eE][+-]?[0-9]{1,2})?", fullmatch=True),
)
moments = st.one_of(
    st.integers(0, 2**45).map(str),
    st.integers(TIME_MIN_MS - 10**9, TIME_MAX_MS + 10**9).map(lambda ms: f'"{format_time(ms)}"'),
    st.from_regex(
        r'"20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]'
        r'(\.[0-9]{0,7})?(Z|z|[+-][0-2][0-9]:?[0-6][0-9])"',
        fullmatch=True,
    ),
)


@given(moments, numbers)
@settings(max_examples=1_000, deadline=None)
def test_times_and_numbers(moment: str, number: str) -> None:
    """A plain time and a plain number are the decoder's, to the last bit."""
    record = f'{{"customer_id":"a","type":"b","occurred_at":{moment},"value":{number}}}'
    check([record.encode()])


@pytest.mark.parametrize(
    "record",
    [
        {"customer_id": "c1", "type": "page_view", "occurred_at": 1_764_000_000_000},
        {"occurred_at": "2026-11-23T10:15:30.5+01:00", "type": "x", "customer_id": "ü", "value": 3},
        {"customer_id": "c1", "type": "b", "occurred_at": "2024-02-29T00:00:00Z", "event_id": "e1",
         "value": 12.5, "properties": {"channel": "app", "price": -1.25, "new": True, "was": None}},
    ],
)  # fmt: skip
def test_usual_records_are_plain(record: dict[str, object]) -> None:
    """What senders usually send needs no second reader, however it is spaced."""
    values = [
        json.dumps(record, ensure_ascii=False, indent=indent).encode() for indent in (None, 1)
    ]
    assert check(values) == 2


def test_numbers_are_plain_as_long_as_a_float_holds_their_digits() -> None:
    """Events have the numbers that rows have: up to 2**53 without the point, and no further."""
    head = '{"customer_id":"a","type":"b","occurred_at":1764000000000,"value":'
    within, beyond = "1.000000000000001", "9.007199254740993"
    assert check([f"{head}{number}}}".encode() for number in (within, beyond)]) == 1
    properties = [f'{head}1,"properties":{{"p":{number}}}}}' for number in (within, beyond)]
    assert check([text.encode() for text in properties]) == 1
