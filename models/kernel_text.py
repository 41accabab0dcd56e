"""Records written in the compiled loop: bytes into a buffer, one after the other.

Owns: how integers, decimals, times and digests are written in JSON.
Never: checks for room; decides which fields a record has.
Source: RFC 8259 (numbers), RFC 3339 (times); the calendar is Howard Hinnant's `civil_from_days`
    (https://howardhinnant.github.io/date_algorithms.html#civil_from_days).

Every function takes the buffer and the position at which it begins, and gives the one at which the
next begins; behind a number, up to WORD_BYTES may be overwritten. Inner loops count in unsigned
integers: a signed index is compared with zero each time, which keeps the compiler from copying many
bytes at once.
"""

from __future__ import annotations

import numpy as np

from models.compiled import compiled, inlined
from models.kernel_copy import write_word
from models.plan import U1, U8

DIGITS_MAX = 20  # Bytes of the longest integer, sign included.
DECIMAL_MAX = 22  # Bytes of the longest decimal: a sign and a point more than its digits.
WORD_BYTES = 8  # Room that must be behind a number.
TENS = np.array([10**places for places in range(20)], np.uint64)
TIME_LENGTH = 24
HEX_LENGTH = 16

_ZERO = ord("0")
_TWO_WORDS, _ONE_WORD = np.uint64(10**16), np.uint64(10**8)
_TEN_THOUSAND, _HUNDRED, _TEN = np.uint64(10_000), np.uint64(100), np.uint64(10)
_LETTER = ord("a") - 10
_MINUS, _POINT, _COLON, _T, _Z = (ord(sign) for sign in "-.:TZ")
_DAYS_OF_ERA = 146_097  # Of 400 years; the calendar repeats after them.
_DAYS_TO_EPOCH = 719_468  # From March 1 of the year 0.
_DAY_MS = 86_400_000


@compiled
def copy_span(buffer: U1, at: int, source: U1, start: int, stop: int) -> int:
    """Copy `source[start:stop]`."""
    first, target = np.uint64(start), np.uint64(at)
    for place in range(np.uint64(stop - start)):
        buffer[target + place] = source[first + place]
    return at + stop - start


@inlined
def digits_of(number: int | np.uint64) -> int:
    """How many digits a number has that is not negative."""
    left, count = np.uint64(number), 1
    while left >= _TEN:
        left //= _TEN
        count += 1
    return count


@inlined
def word_of(number: np.uint64) -> np.uint64:
    """The eight digits of a number below 10**8 as eight bytes, the first the lowest.

    Halves, then quarters, then digits: each step divides all parts of a word at once, by a
    multiplication that is exact for so few digits and stays within its part.
    """
    high = number // _TEN_THOUSAND
    halves = high | ((number - _TEN_THOUSAND * high) << np.uint64(32))
    hundreds = ((halves * np.uint64(10_486)) >> np.uint64(20)) & np.uint64(0x0000007F0000007F)
    quarters = hundreds | ((halves - _HUNDRED * hundreds) << np.uint64(16))
    tens = ((quarters * np.uint64(103)) >> np.uint64(10)) & np.uint64(0x000F000F000F000F)
    return (tens | ((quarters - _TEN * tens) << np.uint64(8))) + np.uint64(0x3030303030303030)


@inlined
def write_word_of(buffer: U1, at: int, number: np.uint64, count: int) -> None:
    """Write the `count` digits, at most eight, of a number."""
    write_word(buffer, at, word_of(number) >> np.uint64(8 * (WORD_BYTES - count)))


