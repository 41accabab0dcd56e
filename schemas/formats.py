"""Formats of our own records: what a newer version wrote is refused, never half read.

Owns: telling a record of a newer format from one that is broken.
Never: reads a record of another format than it was asked for.
Source: the contract, "Records".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

Shape = TypeVar("Shape", bound=msgspec.Struct)


class NewerFormatError(msgspec.DecodeError):
    """A record that a newer version of this program wrote."""


class _Formatted(msgspec.Struct):
    """Any record, as far as its format goes."""

    format: int = 1


_decode_format = msgspec.json.Decoder(_Formatted).decode


def _is_newer(value: bytes, known: int) -> bool:
    try:
        return _decode_format(value).format > known
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def reader_of(shape: type[Shape], known: int) -> Callable[[bytes], Shape]:
    """What reads records of a shape, of formats up to the one that is known.

    It raises `NewerFormatError` for a newer one, whatever else stands in it, and
    `msgspec.DecodeError` for all else that it cannot read.
    """
    decode = msgspec.json.Decoder(shape).decode

    def read(value: bytes) -> Shape:
        try:
            return decode(value)
        except msgspec.DecodeError as error:
            if _is_newer(value, known):
                raise NewerFormatError(
                    f"a newer version wrote it: its format is above {known}, the newest known here"
                ) from error
            raise

    return read
