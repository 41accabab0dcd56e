"""Plain JSON in the compiled loop: strings without escapes, exact numbers, flat objects.

Owns: where a value ends.
Never: guesses. What is not plain is `ODD`, and the general reader looks at it.
Source: RFC 8259. Every position is one past what was read; the text must be valid UTF-8.
"""

from __future__ import annotations

import numpy as np

from models.compiled import inlined
from models.kernel_parse import read_number
from models.plan import U1

ODD = -1
QUOTE, BACKSLASH, COMMA, COLON, MINUS = 34, 92, 44, 58, 45
OPEN, CLOSE = 123, 125
ZERO, NINE = 48, 57
SPACE, TAB, LINE, RETURN = 32, 9, 10, 13
_WORDS = ("true", "false", "null")
WORDS = np.array([list(word.encode().ljust(5)) for word in _WORDS], np.uint8)
WORD_LENGTHS = np.array([len(word) for word in _WORDS], np.int64)
NULL = 2
UNIT = np.uint64(1)


@inlined
def skip_space(text: U1, at: int, stop: int) -> int:
    """The next position that is not white space, or `stop`."""
    while at < stop:
        letter = text[at]
        if letter not in (SPACE, LINE, TAB, RETURN):
            break
        at += 1
    return at


@inlined
def string_end(text: U1, at: int, stop: int) -> int:
    """The position of the closing quote of a string whose first letter is at `at`, or ODD."""
    place, end = np.uint64(at), np.uint64(stop)  # Unsigned: an index that cannot be negative.
    while place < end:
        letter = text[place]
        if letter == QUOTE:
            return int(np.int64(place))
        if letter == BACKSLASH or letter < SPACE:
            return ODD
        place += UNIT
    return ODD


@inlined
def word_end(text: U1, at: int, stop: int, word: int) -> int:
    """The end of `true`, `false` or `null`, or ODD where it does not stand there."""
    length = WORD_LENGTHS[word]
    if at + length > stop:
        return ODD
    for index in range(length):
        if text[at + index] != WORDS[word, index]:
            return ODD
    return int(at + length)


@inlined
def scalar_end(text: U1, at: int, stop: int) -> int:
    """The end of a plain string, number or word, or ODD for everything else."""
    if at >= stop:
        return ODD
    letter = text[at]
    if letter == QUOTE:
        end = string_end(text, at + 1, stop)
        return ODD if end == ODD else end + 1
    if letter == MINUS or ZERO <= letter <= NINE:
        end, _, exact = read_number(text, at, stop)
        return end if exact else ODD
    for word in range(WORD_LENGTHS.shape[0]):
        end = word_end(text, at, stop, word)
        if end != ODD:
            return end
    return ODD


@inlined
def key_end(text: U1, at: int, stop: int) -> int:
    """The position of the quote that closes a key opening at `at`, or ODD."""
    if at >= stop or text[at] != QUOTE:
        return ODD
    return string_end(text, at + 1, stop)


@inlined
def value_start(text: U1, at: int, stop: int) -> int:
    """Where the value begins whose key was closed at `at`, or ODD."""
    at = skip_space(text, at + 1, stop)
    if at >= stop or text[at] != COLON:
        return ODD
    return skip_space(text, at + 1, stop)


@inlined
def next_key(text: U1, at: int, stop: int) -> int:
    """Behind a value: where the next key opens, `-2 - position` of a closing brace, or ODD."""
    at = skip_space(text, at, stop)
    if at >= stop:
        return ODD
    if text[at] == CLOSE:
        return -2 - at
    if text[at] != COMMA:
        return ODD
    return skip_space(text, at + 1, stop)


@inlined
def flat_object_end(text: U1, at: int, stop: int, members_max: int) -> int:
    """The end of an object of plain values that opens at `at`, or ODD."""
    at = skip_space(text, at + 1, stop)
    if at < stop and text[at] == CLOSE:
        return at + 1
    for _ in range(members_max):
        closing = key_end(text, at, stop)
        if closing == ODD:
            return ODD
        at = value_start(text, closing, stop)
        if at == ODD:
            return ODD
        at = scalar_end(text, at, stop)
        if at == ODD:
            return ODD
        at = next_key(text, at, stop)
        if at < ODD:
            return -2 - at + 1
        if at == ODD:
            return ODD
    return ODD
