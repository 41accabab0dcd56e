"""Bytes written by the compiled loop, beside what Python writes.

Owns: the checks on integers, decimals, times and digests as text.
Never: knows the shape of a record.
Source: Python's own `str`, `datetime` and `Decimal` are the reference.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models import kernel_text as text
from models.compiled import compiled
from models.kernel_copy import COPY_BYTES, copy_wide
from models.plan import U1
from schemas.times import TIME_MAX_MS, TIME_MIN_MS, format_time

EXACT_MAX = 2**53


@compiled
def copied(buffer: U1, at: int, source: U1, start: int, stop: int) -> int:
    """A wide copy, called from Python."""
    return copy_wide(buffer, at, source, start, stop)


FILL = 255


def written(write: Callable[..., int], *arguments: object) -> str:
    """What is written from position 3 on; nothing before it or beyond the room may change."""
    buffer = np.full(64, FILL, np.uint8)
    stop = write(buffer, 3, *arguments)
    beyond = stop + text.WORD_BYTES
    assert set(buffer[:3].tolist()) | set(buffer[beyond:].tolist()) == {FILL}
    return bytes(buffer[3:stop]).decode("ascii")


@pytest.mark.parametrize("length", [0, 1, 31, 32, 33, 90])
def test_a_wide_copy_ends_where_its_text_does(length: int) -> None:
    """The text is copied whole, and nothing is written before it or beyond the room behind it."""
    source = np.arange(1, 201, dtype=np.uint8)
    buffer = np.full(200, FILL, np.uint8)
    stop = copied(buffer, 3, source, 7, 7 + length)
    assert stop == 3 + length
    assert buffer[3:stop].tolist() == source[7 : 7 + length].tolist()
    assert set(buffer[:3].tolist()) | set(buffer[stop + COPY_BYTES :].tolist()) == {FILL}


def test_a_span_is_copied_whole() -> None:
    """Only the bytes of the span are taken over, from the position on."""
    source = np.frombuffer(b"seven wonders", np.uint8)
    assert written(text.copy_span, source, 6, 13) == "wonders"
    assert written(text.copy_span, source, 6, 6) == ""


@given(st.integers(-(2**63) + 1, 2**63 - 1))
@example(0)
@example(-(2**63) + 1)
def test_integers_are_written_as_python_writes_them(number: int) -> None:
    """Every integer but the least reads as Python's own text of it."""
    found = written(text.write_integer, number)
    assert found == str(number)
    assert len(found) <= text.DIGITS_MAX


@given(st.integers(-(2**63) + 1, 2**63 - 1), st.integers(0, 12))
@example(0, 5)
@example(-1, 12)
@example(2**63 - 1, 12)
@example(1_000_000, 5)
def test_decimals_are_exact_and_short(units: int, places: int) -> None:
    """A decimal is the number itself, with no zero at its end and no exponent."""
    found = written(text.write_decimal, units, places)
    assert Decimal(found) == Decimal(units).scaleb(-places)
    assert found == format(Decimal(found), "f")
    assert "." not in found or not found.endswith(("0", "."))
    assert len(found) <= text.DECIMAL_MAX


@given(st.integers(-EXACT_MAX, EXACT_MAX), st.sampled_from((5, 12)))
@example(1, 5)
@example(99_999, 5)
def test_a_decimal_reads_as_the_nearest_float(units: int, places: int) -> None:
    """A reader of JSON finds the very float that division gives."""
    found = msgspec.json.decode(written(text.write_decimal, units, places), type=float)
    assert found == units / 10.0**places


def test_the_calendar_is_right_for_a_thousand_years() -> None:
    """Every day from 1600 to 2600 has the date that `datetime` gives it."""
    first = date(1600, 1, 1)
    for shift in range(366_000):
        day = first + timedelta(days=shift)
        days = day.toordinal() - date(1970, 1, 1).toordinal()
        assert text.civil_from_days(days) == (day.year, day.month, day.day)


@given(st.integers(TIME_MIN_MS, TIME_MAX_MS))
@example(TIME_MIN_MS)
@example(TIME_MAX_MS)
@example(1_709_164_800_000)  # A 29th of February.
def test_times_are_written_as_in_all_records(time_ms: int) -> None:
    """A time is the text that `format_time` gives."""
    found = written(text.write_time, time_ms)
    assert found == format_time(time_ms)
    assert len(found) == text.TIME_LENGTH


@pytest.mark.parametrize("number", [0, 1, 0x0123456789ABCDEF, 2**63, 2**64 - 1])
def test_digests_have_sixteen_digits(number: int) -> None:
    """A 64-bit digest is written with its leading zeros."""
    numbers = np.array([7, number], np.uint64)
    assert written(text.write_hex, numbers, 1) == f"{number:016x}"
