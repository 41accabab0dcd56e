"""JSON as senders write it: read leniently where a strict decoder has refused.

Owns: reading NaN, Infinity, numbers beyond any float, half surrogate pairs, a byte order mark.
Never: runs for a record that the strict decoder takes.
Source: RFC 8259 for what is JSON; the contract for what only a property may get wrong.
"""

from __future__ import annotations

import json

from schemas.errors import InvalidRecord, described

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_DIGITS_MAX = 400


def _integer(digits: str) -> float:
    """An integer; one that is longer than any float reaches is infinite."""
    return int(digits) if len(digits) <= _DIGITS_MAX else float(digits)


_DECODER = json.JSONDecoder(parse_int=_integer)


def read_object(record: bytes) -> dict[str, object]:
    """The JSON object in the bytes.

    Raises
    ------
    InvalidRecord: not UTF-8, not JSON, not an object.
    """
    try:
        text = record.removeprefix(_BYTE_ORDER_MARK).decode("utf-8")
    except UnicodeDecodeError as error:
        found = f"byte 0x{record[error.start]:02x} at {error.start}, which is not UTF-8"
        raise InvalidRecord("record", found, "JSON in UTF-8", "wrong_encoding") from error
    if not text.strip():
        raise InvalidRecord("record", "nothing", "a JSON object", "not_json")
    try:
        found_object = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        found = f"text that is not JSON ({error.msg} at character {error.pos})"
        raise InvalidRecord("record", found, "a JSON object", "not_json") from error
    except RecursionError as error:
        found = "lists or objects nested too deeply to read"
        raise InvalidRecord("record", found, "a JSON object", "not_json") from error
    if not isinstance(found_object, dict):
        found = described(found_object)
        raise InvalidRecord("record", found, "a JSON object", "not_an_object")
    return found_object
