"""Bytes read by the compiled loop, beside what msgspec reads.

Owns: whatever the loop reads, it reads as msgspec does; the rest it refuses.
Never: knows the shape of a record.
Source: msgspec and `datetime` are the reference.
"""

from __future__ import annotations

from datetime import date

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models import kernel_parse as parse
from schemas.times import format_time, parse_time

NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.decimals(allow_nan=False, allow_infinity=False, places=5).map(str),
    st.integers(-(10**20), 10**20).map(str),
    st.text("0123456789.-+eE", max_size=24),
)


def array(text: str) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """A text as the loop sees it, with something after it."""
    return np.frombuffer(text.encode() + b',"', np.uint8)


@given(NUMBERS)
@example("-0")
@example("01")
@example("1.")
@example("9007199254740993")
@example("0.30000000000000004")
@example("123456789012345678.9")
def test_a_number_is_read_as_msgspec_reads_it(text: str) -> None:
    """What is taken for a number is one, and what is called exact is msgspec's float to the bit."""
    end, value, exact = parse.read_number(array(text), 0, len(text) + 2)
    if end == len(text):
        wanted = msgspec.json.decode(text, type=float)
        assert float(text) == wanted
        if exact:
            assert np.array(value).tobytes() == np.array(wanted).tobytes()
    elif text in {"0", "1", "0.5", "-1.25", "12345.67891"}:
        pytest.fail("a plain number was refused")


@given(st.integers(-(2**53), 2**53), st.sampled_from((0, 5, 12)))
def test_decimals_on_a_grid_are_exact(units: int, places: int) -> None:
    """Every decimal that rows hold is read at once, and is the nearest float."""
    text = f"{units // 10**places}.{units % 10**places:0{places}d}" if units >= 0 and places else ""
    text = text or str(units)
    end, value, exact = parse.read_number(array(text), 0, len(text) + 2)
    assert (end, exact, value) == (len(text), True, msgspec.json.decode(text, type=float))


@given(st.datetimes())
def test_a_time_is_read_as_all_records_write_it(moment: object) -> None:
    """The one form of a time that records hold, on every day of the calendar."""
    text = f"{str(moment)[:10]}T12:34:56.789Z"
    wanted = parse_time(text)
    assert parse.read_time(array(text), 0, len(text) + 2) == (len(text), wanted)
    assert format_time(wanted) == text


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-29T00:00:00.000Z", "2026-13-01T00:00:00.000Z", "2026-01-01T24:00:00.000Z",
        "2026-01-01T00:60:00.000Z", "2026-01-01T00:00:60.000Z", "0000-01-01T00:00:00.000Z",
        "2026-01-01T00:00:00.00Z ", "2026-01-01 00:00:00.000Z", "2026-01-0aT00:00:00.000Z",
        "2026-01-01T00:00:00.00",
    ],
)  # fmt: skip
def test_other_times_are_refused(text: str) -> None:
    """What is no time, or is written differently, is left to the general decoder."""
    assert parse.read_time(array(text), 0, len(text))[0] == -1


def test_days_are_those_of_the_calendar() -> None:
    """Days from a date, beside `datetime`."""
    for ordinal in range(1, 800_000, 61):
        day = date.fromordinal(ordinal)
        since = ordinal - date(1970, 1, 1).toordinal()
        assert parse.days_from_civil(day.year, day.month, day.day) == since


@given(st.text("0123456789abcdefAg", min_size=14, max_size=18))
@example("0123456789abcdef")
def test_digests_are_sixteen_lower_case_digits(text: str) -> None:
    """A digest is read, or refused if it is anything else."""
    numbers = np.zeros(1, np.uint64)
    end = parse.read_hex(array(text), 0, len(text), numbers, 0)
    if len(text) >= 16 and set(text[:16]) <= set("0123456789abcdef"):
        assert (end, int(numbers[0])) == (16, int(text[:16], 16))
    else:
        assert end == -1


@given(st.lists(st.text(max_size=12), unique=True, max_size=60), st.text(max_size=12))
def test_names_are_found_by_their_bytes(names: list[str], other: str) -> None:
    """Every name that was entered is found under its number, and no other is."""
    pieces = [name.encode() for name in names]
    stops = np.cumsum([0, *map(len, pieces)])
    text = np.frombuffer(b"".join(pieces) + b"-", np.uint8)
    spans = np.stack([stops[:-1], stops[1:]], axis=1).astype(np.int64)
    slots = np.zeros(128, np.int64)
    for number in range(len(names)):
        parse.enter_name(text, spans, slots, number)
    for wanted in [*names, other]:
        asked = np.frombuffer(wanted.encode() + b"-", np.uint8)
        found = parse.find_name(asked, 0, len(asked) - 1, text, spans, slots)
        assert found == (names.index(wanted) if wanted in names else -1)
