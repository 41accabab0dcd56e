"""Records to columns: the door through which events enter a fold.

Owns: which record is refused and why, and the codes of texts inside a fold.
Never: a profile, an example or a model.
Source: docs/campaigns.md says which fields an event has and what is ignored in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from xxhash import xxh3_64_intdigest, xxh3_128_hexdigest

from models.batch import DEADLINE_ABSENT_MS, EventColumns
from models.layout import COUNT_BY_VALUES_MAX
from models.plan import EventRule, Plan
from schemas.errors import InvalidRecord
from schemas.event import (
    EventDecoder,
    WireEvent,
    bounded_properties,
    clean_number,
    clean_property,
    clean_value,
)
from schemas.times import parse_time

NO_RULE = EventRule(mask=0, clauses=(), count_by=())
REST = "~rest"


class Refusal(NamedTuple):
    """A record that was refused: its position in the batch, at which stage, and why."""

    row: int
    stage: str
    error: InvalidRecord


class Batch(NamedTuple):
    """The events of a batch as columns, and what only text can say of them."""

    columns: EventColumns
    customers: list[str]
    event_ids: list[str]
    score_ids: list[str]
    rows: list[int]  # where each event stood in the records
    refused: list[Refusal]


class Vocabulary:
    """Texts seen as values of categories, numbered from 1; bounded, and part of the state."""

    def __init__(self, size_max: int) -> None:
        self.size_max = size_max
        self.codes: dict[str, int] = {}
        self.texts: list[str] = [""]
        self.refused = 0

    def code(self, text: str) -> int:
        """The number of a text; those beyond the bound share one."""
        code = self.codes.get(text)
        if code is not None:
            return code
        if len(self.texts) > self.size_max:
            self.refused += 1
            text = REST
            code = self.codes.get(text)
            if code is not None:
                return code
        code = len(self.texts)
        self.codes[text] = code
        self.texts.append(text)
        return code


class CountByValues:
    """Values with a counter of their own in one `count_by` group: from the second sighting on."""

    def __init__(self) -> None:
        self.sighted: set[int] = set()
        self.places: dict[int, int] = {}

    def place(self, code: int) -> int:
        """The counter of a value, or -1 while it has none."""
        place = self.places.get(code, -1)
        if place >= 0 or len(self.places) >= COUNT_BY_VALUES_MAX:
            return place
        if code not in self.sighted:
            self.sighted.add(code)
            return -1
        place = len(self.places)
        self.places[code] = place
        return place


class Intake:
    """Turns records into columns; its vocabularies are part of the fold's state."""

    def __init__(
        self, plan: Plan, *, record_bytes_max: int = 65_536, keys_strict: bool = True
    ) -> None:
        self.plan = plan
        self.vocabulary = Vocabulary(plan.limits.category_values_max)
        self.count_by = [CountByValues() for _ in plan.layout.count_by]
        self.ignored: Counter[tuple[str, str]] = Counter()
        self._decode = EventDecoder(plan.file.input, record_bytes_max).decode
        self._keys_strict = keys_strict
        self._wants_properties = bool(
            plan.properties or plan.remembered or plan.keys or plan.deadlines or plan.numbers
        )

    def read(
        self,
        offsets: Sequence[int],
        stamps_ms: Sequence[int],
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
    ) -> Batch:
        """Read records of one partition; those that cannot be read are in `refused`."""
        events: list[WireEvent] = []
        rows: list[int] = []
        refused: list[Refusal] = []
        decode, strict = self._decode, self._keys_strict
        future_max_ms = self.plan.limits.future_max_ms
        for row, value in enumerate(values):
            try:
                event = decode(value)
            except InvalidRecord as error:
                refused.append(Refusal(row, "decode", error))
                continue
            if strict and keys[row] != event.customer_id.encode():
                refused.append(Refusal(row, "key", _foreign_key(keys[row], event.customer_id)))
                continue
            stamp_ms = stamps_ms[row]
            if 0 <= stamp_ms < event.occurred_at - future_max_ms:  # type: ignore[operator]
                refused.append(Refusal(row, "time", _from_the_future(event, stamp_ms)))
                continue
            if event.event_id is None:
                assert value is not None
                event.event_id = xxh3_128_hexdigest(value)
            events.append(event)
            rows.append(row)
        return self._columns(events, rows, refused, offsets)

    def _columns(
        self,
        events: list[WireEvent],
        rows: list[int],
        refused: list[Refusal],
        offsets: Sequence[int],
    ) -> Batch:
        n, plan = len(events), self.plan
        customers = [event.customer_id for event in events]
        event_ids: list[str] = [event.event_id for event in events]  # type: ignore[misc]
        score_ids = [
            xxh3_128_hexdigest(f"{customer}\x1f{event_id}".encode())
            for customer, event_id in zip(customers, event_ids, strict=True)
        ]
        columns = EventColumns(
            slot=np.zeros(n, np.int32),
            mask=np.zeros(n, np.uint64),
            at_ms=np.array([event.occurred_at for event in events], np.int64),
            value=np.zeros(n),
            event_hash=np.array([int(text[:16], 16) or 1 for text in score_ids], np.uint64),
            offset=np.array([offsets[row] for row in rows], np.int64),
            numbers=np.full((n, len(plan.numbers)), np.nan),
            codes=np.zeros((n, max(1, len(plan.properties))), np.int32),
            remembered=np.zeros((n, len(plan.remembered)), np.int32),
            keys=np.zeros((n, len(plan.keys)), np.uint64),
            deadlines=np.full((n, len(plan.deadlines)), DEADLINE_ABSENT_MS, np.int64),
            by_place=np.full((n, len(plan.layout.count_by)), -1, np.int32),
        )
        self._fill(events, columns)
        return Batch(columns, customers, event_ids, score_ids, rows, refused)

    def _fill(self, events: list[WireEvent], columns: EventColumns) -> None:
        rules, value_max = self.plan.rules, self.plan.limits.value_max
        masks: list[int] = []
        values: list[float] = []
        wants = self._wants_properties
        for row, event in enumerate(events):
            rule = rules.get(event.type, NO_RULE)
            mask = rule.mask
            raw = event.value
            if type(raw) is float and -value_max <= raw <= value_max:
                value = raw
            else:
                value, ignored = clean_value(raw, value_max)
                if ignored is not None:
                    self.ignored["value", ignored] += 1
            values.append(value)
            if wants or rule.clauses or rule.count_by:
                properties, ignored = bounded_properties(event.properties)
                if ignored is not None:
                    self.ignored["properties", ignored] += 1
                for bit, clause in rule.clauses:
                    if clause.meets(event.type, value, properties):
                        mask |= 1 << bit
                if properties:
                    self._properties(row, properties, columns)
                for group, by in rule.count_by:
                    code = self._code(by, properties.get(by))
                    if code:
                        columns.by_place[row, group] = self.count_by[group].place(code)
            masks.append(mask)
        columns.mask[:] = masks
        columns.value[:] = values
        for place, name in enumerate(self.plan.numbers):
            if name == "value":
                columns.numbers[:, place] = columns.value

    def _properties(
        self, row: int, properties: Mapping[str, object], columns: EventColumns
    ) -> None:
        plan = self.plan
        for place, name in enumerate(plan.numbers):
            if name in properties and name != "value":
                limit = plan.limits.value_max
                number = clean_number(properties[name])
                columns.numbers[row, place] = min(max(number, -limit), limit)
        for place, name in enumerate(plan.properties):
            if name in properties:
                columns.codes[row, place] = self._code(name, properties[name])
        for place, name in enumerate(plan.remembered):
            if name in properties:
                columns.remembered[row, place] = self._code(name, properties[name])
        for place, name in enumerate(plan.keys):
            if name in properties:
                columns.keys[row, place] = self._key(name, properties[name])
        for place, name in enumerate(plan.deadlines):
            if name in properties:
                columns.deadlines[row, place] = self._deadline(name, properties[name])

    def _clean(self, name: str, raw: object) -> str | None:
        value, ignored = clean_property(raw)
        if ignored is not None:
            self.ignored[name, ignored] += 1
        return None if value is None else _text(value)

    def _code(self, name: str, raw: object) -> int:
        text = self._clean(name, raw)
        return self.vocabulary.code(text) if text else 0

    def _key(self, name: str, raw: object) -> int:
        text = self._clean(name, raw)
        return 0 if text is None else (xxh3_64_intdigest(text.encode()) or 1)

    def _deadline(self, name: str, raw: object) -> int:
        if isinstance(raw, (int, float)) and not isinstance(raw, bool):
            number = clean_number(raw)
            return int(number) if abs(number) < DEADLINE_ABSENT_MS else DEADLINE_ABSENT_MS
        try:
            return parse_time(raw) if isinstance(raw, str) else DEADLINE_ABSENT_MS
        except ValueError:
            self.ignored[name, "property_not_a_time"] += 1
            return DEADLINE_ABSENT_MS


def _text(value: str | float | bool) -> str:
    """A property's value as the text that names it: 3.0 and 3 are one value."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.15g}"


def _foreign_key(key: bytes | None, customer: str) -> InvalidRecord:
    found = "no key" if key is None else f"the key {key[:64].decode('utf-8', 'replace')!r}"
    expected = f"the customer id {customer!r} as the key of the message"
    return InvalidRecord("key", found, expected, "foreign_key")


def _from_the_future(event: WireEvent, stamp_ms: int) -> InvalidRecord:
    ahead_s = (int(event.occurred_at) - stamp_ms) // 1000  # type: ignore[arg-type]
    return InvalidRecord(
        "occurred_at",
        f"a time {ahead_s} s ahead of the message's own",
        "a time that had come when the message was written",
        "impossible_time",
    )
