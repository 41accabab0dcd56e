"""Events: what refuses a record, what is ignored in one, and the words of both.

Owns: examples of the contract's rules for events.
Never: compares the two decoders; tests/property/test_codecs.py does.
Source: the contract, "Event".
"""

from __future__ import annotations

import json
import math

import pytest

from schemas.errors import InvalidRecord
from schemas.event import (
    EventDecoder,
    InputMapping,
    bounded_properties,
    clean_number,
    clean_properties,
    clean_property,
    clean_value,
)

EVENT: dict[str, object] = {
    "event_id": "e9",
    "customer_id": "c17",
    "type": "page_view",
    "occurred_at": "2026-11-23T10:15:30.123Z",
    "value": 12.5,
    "properties": {"channel": "app"},
}
TIME_MS = 1_795_428_930_123


def record(**changes: object) -> bytes:
    """The event with other fields; None leaves a field out."""
    fields = {name: found for name, found in {**EVENT, **changes}.items() if found is not None}
    return json.dumps(fields).encode()


def refusal(value: bytes | None, decoder: EventDecoder | None = None) -> InvalidRecord:
    """Why the record is refused."""
    with pytest.raises(InvalidRecord) as caught:
        (decoder or EventDecoder()).decode(value)
    return caught.value


def test_an_event_in_order() -> None:
    """Every field of a native record arrives, its time in milliseconds."""
    event = EventDecoder().decode(record())
    assert (event.customer_id, event.type, event.event_id) == ("c17", "page_view", "e9")
    assert (event.occurred_at, event.value) == (TIME_MS, 12.5)
    assert event.properties == {"channel": "app"}


@pytest.mark.parametrize(
    "moment",
    [
        TIME_MS,
        str(TIME_MS),
        float(TIME_MS),
        "2026-11-23T10:15:30.123Z",
        "2026-11-23T11:15:30.123+01:00",
        "2026-11-23t10:15:30.123999z",
    ],
)
def test_forms_of_a_time(moment: object) -> None:
    """A time is RFC 3339 with an offset or milliseconds, also as digits; the rest is cut off."""
    assert EventDecoder().decode(record(occurred_at=moment)).occurred_at == TIME_MS


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"customer_id": None}, "customer_id", "missing_field"),
        ({"customer_id": 17}, "customer_id", "wrong_type"),
        ({"customer_id": ""}, "customer_id", "wrong_length"),
        ({"customer_id": "x" * 129}, "customer_id", "wrong_length"),
        ({"type": "x" * 65}, "type", "wrong_length"),
        ({"type": ["page_view"]}, "type", "wrong_type"),
        ({"event_id": 9}, "event_id", "wrong_type"),
        ({"event_id": ""}, "event_id", "wrong_length"),
        ({"occurred_at": None}, "occurred_at", "missing_field"),
        ({"occurred_at": True}, "occurred_at", "wrong_type"),
        ({"occurred_at": "yesterday"}, "occurred_at", "wrong_type"),
        ({"occurred_at": "2026-11-23T10:15:30"}, "occurred_at", "wrong_type"),
        ({"occurred_at": 1_795_428_930}, "occurred_at", "impossible_time"),
        ({"occurred_at": "1999-12-31T23:59:59.999Z"}, "occurred_at", "impossible_time"),
        ({"occurred_at": "2101-01-01T00:00:00Z"}, "occurred_at", "impossible_time"),
    ],
)
def test_what_refuses_a_record(changes: dict[str, object], field: str, reason: str) -> None:
    """Only the envelope refuses a record; the refusal names the field and a countable reason."""
    error = refusal(record(**changes))
    assert (error.field, error.reason) == (field, reason)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "not_an_object"),
        (b"", "not_json"),
        (b"not json", "not_json"),
        (b"[1]", "not_an_object"),
        (b"[" * 50_000, "not_json"),
        (record()[:-5], "not_json"),
        (b'{"customer_id": "\xff"}', "wrong_encoding"),
        (record(extra="x" * 65_536), "too_large"),
    ],
)
def test_what_is_no_record(value: bytes | None, reason: str) -> None:
    """Bytes that hold no JSON object, or too many bytes, are refused as a whole."""
    error = refusal(value)
    assert (error.field, error.reason) == ("record", reason)


def test_refusals_are_sentences() -> None:
    """A refusal says what was found and what is expected in words that its sender understands."""
    assert str(refusal(record(customer_id=17))) == (
        "customer_id: found the number 17, expected a text of 1 to 128 characters."
    )
    assert str(refusal(record(type="x" * 65))) == (
        "type: found a text of 65 characters, expected a text of 1 to 64 characters."
    )
    assert str(refusal(record(occurred_at=None))).startswith("occurred_at: found nothing, expected")
    assert str(refusal(b'{"a": "\xff"}')) == (
        "record: found byte 0xff at 7, which is not UTF-8, expected JSON in UTF-8."
    )


