"""Rows read in the compiled loop, in the form in which they are written here.

Owns: which bytes are a row of a campaign, and the numbers in it.
Never: guesses: a row in any other form is left to the general decoder.
Source: models.kernel_row_text writes what is read here.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from models.compiled import compiled, inlined
from models.kernel_parse import (
    expect,
    find_name,
    read_hex,
    read_integer,
    read_number,
    read_time,
    same_bytes,
    skip_escaped,
    skip_plain,
)
from models.kernel_row_text import (
    AS_OF,
    CLOSED_AT,
    CLOSED_INDEX,
    CLOSED_OFFSET,
    CUSTOMER,
    END,
    EVENT_ID,
    EXPERTS,
    FEATURES,
    LABEL,
    OFFSET,
    PARTITION,
    SERVED,
    STATUS,
    VERSION,
    WEIGHT,
)
from models.plan import U1
from models.state import F8, I4, I8, U8
from schemas.example import INDEX_MAX, LABEL_MAX, OFFSET_MAX, PARTITION_MAX, WEIGHT_MAX
from schemas.times import TIME_MAX_MS, TIME_MIN_MS

READ_LABEL, READ_WEIGHT, READ_SERVED, READ_EXPERTS = range(4)  # Experts are the last.

_QUOTE, _COMMA, _COLON, _CLOSE, _N = (ord(sign) for sign in '",:}n')


class RowForm(NamedTuple):
    """The fixed text of one campaign's rows."""

    segments: U1
    segment_spans: I8  # [segment, 2]
    words: U1  # the statuses, then `null`
    word_spans: I8
    experts: U1
    expert_spans: I8  # [expert, 2] `"name":` of each that the campaign has


class KnownNames(NamedTuple):
    """Names of features as they stand in JSON, and what a learner makes of each."""

    text: U1
    spans: I8  # [name, 2]
    slots: I8  # open addressing by the bytes of a name; 0 is empty
    places: I4  # [name] the feature's place, or -1: the learner has no room for it
    marks: I8  # [name] the last row that had it
    follows: I4  # [1 + name] the name that came next the last time: only a guess
    row_mark: I8  # [1]


class ReadRows(NamedTuple):
    """Room for rows as they were read."""

    customer: U8
    as_of_ms: I8
    closed_ms: I8
    partition: I8
    closed_offset: I8
    closed_index: I8
    status: I8
    numbers: F8  # [row, 3 + experts] nan where it is unknown what an expert said
    number_spans: I8  # [row, 3 + experts, 2] the text of a number that was not read, else empty
    entry_stops: I8  # [row] where the row's entries stop in the next two
    entry_places: I4
    entry_values: F8
    refused: I8  # [row] names without room


@inlined
def _name_at(text: U1, at: int, stop: int, names: KnownNames, before: int) -> tuple[int, int]:
    """The end of the name that begins at `at`, and its number or -1."""
    guess = names.follows[before + 1]
    if guess >= 0:
        start = names.spans[guess, 0]
        length = names.spans[guess, 1] - start
        end = at + length
        if end < stop and same_bytes(text, at, names.text, start, length) and text[end] == _QUOTE:
            return end, int(guess)
    end = skip_escaped(text, at, stop)
    if end < 0:
        return -1, -1
    name = find_name(text, at, end, names.text, names.spans, names.slots)
    names.follows[before + 1] = name
    return end, name


@inlined
def _read_features(text: U1, at: int, stop: int, names: KnownNames, out: ReadRows, row: int) -> int:
    """Read an object of known names and exact numbers, up to its closing brace."""
    entry = out.entry_stops[row - 1] if row > 0 else 0
    names.row_mark[0] += 1
    out.refused[row] = 0
    before = -1
    more = 0 <= at < stop and text[at] != _CLOSE
    while more:
        if at + 1 >= stop or text[at] != _QUOTE:
            return -1
        at, name = _name_at(text, at + 1, stop, names, before)
        if name < 0 or at + 1 >= stop or text[at + 1] != _COLON:
            return -1
        if names.marks[name] == names.row_mark[0]:
            return -1  # Twice in one row: the general decoder knows which one counts.
        names.marks[name] = names.row_mark[0]
        at, value, exact = read_number(text, at + 2, stop)
        if at < 0 or at >= stop or not exact:
            return -1
        if names.places[name] >= 0:
            out.entry_places[entry] = names.places[name]
            out.entry_values[entry] = value
            entry += 1
        else:
            out.refused[row] += 1
        before = name
        more = text[at] == _COMMA
        if more:
            at += 1
    out.entry_stops[row] = entry
    return at


@inlined
def _segment(text: U1, at: int, stop: int, form: RowForm, segment: int) -> int:
    span = form.segment_spans[segment]
    return int(expect(text, at, stop, form.segments, span[0], span[1]))


@inlined
def _read_named(text: U1, at: int, stop: int, out: ReadRows, row: int, number: int) -> int:
    end, value, exact = read_number(text, at, stop)
    out.numbers[row, number] = value
    out.number_spans[row, number, 0] = 0 if exact else at
    out.number_spans[row, number, 1] = 0 if exact else end
    return int(end)


