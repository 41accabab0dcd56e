"""Dead letters: a record we could not read, as it came, and why.

Owns: the headers that explain, how they are told from the sender's, and how a letter is cut.
Never: changes a key, a value or a header that fits.
Source: the contract, "Dead letter"; header names as in Kafka Connect's error handling.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.errors import InvalidRecord, shortened

PREFIX = "__connect.errors."
CUT_HEADER = "__propensity.cut"
LETTER_BYTES_MAX = 1_000_000
MESSAGE_CHARACTERS_MAX = 1_000
OWN_HEADERS = (
    *(PREFIX + "topic", PREFIX + "partition", PREFIX + "offset", PREFIX + "stage"),
    *(PREFIX + "exception.class.name", PREFIX + "exception.message"),
)
_FRAME_BYTES = 512  # What the record's own framing may take of the topic's limit.

Headers = list[tuple[str, bytes | None]]


def dead_letter_headers(
    topic: str, partition: int, offset: int, stage: str, error: InvalidRecord
) -> list[tuple[str, bytes]]:
    """The headers to append: where the record stood, what we did with it, and why not."""
    message = shortened(str(error), MESSAGE_CHARACTERS_MAX)
    texts = (topic, str(partition), str(offset), stage, type(error).__name__, message)
    return [
        (name, text.encode("utf-8", "backslashreplace"))
        for name, text in zip(OWN_HEADERS, texts, strict=True)
    ]


class Letter(NamedTuple):
    """A dead letter, ready to be sent."""

    key: bytes | None
    value: bytes | None
    headers: Headers


def dead_letter(
    key: bytes | None,
    value: bytes | None,
    headers: Iterable[tuple[str, bytes | None]],
    explained: Sequence[tuple[str, bytes]],
    bytes_max: int = LETTER_BYTES_MAX,
) -> Letter:
    """The record as it came with the explaining headers; cut only if the topic cannot take it.

    The value is cut first, then the sender's headers are left out, last the key is cut;
    a header names what was done.
    """
    kept: Headers = list(headers)
    own: Headers = list(explained)
    excess = _letter_bytes(key, value, [*kept, *own]) + _FRAME_BYTES - bytes_max
    if excess <= 0:
        return Letter(key, value, [*kept, *own])
    cuts: list[str] = []
    if value:
        left = max(0, len(value) - excess)
        cuts.append(f"value: {left} of {len(value)} bytes")
        excess -= len(value) - left
        value = value[:left]
    if excess > 0 and kept:
        cuts.append(f"headers: 0 of {len(kept)}")
        excess -= _letter_bytes(None, None, kept)
        kept = []
    if excess > 0 and key:
        left = max(0, len(key) - excess)
        cuts.append(f"key: {left} of {len(key)} bytes")
        key = key[:left]
    own.append((CUT_HEADER, "; ".join(cuts).encode("ascii")))
    return Letter(key, value, [*kept, *own])


def _letter_bytes(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    size = len(key or b"") + len(value or b"")
    for name, content in headers:
        size += len(name.encode("utf-8", "surrogatepass")) + len(content or b"") + 10
    return size


class DeadLetter(BaseModel):
    """The headers that explain a dead letter; key and value are the sender's bytes."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    topic: Annotated[str, Field(alias=PREFIX + "topic")]
    partition: Annotated[int, Field(alias=PREFIX + "partition", ge=0)]
    offset: Annotated[int, Field(alias=PREFIX + "offset", ge=0)]
    stage: Annotated[str, Field(alias=PREFIX + "stage")]
    exception_class_name: Annotated[str, Field(alias=PREFIX + "exception.class.name")]
    exception_message: Annotated[
        str,
        Field(
            alias=PREFIX + "exception.message",
            description="The field, what was found and what is expected.",
        ),
    ]
    cut: Annotated[
        str | None, Field(alias=CUT_HEADER, description="What was cut off, if anything.")
    ] = None


def parted(headers: Headers) -> tuple[Headers, Headers]:
    """The sender's headers, and those that explain the letter.

    Ours stand behind the sender's, who may have some of the same name. Where they do not stand
    as we write them, all that are called like ours are taken for the explanation.

    Examples
    --------
    >>> parted([("trace", b"1"), ("__connect.errors.topic", b"t")])
    ([('trace', b'1')], [('__connect.errors.topic', b't')])
    """
    stop = len(headers)
    if headers and headers[-1][0] == CUT_HEADER:
        stop -= 1
    first = stop - len(OWN_HEADERS)
    if first >= 0 and tuple(name for name, _ in headers[first:stop]) == OWN_HEADERS:
        return headers[:first], headers[first:]
    sent = [header for header in headers if not header[0].startswith(PREFIX)]
    return sent, [header for header in headers if header[0].startswith(PREFIX)]


def explanation(own: Headers) -> DeadLetter | None:
    """What our headers say, or None if they do not say it: the record is no letter of ours."""
    texts = {name: (content or b"").decode("utf-8", "replace") for name, content in own}
    try:
        return DeadLetter.model_validate(texts)
    except ValidationError:
        return None
