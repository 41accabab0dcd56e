"""Records read in the compiled loop: from bytes to numbers.

Owns: the plain forms of integers, decimals, times and texts in JSON; anything else is refused.
Never: guesses; what is refused here is read by the general decoder.
Source: RFC 8259 (numbers, texts), RFC 3339 (times); the calendar is Howard Hinnant's
    `days_from_civil` (https://howardhinnant.github.io/date_algorithms.html#days_from_civil).

Every function takes the text, the position at which it begins and the one at which the record
stops, and gives the position after what it read, or -1; it passes a -1 on.
"""

from __future__ import annotations

import numpy as np

from models.compiled import compiled, inlined
from models.kernel_grid import DIGITS_MAX, POWERS
from models.kernel_text import HEX_LENGTH, TIME_LENGTH
from models.plan import I8, U1, U8

NUMBER_LENGTH_MAX = 40
MANTISSA_MAX = 2**53  # Up to here a float64 holds every whole number.

_ZERO, _NINE, _MINUS, _PLUS, _POINT, _COLON, _T, _Z = (ord(sign) for sign in "09-+.:TZ")
_QUOTE, _BACKSLASH, _SPACE, _DELETE = ord('"'), ord("\\"), ord(" "), 0x7F
_LETTER_A, _LETTER_F, _EXPONENT, _EXPONENT_UPPER = (ord(letter) for letter in "afeE")
_DAYS_TO_EPOCH = 719_468
_ONE = np.uint64(1)


@inlined
def same_bytes(text: U1, at: int, source: U1, start: int, length: int) -> bool:
    """Whether `length` bytes of both are the same."""
    place, other = np.uint64(at), np.uint64(start)
    for _ in range(length):
        if text[place] != source[other]:
            return False
        place += _ONE
        other += _ONE
    return True


@inlined
def expect(text: U1, at: int, stop: int, source: U1, start: int, end: int) -> int:
    """Read exactly the bytes `source[start:end]`."""
    length = end - start
    if at < 0 or at + length > stop or not same_bytes(text, at, source, start, length):
        return -1
    return at + length


@inlined
def digits_until(text: U1, at: int, stop: int) -> int:
    """The position of the first byte that is no digit."""
    place = at
    while place < stop and _ZERO <= text[place] <= _NINE:
        place += 1
    return place


@inlined
def number_of(text: U1, at: int, stop: int) -> int:
    """The number that up to 18 digits are."""
    number = 0
    for place in range(np.uint64(at), np.uint64(stop)):
        number = 10 * number + (int(text[place]) - _ZERO)
    return number


@inlined
def read_integer(text: U1, at: int, stop: int) -> tuple[int, int]:
    """Read an integer that is not negative, of up to 18 digits: position and number."""
    if at < 0:
        return -1, 0
    end = digits_until(text, at, stop)
    length = end - at
    if not 0 < length <= DIGITS_MAX or (length > 1 and text[at] == _ZERO):
        return -1, 0
    return end, number_of(text, at, end)


@inlined
def _after_exponent(text: U1, at: int, stop: int) -> int:
    """The end of an exponent of one or two digits that begins at its letter."""
    start = at + 1
    if start < stop and text[start] in (_PLUS, _MINUS):
        start += 1
    end = digits_until(text, start, stop)
    return end if 0 < end - start <= 2 else -1


@compiled
def read_number(text: U1, at: int, stop: int) -> tuple[int, float, bool]:
    """Read a number: position, value, and whether the value is exact.

    Where it is not (too many digits, an exponent), the text is a number all the same and its value
    has to be found in another way. The exact value is the nearest float64: both operands of the
    one division are whole numbers that a float64 holds.
    """
    if at < 0:
        return -1, 0.0, False
    begin = at + 1 if at < stop and text[at] == _MINUS else at
    end = digits_until(text, begin, stop)
    whole = end - begin
    if whole == 0 or (whole > 1 and text[begin] == _ZERO):
        return -1, 0.0, False
    mantissa = number_of(text, begin, end) if whole <= DIGITS_MAX else 0
    places = 0
    if end < stop and text[end] == _POINT:
        point = end
        end = digits_until(text, point + 1, stop)
        places = end - point - 1
        if places == 0:
            return -1, 0.0, False
        if whole + places <= DIGITS_MAX:
            for place in range(np.uint64(point + 1), np.uint64(end)):
                mantissa = 10 * mantissa + (int(text[place]) - _ZERO)
    exact = whole + places <= DIGITS_MAX and mantissa <= MANTISSA_MAX
    if end < stop and text[end] in (_EXPONENT, _EXPONENT_UPPER):
        exact = False
        end = _after_exponent(text, end, stop)
    if end < 0 or end - at > NUMBER_LENGTH_MAX or (begin > at and mantissa == 0):
        return -1, 0.0, False  # Decoders do not agree on the sign of a zero.
    if not exact:
        return end, 0.0, False
    value = mantissa / POWERS[places]
    return end, -value if begin > at else value, True


