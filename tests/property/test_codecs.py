"""Codecs of events: the fast decoder and the contract agree on any bytes.

Owns: the agreement of `EventDecoder.decode` with `EventDecoder.explain`.
Never: needs a broker.
Source: the contract, "Event".
"""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.errors import InvalidRecord
from schemas.event import (
    EventDecoder,
    EventRecord,
    WireEvent,
    clean_properties,
    clean_value,
    occurred_at_ms,
)
from schemas.times import TIME_MAX_MS, TIME_MIN_MS, format_time, parse_time
from tests.mutated_events import HAND_PICKED, MAPPING, mutated

DECODERS = (EventDecoder(), EventDecoder(MAPPING), EventDecoder(record_bytes_max=300))
Verdict = tuple[object, ...]

times = st.integers(TIME_MIN_MS, TIME_MAX_MS)


def verdict_of_decode(decoder: EventDecoder, value: bytes | None) -> Verdict:
    """What the hot path makes of the bytes, cleaned; or why it refuses them."""
    try:
        event = decoder.decode(value)
    except InvalidRecord as error:
        return ("refused", str(error), error.reason)
    assert isinstance(event, WireEvent)
    number, _ = clean_value(event.value)
    properties, _ = clean_properties(event.properties)
    return (
        "accepted",
        event.customer_id,
        event.type,
        occurred_at_ms(event),
        event.event_id,
        repr(number),
        repr(properties),
    )


def verdict_of_contract(decoder: EventDecoder, value: bytes | None) -> Verdict:
    """What pydantic makes of the bytes; or why it refuses them."""
    try:
        event = decoder.explain(value)
    except InvalidRecord as error:
        return ("refused", str(error), error.reason)
    assert isinstance(event, EventRecord)
    return (
        "accepted",
        event.customer_id,
        event.type,
        event.occurred_at_ms,
        event.event_id,
        repr(event.value),
        repr(event.properties),
    )


def assert_same_verdict(value: bytes | None) -> None:
    """Both say the same, with and without a mapping, and under a small limit of size."""
    for decoder in DECODERS:
        fast, contract = verdict_of_decode(decoder, value), verdict_of_contract(decoder, value)
        assert fast == contract, value


@pytest.mark.parametrize("value", HAND_PICKED)
def test_hand_picked_bytes(value: bytes) -> None:
    """The decoder and the contract agree on every kind of mistake that was thought of."""
    assert_same_verdict(value)


@given(st.integers(0, 2**64))
@settings(max_examples=500, deadline=None)
def test_mutated_records(seed: int) -> None:
    """The decoder and the contract agree on records mutated at random."""
    assert_same_verdict(mutated(random.Random(seed)))


@given(st.binary(max_size=400))
@settings(deadline=None)
def test_any_bytes(value: bytes) -> None:
    """Any bytes get a verdict and no other error."""
    assert_same_verdict(value)


def test_twenty_thousand_mutations() -> None:
    """Over many mutated records both verdicts occur, and the two paths never differ."""
    generator = random.Random(20261123)
    accepted = 0
    for _ in range(20_000):
        value = mutated(generator)
        fast = verdict_of_decode(DECODERS[0], value)
        assert fast == verdict_of_contract(DECODERS[0], value), value
        accepted += fast[0] == "accepted"
    assert 2_000 < accepted < 18_000


@given(times)
@example(TIME_MIN_MS)
@example(TIME_MAX_MS)
@example(1_582_934_399_999)
def test_times_come_back(time_ms: int) -> None:
    """Formatting a time and parsing it gives the same millisecond."""
    assert parse_time(format_time(time_ms)) == time_ms


@given(times, st.integers(-23 * 60 - 59, 23 * 60 + 59))
def test_offsets_are_heeded(time_ms: int, offset_minutes: int) -> None:
    """A local time with its offset is the same moment."""
    sign = "-" if offset_minutes < 0 else "+"
    hours, minutes = divmod(abs(offset_minutes), 60)
    local = format_time(time_ms + offset_minutes * 60_000).replace(
        "Z", f"{sign}{hours:02d}:{minutes:02d}"
    )
    assert parse_time(local) == time_ms
