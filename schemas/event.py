"""Events: what customers did, as records of the log.

Owns: the contract of an event (pydantic), its fast decoder (msgspec), and what refuses a record.
Never: compares with a clock or with the message key: those depend on where the record stood.
Source: the contract, "Event".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from math import isnan
from typing import Annotated, Any

import msgspec
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic_core import ErrorDetails, PydanticCustomError

from schemas.errors import InvalidRecord, Reason, described
from schemas.event_values import (
    PROPERTIES_MAX,
    PROPERTY_CHARACTERS_MAX,
    VALUE_MAX,
    Ignored,
    PropertyValue,
    bounded_properties,
    clean_number,
    clean_properties,
    clean_property,
    clean_value,
)
from schemas.input_mapping import InputMapping
from schemas.json_text import read_object
from schemas.times import (
    DAY_MS,
    EPOCH,
    SECOND_MS,
    TIME_MAX_MS,
    TIME_MIN_MS,
    parse_time,
)

__all__ = [
    "PROPERTIES_MAX",
    "PROPERTY_CHARACTERS_MAX",
    "VALUE_MAX",
    "Event",
    "EventDecoder",
    "EventRecord",
    "Ignored",
    "InputMapping",
    "PropertyValue",
    "WireEvent",
    "bounded_properties",
    "clean_number",
    "clean_properties",
    "clean_property",
    "clean_value",
    "occurred_at_ms",
]

CUSTOMER_ID_CHARACTERS_MAX = 128
EVENT_ID_CHARACTERS_MAX = 128
TYPE_CHARACTERS_MAX = 64
RECORD_BYTES_MAX = 65_536

_EXPECTED = {
    "customer_id": f"a text of 1 to {CUSTOMER_ID_CHARACTERS_MAX} characters",
    "type": f"a text of 1 to {TYPE_CHARACTERS_MAX} characters",
    "event_id": f"a text of 1 to {EVENT_ID_CHARACTERS_MAX} characters, or no such field",
    "occurred_at": (
        "a time between 2000 and 2100, as RFC 3339 with an offset (2026-11-23T10:15:30Z) "
        "or as integer milliseconds since the epoch"
    ),
}
_REASONS: dict[str, Reason] = {
    "missing": "missing_field",
    "string_too_short": "wrong_length",
    "string_too_long": "wrong_length",
    "string_unicode": "wrong_encoding",
    "impossible_time": "impossible_time",
}


def _time_of(raw: object) -> int:
    """Milliseconds since the epoch of any form that the contract allows."""
    time_ms: int | None = None
    if isinstance(raw, str):
        if raw.isascii() and raw.isdigit() and len(raw) <= len(str(TIME_MAX_MS)):
            time_ms = int(raw)
        else:
            try:
                time_ms = parse_time(raw)
            except ValueError as error:
                raise PydanticCustomError("wrong_time", "not a time") from error
    elif isinstance(raw, float) and raw.is_integer():
        time_ms = int(raw)
    elif isinstance(raw, int) and not isinstance(raw, bool):
        time_ms = raw
    if time_ms is None:
        raise PydanticCustomError("wrong_time", "not a time")
    if not TIME_MIN_MS <= time_ms <= TIME_MAX_MS:
        raise PydanticCustomError("impossible_time", "not between 2000 and 2100")
    return time_ms


def _is_in_seconds(raw: object) -> bool:
    """Whether a number that is no time in milliseconds would be one in seconds."""
    number = clean_number(raw)
    return TIME_MIN_MS <= number * SECOND_MS <= TIME_MAX_MS


def _value_of(raw: object) -> float | None:
    value = clean_value(raw)[0]
    return None if isnan(value) else value


def _properties_of(raw: object) -> dict[str, PropertyValue]:
    return clean_properties(raw)[0]


_TIME_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "format": "date-time"},
        {"type": "string", "pattern": "^[0-9]{12,13}$"},
        {"type": "integer", "minimum": TIME_MIN_MS, "maximum": TIME_MAX_MS},
    ],
    "description": "When it happened: RFC 3339 with an offset, or milliseconds since the epoch.",
}
_VALUE_SCHEMA: dict[str, Any] = {
    "description": "Money or quantity: a number or a numeric text; anything else is ignored.",
    "examples": [12.5, "12.5", None],
}
_PROPERTIES_SCHEMA: dict[str, Any] = {
    "description": (
        f"An object of texts (at most {PROPERTY_CHARACTERS_MAX} characters), numbers and booleans; "
        f"nested ones and those beyond the {PROPERTIES_MAX}th are ignored."
    ),
    "examples": [{"channel": "app", "price": 19.99, "new": True}],
}


class Event(BaseModel):
    """Something a customer did."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    customer_id: Annotated[
        str, Field(strict=True, min_length=1, max_length=CUSTOMER_ID_CHARACTERS_MAX)
    ]
    type: Annotated[str, Field(strict=True, min_length=1, max_length=TYPE_CHARACTERS_MAX)]
    occurred_at: Annotated[int, BeforeValidator(_time_of), WithJsonSchema(_TIME_SCHEMA)]
    event_id: Annotated[
        Annotated[str, Field(strict=True, min_length=1, max_length=EVENT_ID_CHARACTERS_MAX)] | None,
        Field(description="The sender's id of the event; without one, a hash of the record."),
    ] = None
    value: Annotated[float | None, BeforeValidator(_value_of), WithJsonSchema(_VALUE_SCHEMA)] = None
    properties: Annotated[
        dict[str, PropertyValue],
        BeforeValidator(_properties_of),
        WithJsonSchema(_PROPERTIES_SCHEMA),
    ] = Field(default_factory=dict)


