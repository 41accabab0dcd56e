"""What a redrive leaves: a count in the record that is sent again, and a marker behind its letter.

Owns: the header with the count, and the record that says which letters were sent again.
Never: decides what is sent again.
Source: the contract, "Dead letter".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from schemas.dead_letter import Headers

REDRIVEN_HEADER: Final = "__propensity.redriven"
MARKER_HEADER: Final = "__propensity.marker"
COUNT_DIGITS_MAX: Final = 9

# Exactly these: a letter has ours behind the sender's, so no sender can make it a marker.
MARKER_HEADERS: Final[Headers] = [(MARKER_HEADER, b"redriven")]


class Marker(msgspec.Struct, frozen=True):
    """The offsets of letters in the marker's own partition that were sent again."""

    redriven: list[int]


def encode_marker(offsets: Sequence[int]) -> bytes:
    """The value of a marker."""
    return msgspec.json.encode(Marker(list(offsets)))


def marked(value: bytes | None, headers: Headers) -> list[int] | None:
    """The offsets that a marker names, or None if the record is no marker.

    Examples
    --------
    >>> marked(encode_marker([3, 4]), MARKER_HEADERS), marked(b"{}", [])
    ([3, 4], None)
    """
    if headers != MARKER_HEADERS:
        return None
    try:
        return msgspec.json.decode(value or b"", type=Marker).redriven
    except msgspec.DecodeError:
        return None


def times_redriven(headers: Headers) -> int:
    """How often a record was sent again: the last count in its headers, 0 without one.

    Examples
    --------
    >>> times_redriven([("__propensity.redriven", b"2")]), times_redriven([])
    (2, 0)
    """
    counts = [content for name, content in headers if name == REDRIVEN_HEADER]
    if not counts:
        return 0
    count = counts[-1] or b""
    return int(count) if count.isdigit() and len(count) <= COUNT_DIGITS_MAX else 0


def with_count(headers: Headers, times: int) -> Headers:
    """The headers with one count, behind all others."""
    others = [header for header in headers if header[0] != REDRIVEN_HEADER]
    return [*others, (REDRIVEN_HEADER, b"%d" % times)]
