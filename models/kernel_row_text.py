"""Rows as text in the compiled loop: closed examples written as JSON.

Owns: the order of a row's fields, and their bytes.
Never: decides whether or when an example closes.
Source: schemas.example is the shape; models.row_text holds the pieces between the numbers.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.compiled import compiled, inlined
from models.kernel_text import (
    copy_span,
    write_decimal,
    write_hex,
    write_integer,
    write_time,
)
from models.model_number import LEARNER_SHIFT, VERSION_MASK
from models.plan import U1
from models.state import I2, I4, I8, U8, Examples
from schemas.campaign import LEARNERS

# The pieces of a row: each is named for what follows it.
CUSTOMER, EVENT_ID, AS_OF, CLOSED_AT, PARTITION, OFFSET, CLOSED_OFFSET, CLOSED_INDEX = range(8)
LABEL, WEIGHT, FEATURES, SERVED, EXPERTS, VERSION, STATUS, END = range(8, 16)
SEGMENTS: Final = 16
LEARNER_COUNT: Final = len(LEARNERS)

FEATURE_PLACES: Final = 5  # Features are whole numbers of steps of 1e-5.
NUMBER_PLACES: Final = 12
LABEL_NUMBER, WEIGHT_NUMBER, SERVED_NUMBER, EXPERT_NUMBERS = range(4)  # Experts are the last.

_QUOTE, _BACKSLASH, _COMMA, _COLON, _ONE = (ord(sign) for sign in '"\\,:1')
_NULL = "null"
_CROSS = 0xC3, 0x97  # `×` in UTF-8, between the texts of two categories.


class RowTexts(NamedTuple):
    """What rows are written with besides numbers: blobs of bytes, and spans into them."""

    segments: U1
    segment_spans: I8  # [campaign * SEGMENTS, 2]
    statuses: U1
    status_spans: I8  # [status, 2]
    experts: U1
    expert_spans: I8  # [expert, 2] `"name":` of each
    learners: U1
    learner_spans: I8  # [campaign * LEARNERS, 2] what stands before the version of each
    names: U1
    name_spans: I8  # [name, 2] each a column's `"name":`, or the beginning of a category's
    columns: I4  # [campaign, column] the number of the column's name
    categories: I4  # [campaign, category] the number of the category's name
    crossed: NDArray[np.int8]  # [campaign, category] whether a category is of two texts
    widths: I8  # [campaign] columns
    category_counts: I8  # [campaign]
    values: U1
    value_spans: I8  # [code, 2] the escaped text of a category's value


class RowNumbers(NamedTuple):
    """n rows, in the order in which they are written."""

    places: I4
    campaign: I2
    customer: U8
    numbers: I8  # [n, 3 + experts] label, weight, served, experts in steps of 1e-12
    number_spans: I8  # [n, 3 + experts, 2] their text where that is not exact, else empty
    number_text: U1
    heard: NDArray[np.bool_]  # [n, experts] of whom it is known what they said
    event_ids: U1  # a JSON array of all ids, null for a timer
    partition: int  # of the events


@inlined
def _write_segment(buffer: U1, at: int, texts: RowTexts, campaign: int, segment: int) -> int:
    span = texts.segment_spans[campaign * SEGMENTS + segment]
    return int(copy_span(buffer, at, texts.segments, span[0], span[1]))


@inlined
def _write_number(buffer: U1, at: int, rows: RowNumbers, row: int, number: int) -> int:
    start, stop = rows.number_spans[row, number, 0], rows.number_spans[row, number, 1]
    if stop > start:
        return int(copy_span(buffer, at, rows.number_text, start, stop))
    return int(write_decimal(buffer, at, rows.numbers[row, number], NUMBER_PLACES))


@inlined
def _end_of_string(text: U1, at: int) -> int:
    """The position after the string of JSON that begins at `at`, or after the null."""
    if text[at] != _QUOTE:
        return at + len(_NULL)
    at += 1
    while text[at] != _QUOTE:
        at += 2 if text[at] == _BACKSLASH else 1
    return at + 1


@inlined
def _write_features(
    buffer: U1, at: int, examples: Examples, texts: RowTexts, place: int, campaign: int
) -> int:
    """Write the columns that are not 0, then the categories, each after a comma."""
    for column in range(texts.widths[campaign]):
        units = examples.units[place, column]
        if units != 0:
            span = texts.name_spans[texts.columns[campaign, column]]
            at = copy_span(buffer, at, texts.names, span[0], span[1])
            at = write_decimal(buffer, at, units, FEATURE_PLACES)
            buffer[at] = _COMMA
            at += 1
    for category in range(texts.category_counts[campaign]):
        first = examples.category_a[place, category]
        if first == 0:
            continue
        span = texts.name_spans[texts.categories[campaign, category]]
        at = copy_span(buffer, at, texts.names, span[0], span[1])
        span = texts.value_spans[first]
        at = copy_span(buffer, at, texts.values, span[0], span[1])
        if texts.crossed[campaign, category]:
            buffer[at], buffer[at + 1] = _CROSS
            span = texts.value_spans[examples.category_b[place, category]]
            at = copy_span(buffer, at + 2, texts.values, span[0], span[1])
        buffer[at] = _QUOTE
        buffer[at + 1] = _COLON
        buffer[at + 2] = _ONE
        buffer[at + 3] = _COMMA
        at += 4
    return at


@inlined
def _write_experts(buffer: U1, at: int, texts: RowTexts, rows: RowNumbers, row: int) -> int:
    begun = at
    for expert in range(rows.heard.shape[1]):
        if not rows.heard[row, expert]:
            continue
        if at > begun:
            buffer[at] = _COMMA
            at += 1
        span = texts.expert_spans[expert]
        at = copy_span(buffer, at, texts.experts, span[0], span[1])
        at = _write_number(buffer, at, rows, row, EXPERT_NUMBERS + expert)
    return at


@compiled
def write_rows(
    examples: Examples, texts: RowTexts, rows: RowNumbers, buffer: U1, stops: I8
) -> None:
    """Write rows one after the other; `stops` receives the end of each."""
    at = 0
    id_start = 1
    for row in range(rows.places.shape[0]):
        place, campaign = rows.places[row], rows.campaign[row]
        at = _write_segment(buffer, at, texts, campaign, CUSTOMER)
        at = write_hex(buffer, at, rows.customer, row)
        at = _write_segment(buffer, at, texts, campaign, EVENT_ID)
        id_stop = _end_of_string(rows.event_ids, id_start)
        at = copy_span(buffer, at, rows.event_ids, id_start, id_stop)
        id_start = id_stop + 1
        at = _write_segment(buffer, at, texts, campaign, AS_OF)
        at = write_time(buffer, at, examples.at_ms[place])
        at = _write_segment(buffer, at, texts, campaign, CLOSED_AT)
        at = write_time(buffer, at, examples.closed_ms[place])
        at = _write_segment(buffer, at, texts, campaign, PARTITION)
        at = write_integer(buffer, at, rows.partition)
        at = _write_segment(buffer, at, texts, campaign, OFFSET)
        at = write_integer(buffer, at, examples.offset[place])
        at = _write_segment(buffer, at, texts, campaign, CLOSED_OFFSET)
        at = write_integer(buffer, at, examples.closed_offset[place])
        at = _write_segment(buffer, at, texts, campaign, CLOSED_INDEX)
        at = write_integer(buffer, at, examples.closed_index[place])
        at = _write_segment(buffer, at, texts, campaign, LABEL)
        at = _write_number(buffer, at, rows, row, LABEL_NUMBER)
        at = _write_segment(buffer, at, texts, campaign, WEIGHT)
        at = _write_number(buffer, at, rows, row, WEIGHT_NUMBER)
        at = _write_segment(buffer, at, texts, campaign, FEATURES)
        after = _write_features(buffer, at, examples, texts, place, campaign)
        at = after - 1 if after > at else at  # No comma after the last.
        at = _write_segment(buffer, at, texts, campaign, SERVED)
        at = _write_number(buffer, at, rows, row, SERVED_NUMBER)
        at = _write_segment(buffer, at, texts, campaign, EXPERTS)
        at = _write_experts(buffer, at, texts, rows, row)
        number = examples.version[place]
        span = texts.learner_spans[campaign * LEARNER_COUNT + (number >> LEARNER_SHIFT)]
        at = copy_span(buffer, at, texts.learners, span[0], span[1])
        at = write_integer(buffer, at, number & VERSION_MASK)
        at = _write_segment(buffer, at, texts, campaign, STATUS)
        span = texts.status_spans[examples.status[place]]
        at = copy_span(buffer, at, texts.statuses, span[0], span[1])
        at = _write_segment(buffer, at, texts, campaign, END)
        stops[row] = at