@inlined
def write_digits(buffer: U1, at: int, number: int | np.uint64, count: int) -> int:
    """Write the `count` digits of a number that is not negative, zeros in front."""
    left, end = np.uint64(number), at + count
    if count > 2 * WORD_BYTES:
        front = left // _TWO_WORDS
        left -= front * _TWO_WORDS
        write_word_of(buffer, at, front, count - 2 * WORD_BYTES)
        at = end - 2 * WORD_BYTES
    if count > WORD_BYTES:
        front = left // _ONE_WORD
        left -= front * _ONE_WORD
        write_word_of(buffer, at, front, end - WORD_BYTES - at)
        at = end - WORD_BYTES
    write_word_of(buffer, at, left, end - at)
    return end


@compiled
def write_integer(buffer: U1, at: int, number: int) -> int:
    """Write an integer above -2**63."""
    if number < 0:
        buffer[at] = _MINUS
        at += 1
        number = -number
    return int(write_digits(buffer, at, number, digits_of(number)))


@compiled
def write_decimal(buffer: U1, at: int, units: int, places: int) -> int:
    """Write `units` divided by 10 to the power of `places` (up to 18), without zeros at the end.

    A reader of float64 finds the float64 that is nearest to it: `units / 10.0**places`, as long as
    `units` is a whole number that a float64 holds, up to 2**53.
    """
    buffer[at] = _MINUS  # Stays where it is needed: a branch on signs would be guessed wrong.
    at += int(units < 0)
    left = np.uint64(abs(units))
    while places > 0:
        rest = left // _TEN
        if rest * _TEN != left:
            break
        left = rest
        places -= 1
    if places == 0:
        return int(write_digits(buffer, at, left, digits_of(left)))
    one, point = TENS[places], at + 1
    buffer[at] = _ZERO
    if left >= one:
        whole = left // one
        left -= whole * one
        point = at + digits_of(whole)
        write_digits(buffer, at, whole, point - at)
    buffer[point] = _POINT
    return int(write_digits(buffer, point + 1, left, places))


@compiled
def civil_from_days(days: int) -> tuple[int, int, int]:
    """Year, month and day of a number of days since 1970-01-01."""
    shifted = days + _DAYS_TO_EPOCH
    era = shifted // _DAYS_OF_ERA
    day_of_era = shifted - era * _DAYS_OF_ERA
    year_of_era = (
        day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096
    ) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * day_of_year + 2) // 153  # 0 is March.
    day = day_of_year - (153 * shifted_month + 2) // 5 + 1
    month = shifted_month + 3 if shifted_month < 10 else shifted_month - 9
    year = year_of_era + 400 * era
    return (year + 1 if month <= 2 else year), month, day


@compiled
def write_time(buffer: U1, at: int, time_ms: int) -> int:
    """Write a time of the years 0 to 9999 as RFC 3339 in UTC with milliseconds, without quotes."""
    days = time_ms // _DAY_MS
    rest_ms = time_ms - days * _DAY_MS
    year, month, day = civil_from_days(days)
    write_digits(buffer, at, year, 4)
    buffer[at + 4] = _MINUS
    write_digits(buffer, at + 5, month, 2)
    buffer[at + 7] = _MINUS
    write_digits(buffer, at + 8, day, 2)
    buffer[at + 10] = _T
    write_digits(buffer, at + 11, rest_ms // 3_600_000, 2)
    buffer[at + 13] = _COLON
    write_digits(buffer, at + 14, rest_ms // 60_000 % 60, 2)
    buffer[at + 16] = _COLON
    write_digits(buffer, at + 17, rest_ms // 1_000 % 60, 2)
    buffer[at + 19] = _POINT
    write_digits(buffer, at + 20, rest_ms % 1_000, 3)
    buffer[at + 23] = _Z
    return at + 24


@compiled
def write_hex(buffer: U1, at: int, numbers: U8, index: int) -> int:
    """Write the uint64 at `index` of an array as 16 lower-case hexadecimal digits."""
    number = numbers[index]
    for place in range(HEX_LENGTH):
        nibble = int(number >> np.uint64(60 - 4 * place)) & 15
        buffer[at + place] = nibble + (_ZERO if nibble < 10 else _LETTER)
    return at + HEX_LENGTH
