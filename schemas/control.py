"""Control facts: what the log says of a customer that the customer did not do.

Owns: the types that begin with `$`, what each asks for, and what refuses one.
Never: obeys one; models.control_facts does.
Source: docs/contract.md, "Control facts".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from schemas.errors import InvalidRecord, described
from schemas.event import WireEvent
from schemas.input_mapping import InputMapping
from schemas.times import TIME_MAX_MS, TIME_MIN_MS, parse_time

OURS: Final = "$"
SUPPRESS, UNSUPPRESS, CONSENT, FORGET = "$suppress", "$unsuppress", "$consent", "$forget"
CONTROL_TYPES: Final = (SUPPRESS, UNSUPPRESS, CONSENT, FORGET)
FOR_EVER_MS: Final = 1 << 62


class Control(NamedTuple):
    """A control fact.

    Attributes
    ----------
    type: one of `CONTROL_TYPES`.
    until_ms: of a suppression, the moment at which it is over.
    granted: of a consent, whether it was given.
    """

    type: str
    until_ms: int = FOR_EVER_MS
    granted: bool = True


def control_of(event: WireEvent) -> Control | None:
    """The control fact that a record is; None where a customer did something.

    Raises
    ------
    InvalidRecord: its type is none of those known, or it does not say what its type has to.
    """
    if not event.type.startswith(OURS):
        return None
    if event.type not in CONTROL_TYPES:
        expected = f"no {OURS} at the beginning, or one of {', '.join(CONTROL_TYPES)}"
        raise InvalidRecord("type", described(event.type), expected)
    given = event.properties
    if given is not None and not isinstance(given, Mapping):
        raise InvalidRecord("properties", described(given), "an object, or no such field")
    properties: Mapping[str, object] = given or {}
    if event.type == SUPPRESS:
        return Control(SUPPRESS, until_ms=_until_ms(properties.get("until")))
    if event.type == CONSENT:
        return Control(CONSENT, granted=_granted(properties.get("granted")))
    return Control(event.type)


def _until_ms(raw: object) -> int:
    """When a suppression is over, in milliseconds since the epoch."""
    if raw is None:
        return FOR_EVER_MS
    time_ms: object = raw
    if isinstance(raw, str):
        try:
            time_ms = parse_time(raw)
        except ValueError:
            time_ms = None
    whole = isinstance(time_ms, int) and not isinstance(time_ms, bool)
    if not (whole and TIME_MIN_MS <= time_ms <= TIME_MAX_MS):  # type: ignore[operator]
        expected = "a time between 2000 and 2100, as occurred_at has it, or no such property"
        raise InvalidRecord("properties.until", described(raw), expected, "impossible_time")
    assert isinstance(time_ms, int), "it was looked at"
    return time_ms


def _granted(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    if raw in {"true", "false"}:  # As tables of texts have it.
        return raw == "true"
    raise InvalidRecord("properties.granted", described(raw), "true or false", "wrong_type")


def encode_control(
    mapping: InputMapping | None, control_type: str, customer: str, at_ms: int
) -> bytes:
    """The record of a control fact, with its fields where a campaign file looks for them.

    Examples
    --------
    >>> encode_control(InputMapping(type="what.kind"), "$forget", "c1", 0)
    b'{"customer_id":"c1","what":{"kind":"$forget"},"occurred_at":0}'
    """
    where = mapping or InputMapping()
    fields = {
        where.customer_id: customer, where.type: control_type, where.occurred_at: at_ms,
    }  # fmt: skip
    record: dict[str, object] = {}
    for path, value in fields.items():
        *outer, last = path.split(".")
        place = record
        for part in outer:
            inner = place.setdefault(part, {})
            assert isinstance(inner, dict), "no field lies within another"
            place = inner
        place[last] = value
    return msgspec.json.encode(record)
