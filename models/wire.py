"""The records of a batch as one text, and who is who in it.

Owns: joining records for the compiled reader, and the texts that do not stand in them plainly.
Never: judges a record.
Source: docs/contract.md, "Event".
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from models.kernel_event import Kinds, Wire
from models.kernel_hash import hash_of
from models.plan import I8, U1


def _joined(texts: Sequence[bytes | None]) -> tuple[bytes, I8]:
    """The texts behind each other, and where each begins; nothing where there is none."""
    given = [text or b"" for text in texts] if None in texts else texts
    starts = np.zeros(len(texts) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, given), np.int64, len(texts)), out=starts[1:])  # type: ignore[arg-type]
    return b"".join(given), starts  # type: ignore[arg-type]


def kinds_of(names: Sequence[str]) -> Kinds:
    """The names of event types as the compiled reader compares them."""
    text, starts = _joined([name.encode() for name in names])
    return Kinds(array_of(text), starts)


def array_of(text: bytes) -> U1:
    """The bytes of a text."""
    return np.frombuffer(text, np.uint8)


def wire_of(
    keys: Sequence[bytes | None],
    values: Sequence[bytes | None],
    stamps_ms: Sequence[int],
    *,
    native: bool,
    strict: bool,
) -> Wire:
    """Records as they came; `plain` says which of them the compiled reader may look at.

    Those in a form that the campaign file maps, and those that are not UTF-8, are not.
    """
    count = len(values)
    text, starts = _joined(values)
    key_text, key_starts = _joined(keys) if strict else (b"", np.zeros(count + 1, np.int64))
    plain = np.full(count, native, np.int8)
    if native and not text.isascii():
        for row, value in enumerate(values):
            if value is not None and not value.isascii() and not is_utf8(value):
                plain[row] = 0
    return Wire(
        text=array_of(text),
        starts=starts,
        keys=array_of(key_text),
        key_starts=key_starts,
        stamps_ms=np.array(stamps_ms, np.int64),
        plain=plain,
        customer=np.zeros((count, 2), np.int64),
        event=np.zeros((count, 2), np.int64),
        properties=np.zeros((count, 2), np.int64),
        kind=np.full(count, -1, np.int32),
        at_ms=np.zeros(count, np.int64),
        value=np.full(count, np.nan),
        customer_hash=np.zeros((count, 2), np.uint64),
        score_hash=np.zeros((count, 2), np.uint64),
    )


def hash_text(text: str, first: int = 0, second: int = 0) -> tuple[int, int]:
    """128 bits of a text; begun from those of another, of the pair."""
    encoded = text.encode()
    one, two = hash_of(array_of(encoded), 0, len(encoded), np.uint64(first), np.uint64(second))
    return int(one), int(two)


def is_utf8(text: bytes) -> bool:
    """Whether the bytes are UTF-8."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def taken(wire: Wire, rows: I8) -> Wire:
    """What was found in some of the records; where these begin is left as it was."""
    columns = ("customer", "event", "properties", "kind", "at_ms", "value", "customer_hash",
               "score_hash")  # fmt: skip
    return wire._replace(**{name: getattr(wire, name)[rows] for name in columns})


class Appendix:
    """Texts behind the records of a batch: ids that do not stand in their record as they are."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._stop = len(wire.text)
        self._texts: list[bytes] = []

    def _span(self, text: str) -> tuple[int, int]:
        escaped = msgspec.json.encode(text)[1:-1]
        self._texts.append(escaped)
        start, self._stop = self._stop, self._stop + len(escaped)
        return start, self._stop

    def name_customer(self, row: int, customer: str) -> None:
        """Say who acted in a record."""
        self._wire.customer[row] = self._span(customer)
        self._wire.customer_hash[row] = hash_text(customer)

    def name_event(self, row: int, event_id: str) -> None:
        """Say which event a record is; its customer is known."""
        self._wire.event[row] = self._span(event_id)
        self._wire.score_hash[row] = hash_text(event_id, *self._wire.customer_hash[row].tolist())

    def wire(self) -> Wire:
        """The batch with these texts behind its records."""
        if not self._texts:
            return self._wire
        return self._wire._replace(text=array_of(self._wire.text.tobytes() + b"".join(self._texts)))