@inlined
def _read_experts(text: U1, at: int, stop: int, form: RowForm, out: ReadRows, row: int) -> int:
    """Read what each expert said, or nothing."""
    experts = form.expert_spans.shape[0]
    if at >= 0 and at < stop and text[at] == _CLOSE:
        for expert in range(experts):
            out.numbers[row, READ_EXPERTS + expert] = math.nan
            out.number_spans[row, READ_EXPERTS + expert] = 0
        return at
    for expert in range(experts):
        if expert > 0:
            if at < 0 or at >= stop or text[at] != _COMMA:
                return -1
            at += 1
        span = form.expert_spans[expert]
        at = expect(text, at, stop, form.experts, span[0], span[1])
        at = _read_named(text, at, stop, out, row, READ_EXPERTS + expert)
    return at


@inlined
def _read_event_id(text: U1, at: int, stop: int, form: RowForm) -> int:
    """Read a plain text, or null, which has the last place among the words."""
    if at < 0 or at >= stop:
        return -1
    if text[at] == _N:
        span = form.word_spans[form.word_spans.shape[0] - 1]
        return int(expect(text, at, stop, form.words, span[0], span[1]))
    if text[at] != _QUOTE:
        return -1
    end = skip_plain(text, at + 1, stop)
    return end + 1 if end >= 0 else -1


@inlined
def _read_status(text: U1, at: int, stop: int, form: RowForm, out: ReadRows, row: int) -> int:
    end = skip_plain(text, at, stop)
    for status in range(form.word_spans.shape[0] - 1):
        start, length = form.word_spans[status, 0], form.word_spans[status, 1]
        length -= start
        if end - at == length and same_bytes(text, at, form.words, start, length):
            out.status[row] = status
            return int(end)
    return -1


@inlined
def _is_within_bounds(out: ReadRows, row: int, source_offset: int) -> bool:
    """Whether a row's time and positions can be ours; if not, the trainer says what is wrong."""
    return bool(
        TIME_MIN_MS <= out.closed_ms[row] <= TIME_MAX_MS
        and source_offset <= out.closed_offset[row] <= OFFSET_MAX
        and out.partition[row] <= PARTITION_MAX
        and out.closed_index[row] <= INDEX_MAX
    )


@inlined
def _read_row(
    text: U1, at: int, stop: int, form: RowForm, names: KnownNames, out: ReadRows, row: int
) -> bool:
    """Whether the bytes are a row in the usual form; its numbers are in `out` then."""
    at = _segment(text, at, stop, form, CUSTOMER)
    at = read_hex(text, at, stop, out.customer, row)
    at = _segment(text, at, stop, form, EVENT_ID)
    at = _read_event_id(text, at, stop, form)
    at = _segment(text, at, stop, form, AS_OF)
    at, out.as_of_ms[row] = read_time(text, at, stop)
    at = _segment(text, at, stop, form, CLOSED_AT)
    at, out.closed_ms[row] = read_time(text, at, stop)
    at = _segment(text, at, stop, form, PARTITION)
    at, out.partition[row] = read_integer(text, at, stop)
    at = _segment(text, at, stop, form, OFFSET)
    at, source_offset = read_integer(text, at, stop)
    at = _segment(text, at, stop, form, CLOSED_OFFSET)
    at, out.closed_offset[row] = read_integer(text, at, stop)
    at = _segment(text, at, stop, form, CLOSED_INDEX)
    at, out.closed_index[row] = read_integer(text, at, stop)
    at = _segment(text, at, stop, form, LABEL)
    at = _read_named(text, at, stop, out, row, READ_LABEL)
    at = _segment(text, at, stop, form, WEIGHT)
    at = _read_named(text, at, stop, out, row, READ_WEIGHT)
    at = _segment(text, at, stop, form, FEATURES)
    if at < 0 or not _is_within_bounds(out, row, source_offset):
        return False
    at = _read_features(text, at, stop, names, out, row)
    at = _segment(text, at, stop, form, SERVED)
    at = _read_named(text, at, stop, out, row, READ_SERVED)
    at = _segment(text, at, stop, form, EXPERTS)
    at = _read_experts(text, at, stop, form, out, row)
    at = _segment(text, at, stop, form, VERSION)
    at, _ = read_integer(text, at, stop)
    at = _segment(text, at, stop, form, STATUS)
    if at < 0:
        return False
    at = _read_status(text, at, stop, form, out, row)
    return bool(_segment(text, at, stop, form, END) == stop)


@compiled
def read_rows(
    text: U1, edges: I8, first: int, form: RowForm, names: KnownNames, out: ReadRows
) -> int:
    """Read rows from `first` on; gives the first that is in another form, or how many there are."""
    for row in range(first, edges.shape[0] - 1):
        if not _read_row(text, edges[row], edges[row + 1], form, names, out, row):
            out.entry_stops[row] = out.entry_stops[row - 1] if row > 0 else 0
            return row
    return int(edges.shape[0] - 1)


@compiled
def learnable_until(numbers: F8, first: int, stop: int) -> int:
    """Give the first row whose label or weight is beyond the bounds of a row, or `stop`."""
    for row in range(first, stop):
        label, weight = numbers[row, READ_LABEL], numbers[row, READ_WEIGHT]
        if not (abs(label) <= LABEL_MAX and 0.0 < weight <= WEIGHT_MAX):
            return row
    return stop
