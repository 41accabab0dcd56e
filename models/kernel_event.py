"""Events from their bytes in the compiled loop: the records that hold nothing unusual.

Owns: the envelope of a plain record in our own form, and its identities.
Never: refuses a record. One that is not plain is `ODD`, and the general reader judges it.
Source: docs/contract.md, "Event".
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.compiled import compiled, inlined
from models.kernel_hash import hash_of
from models.kernel_json import (
    NULL,
    ODD,
    OPEN,
    QUOTE,
    ZERO,
    flat_object_end,
    key_end,
    next_key,
    scalar_end,
    skip_space,
    string_end,
    value_start,
    word_end,
)
from models.kernel_parse import (
    digits_until,
    read_integer,
    read_number,
    second_of,
    two_digits,
)
from models.plan import F8, I1, I4, I8, U1, U8
from schemas.event import CUSTOMER_ID_CHARACTERS_MAX, EVENT_ID_CHARACTERS_MAX, TYPE_CHARACTERS_MAX
from schemas.event_values import PROPERTIES_MAX
from schemas.times import TIME_MAX_MS, TIME_MIN_MS

FIELDS = ("customer_id", "type", "occurred_at", "event_id", "value", "properties")
CUSTOMER, TYPE, TIME, EVENT, VALUE, PROPERTIES, UNKNOWN = 0, 1, 2, 3, 4, 5, 6
REQUIRED = 0b111
FIELD_TEXTS = np.array([list(name.encode().ljust(11)) for name in FIELDS], np.uint8)
FIELD_LENGTHS = np.array([len(name) for name in FIELDS], np.int64)
TIME_LENGTH_MIN = 20  # 2026-11-23T10:15:30Z
DASH, LETTER_N, LETTER_Z, PLUS, POINT, COLON, DOLLAR = 45, 110, 90, 43, 46, 58, 36


class Wire(NamedTuple):
    """n records of a batch, joined, and what the compiled reader found in them."""

    text: U1
    starts: I8  # [n + 1] of the records in the text
    keys: U1
    key_starts: I8  # [n + 1]
    stamps_ms: I8  # of the log, -1 where there is none
    plain: I1  # 1 where the record was read
    customer: I8  # [n, 2] spans of the text
    event: I8  # [n, 2] 0, 0 where the sender gave no id
    properties: I8  # [n, 2] 0, 0 where there are none
    kind: I4  # position among the types that the plan knows, or -1
    at_ms: I8
    value: F8  # nan is absent
    customer_hash: U8  # [n, 2]
    score_hash: U8  # [n, 2] of the customer and the event's id


class Kinds(NamedTuple):
    """The event types that a plan knows."""

    text: U1
    starts: I8  # [types + 1]


@inlined
def field_of(text: U1, start: int, stop: int) -> int:
    """Which of our fields a key names, or UNKNOWN."""
    for field in range(FIELD_LENGTHS.shape[0]):
        if FIELD_LENGTHS[field] != stop - start:
            continue
        same = True
        for index in range(stop - start):
            same &= text[start + index] == FIELD_TEXTS[field, index]
        if same:
            return field
    return UNKNOWN


@inlined
def kind_of(kinds: Kinds, text: U1, start: int, stop: int) -> int:
    """The position of an event type among those that the plan knows, or -1."""
    for kind in range(kinds.starts.shape[0] - 1):
        first = kinds.starts[kind]
        if kinds.starts[kind + 1] - first != stop - start:
            continue
        same = True
        for index in range(stop - start):
            same &= text[start + index] == kinds.text[first + index]
        if same:
            return kind
    return -1


@inlined
def time_of(text: U1, at: int, stop: int) -> int:
    """Milliseconds since the epoch of an RFC 3339 time that fills `text[at:stop]`, or ODD."""
    if stop - at < TIME_LENGTH_MIN:
        return ODD
    time_ms = second_of(text, at)
    at += 19
    if time_ms == ODD:
        return ODD
    if text[at] == POINT:
        first = at + 1
        at = digits_until(text, first, stop)
        if not first < at <= first + 6 or at == stop:
            return ODD
        for index in range(3):
            digit = int(text[first + index]) - ZERO if first + index < at else 0
            time_ms += digit * (100 if index == 0 else 10 if index == 1 else 1)
    if text[at] == LETTER_Z:
        return time_ms if at + 1 == stop else ODD
    if (text[at] != PLUS and text[at] != DASH) or at + 6 != stop or text[at + 3] != COLON:
        return ODD
    hours, minutes = two_digits(text, at + 1), two_digits(text, at + 4)
    if not 0 <= hours <= 23 or not 0 <= minutes <= 59:
        return ODD
    offset_ms = (hours * 60 + minutes) * 60_000
    return int(time_ms - offset_ms if text[at] == PLUS else time_ms + offset_ms)


@compiled
def read_time(wire: Wire, row: int, at: int, stop: int) -> int:
    """Take `occurred_at` and give its end, or ODD."""
    if wire.text[at] == QUOTE:
        end = string_end(wire.text, at + 1, stop)
        if end == ODD:
            return ODD
        time_ms = time_of(wire.text, at + 1, end)
        end += 1
    else:
        end, time_ms = read_integer(wire.text, at, stop)
        if end == ODD:
            return ODD
    if time_ms < TIME_MIN_MS or time_ms > TIME_MAX_MS:
        return ODD
    wire.at_ms[row] = time_ms
    return end


@inlined
def read_text(wire: Wire, spans: I8, row: int, at: int, stop: int, bytes_max: int) -> int:
    """Take a text of 1 to `bytes_max` bytes and give its end, or ODD."""
    if wire.text[at] != QUOTE:
        return ODD
    end = string_end(wire.text, at + 1, stop)
    if end == ODD or end == at + 1 or end - at - 1 > bytes_max:
        return ODD
    spans[row, 0] = at + 1
    spans[row, 1] = end
    return end + 1


@inlined
def read_value(wire: Wire, row: int, at: int, stop: int, value_max: float) -> int:
    """Take `value` and give its end, or ODD."""
    if wire.text[at] == LETTER_N:
        return word_end(wire.text, at, stop, NULL)
    end, value, exact = read_number(wire.text, at, stop)
    if not exact or abs(value) > value_max:
        return ODD
    wire.value[row] = value
    return end


@inlined
def read_field(
    wire: Wire, kinds: Kinds, row: int, field: int, at: int, stop: int, value_max: float
) -> int:
    """Take the value of one field and give its end, or ODD."""
    if field == CUSTOMER:
        return read_text(wire, wire.customer, row, at, stop, CUSTOMER_ID_CHARACTERS_MAX)
    if field == EVENT:
        if wire.text[at] != QUOTE:
            return word_end(wire.text, at, stop, NULL)
        return read_text(wire, wire.event, row, at, stop, EVENT_ID_CHARACTERS_MAX)
    if field == TIME:
        return read_time(wire, row, at, stop)
    if field == VALUE:
        return read_value(wire, row, at, stop, value_max)
    if field == TYPE:
        end = scalar_end(wire.text, at, stop)
        length = end - at - 2
        if wire.text[at] != QUOTE or end == ODD or not 1 <= length <= TYPE_CHARACTERS_MAX:
            return ODD
        if wire.text[at + 1] == DOLLAR:  # What is ours is read by nobody but the general reader.
            return ODD
        wire.kind[row] = kind_of(kinds, wire.text, at + 1, end - 1)
        return end
    if field == PROPERTIES and wire.text[at] == OPEN:
        end = flat_object_end(wire.text, at, stop, PROPERTIES_MAX)
        wire.properties[row, 0] = at
        wire.properties[row, 1] = end
        return end
    if field == PROPERTIES:
        return word_end(wire.text, at, stop, NULL)
    return scalar_end(wire.text, at, stop)


@inlined
def read_record(wire: Wire, kinds: Kinds, row: int, value_max: float) -> bool:
    """Read the envelope of one record; False where it is not plain."""
    text, stop = wire.text, wire.starts[row + 1]
    at = skip_space(text, wire.starts[row], stop)
    if at >= stop or text[at] != OPEN:
        return False
    at = skip_space(text, at + 1, stop)
    found = 0
    while True:
        closing = key_end(text, at, stop)
        if closing == ODD:
            return False
        field = field_of(text, at + 1, closing)
        at = value_start(text, closing, stop)
        if at == ODD or at >= stop or (found >> field) & 1:
            return False
        found |= (1 << field) if field < UNKNOWN else 0
        at = read_field(wire, kinds, row, field, at, stop, value_max)
        if at == ODD:
            return False
        at = next_key(text, at, stop)
        if at == ODD:
            return False
        if at < ODD:
            break
    at = -2 - at + 1
    return bool(skip_space(text, at, stop) == stop and found & REQUIRED == REQUIRED)


@inlined
def has_key(wire: Wire, row: int) -> bool:
    """Whether the message's key is the customer."""
    start, stop = wire.customer[row, 0], wire.customer[row, 1]
    first = wire.key_starts[row]
    if wire.key_starts[row + 1] - first != stop - start:
        return False
    for index in range(stop - start):
        if wire.keys[first + index] != wire.text[start + index]:
            return False
    return True


@compiled
def read_events(
    wire: Wire, kinds: Kinds, value_max: float, future_max_ms: int, bytes_max: int, strict: bool
) -> int:
    """Read the plain records whose `plain` is 1 and clear it for the others; give their number."""
    zero = np.uint64(0)
    count = 0
    for row in range(wire.plain.shape[0]):
        if wire.plain[row] == 0:
            continue
        wire.plain[row] = 0
        if wire.starts[row + 1] - wire.starts[row] > bytes_max:
            continue
        if not read_record(wire, kinds, row, value_max) or (strict and not has_key(wire, row)):
            continue
        stamp_ms = wire.stamps_ms[row]
        if 0 <= stamp_ms < wire.at_ms[row] - future_max_ms:
            continue
        start, stop = wire.customer[row, 0], wire.customer[row, 1]
        first, second = hash_of(wire.text, start, stop, zero, zero)
        wire.customer_hash[row, 0], wire.customer_hash[row, 1] = first, second
        start, stop = wire.event[row, 0], wire.event[row, 1]
        if stop > start:
            first, second = hash_of(wire.text, start, stop, first, second)
            wire.score_hash[row, 0], wire.score_hash[row, 1] = first, second
        wire.plain[row] = 1
        count += 1
    return count
