"""Which record is refused, and why: by what stands in it, by its key, and by its stamp.

Owns: the general reader's verdict on one record.
Never: compiled code; the compiled reader takes what is plain, and this decides the rest.
Source: docs/contract.md, "Event".
"""

from __future__ import annotations

from typing import NamedTuple

from schemas.control import control_of
from schemas.errors import InvalidRecord
from schemas.event import EventDecoder, WireEvent, occurred_at_ms


class Refusal(NamedTuple):
    """A record that was refused: its position in the batch, at which stage, and why."""

    row: int
    stage: str
    error: InvalidRecord


class Record(NamedTuple):
    """A record of the log as it came; the stamp is in milliseconds, -1 where there is none."""

    stamp_ms: int
    key: bytes | None
    value: bytes | None


class Door:
    """Lets records in, or says why not.

    Parameters
    ----------
    future_max_ms: how far an event's time may be ahead of its record's stamp.
    keys_strict: whether the key must be the customer.
    """

    def __init__(self, decoder: EventDecoder, *, future_max_ms: int, keys_strict: bool) -> None:
        self._decode = decoder.decode
        self._future_max_ms = future_max_ms
        self._keys_strict = keys_strict

    def judge(self, row: int, record: Record) -> WireEvent | Refusal:
        """The event in a record, or the refusal of this row."""
        try:
            event = self._decode(record.value)
            control_of(event)
        except InvalidRecord as error:
            return Refusal(row, "decode", error)
        if self._keys_strict and record.key != event.customer_id.encode():
            return Refusal(row, "key", _foreign_key(record.key, event.customer_id))
        if 0 <= record.stamp_ms < occurred_at_ms(event) - self._future_max_ms:
            return Refusal(row, "time", _from_the_future(event, record.stamp_ms))
        return event


def _foreign_key(key: bytes | None, customer: str) -> InvalidRecord:
    found = "no key" if key is None else f"the key {key[:64].decode('utf-8', 'replace')!r}"
    expected = f"the customer id {customer!r} as the key of the message"
    return InvalidRecord("key", found, expected, "foreign_key")


def _from_the_future(event: WireEvent, stamp_ms: int) -> InvalidRecord:
    ahead_s = (occurred_at_ms(event) - stamp_ms) // 1000
    return InvalidRecord(
        "occurred_at",
        f"a time {ahead_s} s ahead of the message's own",
        "a time that had come when the message was written",
        "impossible_time",
    )
