"""Records to columns: the door through which events enter a fold.

Owns: which record is refused and why, and the codes of texts inside a fold.
Never: a profile, an example or a model.
Source: docs/campaigns.md says which fields an event has and what is ignored in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest, xxh3_128_hexdigest

from models.batch import (
    CONTROL,
    DEADLINE_ABSENT_MS,
    FACT,
    QUESTION,
    EventColumns,
    Texts,
    event_columns,
)
from models.clause_codes import ClauseCodes
from models.kernel_event import Wire, read_events
from models.layout import COUNT_BY_VALUES_MAX
from models.plan import I8, U8, EventRule, Plan
from models.refusal import Door, Record, Refusal
from models.wire import Appendix, kinds_of, taken, wire_of
from schemas.control import Control, control_of
from schemas.event import (
    EventDecoder,
    bounded_properties,
    clean_number,
    clean_property,
    clean_value,
    occurred_at_ms,
)
from schemas.event_values import text_of_value
from schemas.input_mapping import InputMapping
from schemas.times import parse_time

NO_RULE = EventRule(mask=0, clauses=(), count_by=())
REST = "~rest"


def text_of(escaped: bytes) -> str:
    """A text that was kept as JSON without its quotes."""
    return msgspec.json.decode(b'"%b"' % escaped, type=str)


class Batch(NamedTuple):
    """The events of a batch as columns, and what only text can say of them."""

    columns: EventColumns
    texts: Texts
    rows: I8  # where each event stood in the records
    refused: list[Refusal]
    keys: Sequence[bytes | None] | None  # of the records, where they are the customers
    controls: Mapping[int, Control] = MappingProxyType({})  # by event: those that are none

    def keys_of(self, events: NDArray[np.intp]) -> list[bytes]:
        """The customers of some events, as the keys of messages."""
        if self.keys is not None:
            keys = self.keys
            return [keys[row] or b"" for row in self.rows[events].tolist()]
        return [text_of(self.texts.customer_text(event)).encode() for event in events.tolist()]


class Vocabulary:
    """Texts seen as values of categories, numbered from 1; bounded, and part of the state.

    `named` are those that the campaign file names: they have a number of their own at any time.
    """

    def __init__(self, size_max: int, named: Collection[str] = ()) -> None:
        self.size_max = size_max
        self._named = named
        self.codes: dict[str, int] = {}
        self.texts: list[str] = [""]
        self.refused = 0

    def code(self, text: str) -> int:
        """The number of a text; those beyond the bound share one."""
        code = self.codes.get(text)
        if code is not None:
            return code
        if len(self.texts) > self.size_max and text not in self._named:
            self.refused += 1
            text = REST
            code = self.codes.get(text)
            if code is not None:
                return code
        return self.add(text)

    def add(self, text: str) -> int:
        """Number a text that is new."""
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
        self._clause_codes = ClauseCodes(plan.clauses)
        self.vocabulary = Vocabulary(plan.limits.category_values_max, self._clause_codes.named)
        self.count_by = [CountByValues() for _ in plan.layout.count_by]
        self.ignored: Counter[tuple[str, str]] = Counter()
        self._door = Door(
            EventDecoder(plan.file.input, record_bytes_max),
            future_max_ms=plan.limits.future_max_ms,
            keys_strict=keys_strict,
        )
        self._native = plan.file.input in {None, InputMapping()}
        self._record_bytes_max = record_bytes_max
        self._keys_strict = keys_strict
        self._rules = [*plan.rules.values(), NO_RULE]  # The last is that of kind -1.
        self._kind_of = {name: kind for kind, name in enumerate(plan.rules)}
        self._kinds = kinds_of(list(plan.rules))
        self._masks = np.array([rule.mask for rule in self._rules], np.uint64)
        self._natures = np.array(
            [QUESTION if rule.is_question else FACT for rule in self._rules], np.int8
        )
        wanted = bool(
            plan.properties or plan.remembered or plan.keys or plan.deadlines or plan.numbers
        )
        self._looks = np.array([wanted or bool(r.clauses or r.count_by) for r in self._rules])

    @property
    def code_clauses(self) -> U8:
        """The clauses on last known values that each value of the vocabulary meets, [codes]."""
        return self._clause_codes.follow(self.vocabulary.texts)

    def read(
        self,
        offsets: Sequence[int],
        stamps_ms: Sequence[int],
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
    ) -> Batch:
        """Read records of one partition; those that cannot be read are in `refused`."""
        wire = wire_of(keys, values, stamps_ms, native=self._native, strict=self._keys_strict)
        limits = self.plan.limits
        read = read_events(
            wire, self._kinds, limits.value_max, limits.future_max_ms, self._record_bytes_max,
            self._keys_strict,
        )  # fmt: skip
        appendix = Appendix(wire)
        found: dict[int, Mapping[str, object]] = {}
        controls: dict[int, Control] = {}
        refused: list[Refusal] = []
        if read < len(values):
            refused = self._read_odd(wire, keys, values, appendix, found, controls)
        for row in np.flatnonzero((wire.event[:, 1] == 0) & (wire.plain == 1)).tolist():
            appendix.name_event(row, xxh3_128_hexdigest(values[row] or b""))
        given = keys if self._keys_strict else None
        batch = self._batch(appendix.wire(), np.array(offsets, np.int64), found, refused, given)
        return _with_controls(batch, controls) if controls else batch

    def _read_odd(
        self,
        wire: Wire,
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        appendix: Appendix,
        found: dict[int, Mapping[str, object]],
        controls: dict[int, Control],
    ) -> list[Refusal]:
        """Let the general reader judge what is not plain; it names the mistake of each refused."""
        refused: list[Refusal] = []
        for row in np.flatnonzero(wire.plain == 0).tolist():
            record = Record(int(wire.stamps_ms[row]), keys[row], values[row])
            event = self._door.judge(row, record)
            if isinstance(event, Refusal):
                refused.append(event)
                continue
            wire.plain[row] = 1
            wire.at_ms[row] = occurred_at_ms(event)
            wire.kind[row] = self._kind_of.get(event.type, -1)
            wire.value[row], ignored = clean_value(event.value, self.plan.limits.value_max)
            if ignored is not None:
                self.ignored["value", ignored] += 1
            appendix.name_customer(row, event.customer_id)
            wire.event[row] = 0
            if event.event_id is not None:
                appendix.name_event(row, event.event_id)
            if (control := control_of(event)) is not None:
                controls[row] = control
                wire.kind[row], found[row] = -1, {}
            elif self._looks[wire.kind[row]]:
                found[row], ignored = bounded_properties(event.properties)
                if ignored is not None:
                    self.ignored["properties", ignored] += 1
        return refused

    def _batch(
        self,
        wire: Wire,
        offsets: I8,
        found: Mapping[int, Mapping[str, object]],
        refused: list[Refusal],
        keys: Sequence[bytes | None] | None,
    ) -> Batch:
        plan = self.plan
        rows: I8 = np.flatnonzero(wire.plain)
        if len(rows) < len(wire.plain):
            offsets, wire = offsets[rows], taken(wire, rows)
        kinds, value, score_hash = wire.kind, wire.value, wire.score_hash
        columns = event_columns(plan, len(rows))._replace(
            customer_hash=wire.customer_hash,
            score_hash=score_hash,
            event_hash=np.maximum(score_hash[:, 0], np.uint64(1)),
            mask=self._masks[kinds],
            at_ms=wire.at_ms,
            value=value,
            offset=offsets,
            nature=self._natures[kinds],
        )
        for place, name in enumerate(plan.numbers):
            if name == "value":
                columns.numbers[:, place] = value
        for row in np.flatnonzero(self._looks[kinds]).tolist():
            properties = found.get(int(rows[row]))
            if properties is None:
                start, stop = wire.properties[row].tolist()
                text = wire.text[start:stop].tobytes()
                properties = msgspec.json.decode(text) if text else {}
            self._look(row, self._rules[kinds[row]], properties, columns)
        columns = columns._replace(code_clauses=self.code_clauses)
        texts = Texts(wire.text, wire.customer, wire.event)
        return Batch(columns, texts, rows, refused, keys)

    def _look(
        self,
        row: int,
        rule: EventRule,
        properties: Mapping[str, object],
        columns: EventColumns,
    ) -> None:
        """Take from an event's properties what its type's rule and the plan ask for."""
        value = float(columns.value[row])
        for bit, clause in rule.clauses:
            if clause.meets(clause.event, value, properties):
                columns.mask[row] |= np.uint64(1 << bit)
        if properties:
            self._properties(row, properties, columns)
        for group, by in rule.count_by:
            code = self._code(by, properties.get(by))
            if code:
                columns.by_place[row, group] = self.count_by[group].place(code)

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
        return None if value is None else text_of_value(value)

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


def _with_controls(batch: Batch, controls: Mapping[int, Control]) -> Batch:
    """The batch with its control facts, which are given by record, by event."""
    events = {
        event: controls[row] for event, row in enumerate(batch.rows.tolist()) if row in controls
    }
    batch.columns.nature[list(events)] = CONTROL
    return batch._replace(controls=events)