class EventRecord(msgspec.Struct, frozen=True):
    """An event read completely: every field cleaned. `value` is NaN when absent."""

    customer_id: str
    type: str
    occurred_at_ms: int
    event_id: str | None
    value: float
    properties: dict[str, PropertyValue]


class WireEvent(msgspec.Struct, gc=False):
    """An event as decoded on the hot path: the envelope is checked, the rest is as it came.

    After `EventDecoder.decode`, `occurred_at` holds integer milliseconds; `value` and
    `properties` hold whatever the sender put there, for the `clean_*` functions to read.
    """

    customer_id: Annotated[str, msgspec.Meta(min_length=1, max_length=CUSTOMER_ID_CHARACTERS_MAX)]
    type: Annotated[str, msgspec.Meta(min_length=1, max_length=TYPE_CHARACTERS_MAX)]
    occurred_at: (
        Annotated[int, msgspec.Meta(ge=TIME_MIN_MS, le=TIME_MAX_MS)]
        | Annotated[datetime, msgspec.Meta(tz=True)]
    )
    event_id: (
        Annotated[str, msgspec.Meta(min_length=1, max_length=EVENT_ID_CHARACTERS_MAX)] | None
    ) = None
    value: Any = None
    properties: Any = None


def occurred_at_ms(event: WireEvent) -> int:
    """When a decoded event happened, in milliseconds since the epoch."""
    time = event.occurred_at
    assert isinstance(time, int), "only EventDecoder makes wire events"
    return time


class EventDecoder:
    """Bytes to events: fast for records in order, explaining for the others."""

    def __init__(
        self, mapping: InputMapping | None = None, record_bytes_max: int = RECORD_BYTES_MAX
    ) -> None:
        self._mapping = None if mapping == InputMapping() else mapping
        self._record_bytes_max = record_bytes_max
        self._native = msgspec.json.Decoder(WireEvent).decode
        self._any = msgspec.json.Decoder().decode

    def decode(self, value: bytes | None) -> WireEvent:
        """One record of the log; `occurred_at` of the result is in milliseconds.

        Raises
        ------
        InvalidRecord: its envelope breaks the contract.
        """
        if value is None or len(value) > self._record_bytes_max:
            raise self._not_a_record(value)
        try:
            if not value.isascii():
                value.decode()  # The decoder skips unknown fields without reading their text.
            event = self._native(value) if self._mapping is None else self._mapped(value)
            time = event.occurred_at
            if isinstance(time, int):
                return event
            since = time - EPOCH
            time_ms = since.days * DAY_MS + since.seconds * SECOND_MS + since.microseconds // 1000
            if TIME_MIN_MS <= time_ms <= TIME_MAX_MS:
                event.occurred_at = time_ms
                return event
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
        return self._decode_leniently(self._fields(value))

    def decode_fields(self, fields: Mapping[str, object]) -> WireEvent:
        """One event from a row with our field names (a CSV or Parquet row, already mapped).

        Raises
        ------
        InvalidRecord: its envelope breaks the contract.
        """
        return self._decode_leniently(fields)

    def explain(self, value: bytes | None) -> EventRecord:
        """The contract's verdict: the whole event, cleaned.

        Raises
        ------
        InvalidRecord: in words that the sender understands.
        """
        if value is None or len(value) > self._record_bytes_max:
            raise self._not_a_record(value)
        event = self._validated(self._fields(value))
        return EventRecord(
            customer_id=event.customer_id,
            type=event.type,
            occurred_at_ms=event.occurred_at,
            event_id=event.event_id,
            value=float("nan") if event.value is None else event.value,
            properties=event.properties,
        )

    def _mapped(self, value: bytes) -> WireEvent:
        assert self._mapping is not None
        record = self._any(value)
        if not isinstance(record, dict):
            raise msgspec.ValidationError
        return msgspec.convert(self._mapping.pick(record), WireEvent)

    def _decode_leniently(self, fields: Mapping[str, object]) -> WireEvent:
        event = self._validated(fields)
        return WireEvent(
            customer_id=event.customer_id,
            type=event.type,
            occurred_at=event.occurred_at,
            event_id=event.event_id,
            value=fields.get("value"),
            properties=fields.get("properties"),
        )

    def _fields(self, value: bytes) -> dict[str, object]:
        record = read_object(value)
        return record if self._mapping is None else self._mapping.pick(record)

    def _validated(self, fields: Mapping[str, object]) -> Event:
        try:
            return Event.model_validate(fields)
        except ValidationError as error:
            raise self._invalid(error.errors(include_url=False)[0]) from error

    def _invalid(self, error: ErrorDetails) -> InvalidRecord:
        """Our sentence for pydantic's first error."""
        field = str(error["loc"][0])
        named = field if self._mapping is None else self._mapping.path(field)
        found = "nothing" if error["type"] == "missing" else described(error["input"])
        reason = _REASONS.get(error["type"], "wrong_type")
        if reason == "wrong_length" and isinstance(error["input"], str) and error["input"]:
            found = f"a text of {len(error['input'])} characters"
        if reason == "impossible_time" and _is_in_seconds(error["input"]):
            found += " (which looks like seconds)"
        return InvalidRecord(named, found, _EXPECTED[field], reason)

    def _not_a_record(self, value: bytes | None) -> InvalidRecord:
        if value is None:
            return InvalidRecord(
                "record", "a message without a value", "a JSON object", "not_an_object"
            )
        return InvalidRecord(
            "record", f"{len(value)} bytes", f"at most {self._record_bytes_max} bytes", "too_large"
        )