def test_seconds_are_told_apart() -> None:
    """A time in seconds, the commonest mistake, is recognised and said."""
    assert "seconds" in str(refusal(record(occurred_at=1_795_428_930)))


def test_fields_we_do_not_know() -> None:
    """Unknown top-level fields are ignored: senders upgrade before us."""
    assert EventDecoder().decode(record(schema={"version": 2})).customer_id == "c17"


def test_numbers_beyond_any_float_do_not_refuse() -> None:
    """NaN, infinities and 1e999 in value or properties are read leniently and ignored later."""
    value = record().replace(b"12.5", b"1e999").replace(b'"app"', b"NaN")
    event = EventDecoder().decode(value)
    assert clean_value(event.value) == (1e9, "value_clipped")
    assert clean_properties(event.properties) == ({}, [("channel", "property_not_finite")])


def test_a_mapping_finds_fields() -> None:
    """Fields are found by their paths; a refusal uses the sender's own name."""
    mapping = InputMapping(
        customer_id="user.id", type="event", occurred_at="timestamp", value="properties.revenue"
    )
    decoder = EventDecoder(mapping)
    foreign: dict[str, object] = {
        "user": {"id": "u1"},
        "event": "order",
        "timestamp": TIME_MS,
        "properties": {"revenue": "9.5", "plan": "pro"},
    }
    event = decoder.decode(json.dumps(foreign).encode())
    assert (event.customer_id, event.type, event.occurred_at) == ("u1", "order", TIME_MS)
    assert (event.value, event.properties) == ("9.5", {"revenue": "9.5", "plan": "pro"})
    assert decoder.explain(json.dumps(foreign).encode()).value == 9.5
    del foreign["user"]
    assert refusal(json.dumps(foreign).encode(), decoder).field == "user.id"


def test_a_key_with_dots_goes_before_a_path() -> None:
    """A field that is really called `a.b` is found under that name."""
    decoder = EventDecoder(InputMapping(customer_id="a.b"))
    value = {"a.b": "flat", "a": {"b": "deep"}, "type": "t", "occurred_at": TIME_MS}
    assert decoder.decode(json.dumps(value).encode()).customer_id == "flat"


def test_rows_are_read_by_our_names() -> None:
    """A row of a table is an event whose fields are already found."""
    row = {"customer_id": "c", "type": "t", "occurred_at": str(TIME_MS), "value": "3"}
    assert EventDecoder().decode_fields(row).occurred_at == TIME_MS


@pytest.mark.parametrize(
    ("raw", "value", "reason"),
    [
        (12, 12.0, None),
        ("12.5", 12.5, None),
        (1e10, 1e9, "value_clipped"),
        (-math.inf, -1e9, "value_clipped"),
        (10**400, 1e9, "value_clipped"),
        (True, None, "value_not_a_number"),
        ("1_000", None, "value_not_a_number"),
        ("twelve", None, "value_not_a_number"),
        ([1], None, "value_not_a_number"),
        ("nan", None, "value_not_finite"),
        (None, None, None),
    ],
)
def test_values(raw: object, value: float | None, reason: str | None) -> None:
    """A value is a number or a numeric text, within bounds; anything else is absent."""
    found, why = clean_value(raw)
    assert why == reason
    assert math.isnan(found) if value is None else found == value


@pytest.mark.parametrize(
    ("raw", "value", "reason"),
    [
        ("app", "app", None),
        (3, 3.0, None),
        (False, False, None),
        (None, None, None),
        ("x" * 256, "x" * 256, None),
        ("x" * 257, None, "property_too_long"),
        ("\ud800", None, "property_not_text"),
        ({"a": 1}, None, "property_nested"),
        ([], None, "property_nested"),
        (math.nan, None, "property_not_finite"),
        (10**400, None, "property_not_finite"),
    ],
)
def test_properties(raw: object, value: object, reason: str | None) -> None:
    """A property is a text, a finite number or a boolean; null is absent."""
    assert clean_property(raw) == (value, reason)


def test_the_65th_property_is_ignored() -> None:
    """The first 64 properties are kept, the others named as ignored."""
    properties = {f"p{index}": index for index in range(66)}
    clean, ignored = clean_properties(properties)
    assert len(clean) == 64
    assert ignored == [(name, "property_beyond_the_last") for name in ("p64", "p65")]
    assert len(bounded_properties(properties)[0]) == 64
    assert clean_properties(3) == ({}, [("properties", "properties_not_an_object")])


def test_numbers_where_numbers_are_declared() -> None:
    """A numeric text counts as a number; what is none is absent."""
    assert clean_number("3.5") == 3.5
    assert math.isnan(clean_number("tall"))
    assert math.isnan(clean_number(math.inf))
