"""Dead letters in a terminal, as JSON, and counted.

Owns: how a letter looks to a person and to a program.
Never: lets a sender's bytes reach the terminal as control characters.
Source: the contract, "Dead letter" and "Commands".
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from typing import NamedTuple

from consumer.letters import LetterId, StoredLetter
from schemas.dead_letter import Headers
from schemas.errors import shortened
from schemas.times import format_time

REASON_CHARACTERS_MIN = 30
HEX_BYTES = 16
KIND_CHARACTERS_MAX = 120
YEAR_10000_MS = 253_402_300_800_000
COLUMNS = ("ID", "TIME", "SOURCE", "STAGE", "STATE", "SIZE", "REASON")
FOREIGN = "(no headers of ours: somebody else wrote this record)"
# As schemas.errors.InvalidRecord says itself; what was found differs from record to record.
_MESSAGE = re.compile(r"(.*?): found .*, expected (.*?)\.?", re.DOTALL)


def safe(text: str) -> str:
    r"""The text with everything escaped that a terminal could obey.

    Examples
    --------
    >>> print(safe("a\x1b[2Jb\u202e"))
    a\x1b[2Jb\u202e
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def time_text(at_ms: int) -> str | None:
    """RFC 3339, or None where there is no time that a calendar has."""
    return format_time(at_ms) if 0 <= at_ms < YEAR_10000_MS else None


def state_of(stored: StoredLetter, redriven: Container[LetterId]) -> str:
    """What has become of a letter, in a word."""
    if stored.letter is None:
        return "foreign"
    if stored.id in redriven:
        return "redriven"
    return "waiting" if stored.letter.cut is None else "cut"


def listing(
    letters: Sequence[StoredLetter], redriven: Container[LetterId], width: int | None
) -> Iterator[str]:
    """A line a letter under the names of the columns; reasons end where the terminal does."""
    rows = [COLUMNS, *(_row(stored, redriven) for stored in letters)]
    sizes = [max(len(row[place]) for row in rows) for place in range(len(COLUMNS) - 1)]
    left = (
        None if width is None else max(REASON_CHARACTERS_MIN, width - sum(sizes) - 2 * len(sizes))
    )
    for row in rows:
        cells = [cell.ljust(size) for cell, size in zip(row[:-1], sizes, strict=True)]
        reason = row[-1] if left is None else shortened(row[-1], left)
        yield "  ".join([*cells, reason])


def _row(stored: StoredLetter, redriven: Container[LetterId]) -> tuple[str, ...]:
    letter = stored.letter
    source = "-" if letter is None else f"{letter.topic}[{letter.partition}]@{letter.offset}"
    return (
        str(stored.id),
        time_text(stored.at_ms) or "-",
        safe(source),
        "-" if letter is None else safe(letter.stage),
        state_of(stored, redriven),
        str(stored.size),
        FOREIGN if letter is None else safe(letter.exception_message),
    )


def as_json(stored: StoredLetter, redriven: Container[LetterId]) -> dict[str, object]:
    """What `list --json` says of a letter."""
    letter = stored.letter
    return {
        "id": str(stored.id),
        "timestamp": time_text(stored.at_ms),
        "state": state_of(stored, redriven),
        "topic": None if letter is None else letter.topic,
        "partition": None if letter is None else letter.partition,
        "offset": None if letter is None else letter.offset,
        "stage": None if letter is None else letter.stage,
        "exception": None if letter is None else letter.exception_class_name,
        "reason": None if letter is None else letter.exception_message,
        "size": stored.size,
        "times_redriven": stored.times,
        "cut": None if letter is None else letter.cut,
    }


def whole_as_json(stored: StoredLetter) -> dict[str, object]:
    """What `show --json` says: everything, bytes as base64."""
    known = as_json(stored, ())
    del known["state"]  # It takes a pass over the topic to know.
    headers = [{"name": name, "value": _base64(value)} for name, value in _headers(stored)]
    return {
        **known,
        "headers": headers,
        "key": _base64(stored.key),
        "value": _base64(stored.value),
    }


def showing(stored: StoredLetter) -> Iterator[str]:
    """Everything of one letter, for a person."""
    letter = stored.letter
    yield f"id         {stored.id}"
    yield f"time       {time_text(stored.at_ms) or '-'}"
    if letter is None:
        yield f"source     {FOREIGN}"
    else:
        yield f"source     {safe(letter.topic)}[{letter.partition}]@{letter.offset}"
        yield f"stage      {safe(letter.stage)}"
        yield f"reason     {safe(letter.exception_message)}"
        yield f"cut        {'no' if letter.cut is None else safe(letter.cut)}"
        yield f"redriven   {stored.times} times before this refusal"
    headers = _headers(stored)
    yield f"headers    {len(headers)}"
    for name, content in headers:
        yield f"  {safe(name)}: {_one_line(content)}"
    for called, content in (("key", stored.key), ("value", stored.value)):
        yield f"{called:<11}{'none' if content is None else _bytes(content)}"
        yield from (f"  {line}" for line in content_lines(content or b""))


def content_lines(content: bytes) -> Iterator[str]:
    """Text line by line if it is UTF-8, else a hex dump."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        yield from _hex_lines(content)
    else:
        if text:
            yield from (safe(line) for line in text.split("\n"))


class Kind(NamedTuple):
    """What letters have in common that are refused for the same reason."""

    stage: str
    field: str
    expected: str


def kind_of(stored: StoredLetter) -> Kind:
    """Stage, field and what was expected there; of another wording, the whole message."""
    letter = stored.letter
    if letter is None:
        return Kind("-", "-", FOREIGN)
    found = _MESSAGE.fullmatch(letter.exception_message)
    field, expected = ("-", letter.exception_message) if found is None else found.groups()
    cut = (shortened(text, KIND_CHARACTERS_MAX) for text in (letter.stage, field, expected))
    return Kind(*cut)


def summary(counts: Counter[Kind]) -> Iterator[str]:
    """A line a kind, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rows = [("COUNT", *(name.upper() for name in Kind._fields))]
    rows += [(str(count), *(safe(text) for text in kind)) for kind, count in ordered]
    sizes = [max(len(row[place]) for row in rows) for place in range(3)]
    for count, stage, name, expected in rows:
        yield f"{count:>{sizes[0]}}  {stage:<{sizes[1]}}  {name:<{sizes[2]}}  {expected}"


def _bytes(content: bytes) -> str:
    return "1 byte" if len(content) == 1 else f"{len(content)} bytes"


def _headers(stored: StoredLetter) -> Headers:
    return [*stored.sent, *stored.own]


def _base64(content: bytes | None) -> str | None:
    return None if content is None else b64encode(content).decode("ascii")


def _one_line(content: bytes | None) -> str:
    if content is None:
        return "(none)"
    try:
        return safe(content.decode("utf-8"))
    except UnicodeDecodeError:
        return f"hex {content.hex()}"


def _hex_lines(content: bytes) -> Iterator[str]:
    for start in range(0, len(content), HEX_BYTES):
        row = content[start : start + HEX_BYTES]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        yield f"{start:08x}  {row.hex(' '):<{3 * HEX_BYTES - 1}}  {text}"
