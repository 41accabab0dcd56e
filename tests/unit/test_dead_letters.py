"""Dead letters: untouched if they fit, cut and saying so if they do not.

Owns: the headers and the cuts.
Never: sends one.
Source: the contract, "Dead letter".
"""

from __future__ import annotations

from schemas.dead_letter import CUT_HEADER, DeadLetter, dead_letter, dead_letter_headers
from schemas.errors import InvalidRecord

ERROR = InvalidRecord("customer_id", "nothing", "a text", "missing_field")
HEADERS = dead_letter_headers("customer-events", 3, 123, "decode", ERROR)


def size(key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]]) -> int:
    """The bytes of a letter's parts."""
    named = sum(len(name) + len(content or b"") for name, content in headers)
    return len(key or b"") + len(value or b"") + named


def test_headers_tell_where_and_why() -> None:
    """The headers have the names that Kafka tools know, and the contract reads them."""
    texts = {name: content.decode() for name, content in HEADERS}
    letter = DeadLetter.model_validate(texts)
    assert (letter.topic, letter.partition, letter.offset) == ("customer-events", 3, 123)
    assert (letter.stage, letter.exception_class_name) == ("decode", "InvalidRecord")
    assert letter.exception_message == "customer_id: found nothing, expected a text."


def test_what_fits_is_untouched() -> None:
    """Key, value and the sender's headers stay byte for byte, in front of ours."""
    letter = dead_letter(b"k", b"\xff", [("trace", b"1"), ("none", None)], HEADERS)
    assert (letter.key, letter.value) == (b"k", b"\xff")
    assert letter.headers == [("trace", b"1"), ("none", None), *HEADERS]
    assert dead_letter(None, None, [], HEADERS).headers == HEADERS


def test_a_large_value_is_cut() -> None:
    """The value loses its end first, and a header says how much."""
    letter = dead_letter(b"k", b"x" * 5_000, [("trace", b"1")], HEADERS, bytes_max=3_000)
    assert letter.value is not None
    assert 0 < len(letter.value) < 3_000
    assert letter.headers[0] == ("trace", b"1")
    assert letter.headers[-1] == (CUT_HEADER, f"value: {len(letter.value)} of 5000 bytes".encode())
    assert size(*letter) <= 3_000


def test_large_headers_and_keys_are_cut_last() -> None:
    """When the value is not enough, the sender's headers go, then the key's end."""
    letter = dead_letter(b"k" * 9_000, b"x" * 10, [("big", b"y" * 9_000)], HEADERS, bytes_max=3_000)
    assert letter.value == b""
    assert letter.key is not None
    assert 0 < len(letter.key) < 3_000
    assert "big" not in [name for name, _ in letter.headers]
    assert size(*letter) <= 3_000


def test_a_message_with_half_a_surrogate_pair() -> None:
    """Whatever stood in the record, the explanation is valid UTF-8 and of bounded length."""
    error = InvalidRecord("x\ud800", "y" * 5_000, "z")
    message = dict(dead_letter_headers("t", 0, 0, "decode", error))
    text = message["__connect.errors.exception.message"].decode()
    assert len(text) < 1_100