@inlined
def two_digits(text: U1, at: int) -> int:
    """The number of two bytes, or -1 if they are not both digits."""
    if digits_until(text, at, at + 2) != at + 2:
        return -1
    return 10 * (int(text[at]) - _ZERO) + int(text[at + 1]) - _ZERO


@compiled
def days_from_civil(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 to a date of the years after 0."""
    shifted = year - 1 if month <= 2 else year
    era = shifted // 400
    year_of_era = shifted - 400 * era
    shifted_month = month - 3 if month > 2 else month + 9
    day_of_year = (153 * shifted_month + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * 146_097 + day_of_era - _DAYS_TO_EPOCH


@inlined
def days_of_month(year: int, month: int) -> int:
    """How many days a month has."""
    if month == 2:
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        return 29 if leap else 28
    return 30 if month in (4, 6, 9, 11) else 31


@inlined
def second_of(text: U1, at: int) -> int:
    """Milliseconds since the epoch of the 19 bytes `2026-11-23T10:15:30`, or -1."""
    for place, sign in ((4, _MINUS), (7, _MINUS), (10, _T), (13, _COLON), (16, _COLON)):
        if text[at + place] != sign:
            return -1
    century, year = two_digits(text, at), two_digits(text, at + 2)
    month, day = two_digits(text, at + 5), two_digits(text, at + 8)
    hour, minute = two_digits(text, at + 11), two_digits(text, at + 14)
    second = two_digits(text, at + 17)
    if min(century, year, month, day, hour, minute, second) < 0:
        return -1
    year += 100 * century
    if year == 0 or not 1 <= month <= 12 or not 1 <= day <= days_of_month(year, month):
        return -1
    if hour > 23 or minute > 59 or second > 59:
        return -1
    return ((days_from_civil(year, month, day) * 24 + hour) * 60 + minute) * 60_000 + second * 1000


@compiled
def read_time(text: U1, at: int, stop: int) -> tuple[int, int]:
    """Read `2026-11-23T10:15:30.123Z` and no other form: position and milliseconds."""
    if at < 0 or at + TIME_LENGTH > stop or text[at + 19] != _POINT or text[at + 23] != _Z:
        return -1, 0
    time_ms = second_of(text, at)
    if time_ms == -1 or digits_until(text, at + 20, at + 23) != at + 23:
        return -1, 0
    return at + TIME_LENGTH, time_ms + number_of(text, at + 20, at + 23)


@compiled
def read_hex(text: U1, at: int, stop: int, numbers: U8, index: int) -> int:
    """Read 16 lower-case hexadecimal digits into the uint64 at `index` of an array."""
    if at < 0 or at + HEX_LENGTH > stop:
        return -1
    number = np.uint64(0)
    for place in range(at, at + HEX_LENGTH):
        sign = int(text[place])
        if _ZERO <= sign <= _NINE:
            nibble = sign - _ZERO
        elif _LETTER_A <= sign <= _LETTER_F:
            nibble = sign - _LETTER_A + 10
        else:
            return -1
        number = (number << np.uint64(4)) | np.uint64(nibble)
    numbers[index] = number
    return at + HEX_LENGTH


@inlined
def skip_plain(text: U1, at: int, stop: int) -> int:
    """Skip the inside of a text of ASCII without escapes, up to its quote."""
    if at < 0:
        return -1
    place = at
    while place < stop and text[place] != _QUOTE:
        sign = text[place]
        if sign < _SPACE or sign == _BACKSLASH or sign >= _DELETE:
            return -1
        place += 1
    return place if place < stop else -1


@inlined
def skip_escaped(text: U1, at: int, stop: int) -> int:
    """Skip the inside of any text, up to its quote, without a look at what it says."""
    place = at
    while place < stop and text[place] != _QUOTE:
        place += 2 if text[place] == _BACKSLASH else 1
    return place if place < stop else -1


@inlined
def hash_bytes(text: U1, start: int, stop: int) -> int:
    """A hash of bytes, not negative (FNV-1a)."""
    number = np.uint64(14_695_981_039_346_656_037)
    for place in range(np.uint64(start), np.uint64(stop)):
        number = (number ^ np.uint64(text[place])) * np.uint64(1_099_511_628_211)
    return int(number >> np.uint64(20))


@compiled
def find_name(text: U1, start: int, stop: int, names: U1, spans: I8, slots: I8) -> int:
    """The number of the name that the bytes are, or -1; `slots` is an open-addressing table."""
    mask = slots.shape[0] - 1
    place = hash_bytes(text, start, stop) & mask
    while slots[place] != 0:
        name = slots[place] - 1
        first = spans[name, 0]
        length = spans[name, 1] - first
        if length == stop - start and same_bytes(text, start, names, first, length):
            return int(name)
        place = (place + 1) & mask
    return -1


@compiled
def enter_name(names: U1, spans: I8, slots: I8, name: int) -> None:
    """Enter a name by its number; it is not there yet, and more than half of the table is free."""
    mask = slots.shape[0] - 1
    place = hash_bytes(names, spans[name, 0], spans[name, 1]) & mask
    while slots[place] != 0:
        place = (place + 1) & mask
    slots[place] = name + 1
