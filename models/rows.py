"""Closed examples as rows: names instead of places, bytes instead of arrays.

Owns: how a closed example is written down.
Never: decides whether or when it closes.
Source: schemas.example is the shape of a row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from models.intake import Intake
from models.kernel_row_text import (
    EXPERT_NUMBERS,
    LABEL_NUMBER,
    NUMBER_PLACES,
    SERVED_NUMBER,
    WEIGHT_NUMBER,
    RowNumbers,
    RowTexts,
    write_rows,
)
from models.kernel_text import DECIMAL_MAX
from models.layout import COUNT_BY_VALUES_MAX
from models.plan import Plan
from models.row_text import (
    Table,
    encode_text,
    experts_table,
    learners_table,
    of_arm,
    segments_of,
    segments_table,
    statuses_table,
)
from models.state import Examples

CANDIDATES_MAX = 10  # A row stands for at most so many scored events.
COUNT_BY_AGE = "90d"
ROWS_AT_ONCE = 256  # Bounds the buffer, however many examples one batch closes.
NUMBER_UNITS_PER_ONE = 10.0**NUMBER_PLACES
UNITS_EXACT_MAX = 2.0**53
HASHES_KEPT_MAX = 16_384  # A customer's examples close close to each other.


def customer_hash(key: bytes, customer: str) -> str:
    """16 hex digits that name a customer to whoever knows the key."""
    return digester(key)(customer).hex()


def digester(key: bytes) -> Callable[[str], bytes]:
    """What gives the 8 bytes of a customer's hash; the newest are remembered."""
    keyed = hashlib.blake2b(key=key, digest_size=8)

    @lru_cache(HASHES_KEPT_MAX)
    def digest(customer: str) -> bytes:
        taking = keyed.copy()
        taking.update(customer.encode())
        return taking.digest()

    return digest


@dataclass
class Rows:
    """Rows as records: keys, values, and what is counted of those that a score opened."""

    keys: list[bytes] = field(default_factory=list)
    values: list[bytes] = field(default_factory=list)
    campaigns: list[int] = field(default_factory=list)
    converted: list[bool] = field(default_factory=list)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.values)


class RowWriter:
    """Writes the rows of one fold; names follow the fold's vocabulary."""

    def __init__(self, plan: Plan, intake: Intake, partition: int, hash_key: bytes) -> None:
        self._plan = plan
        self._intake = intake
        self._partition = partition
        self._digest = digester(hash_key)
        self._keys = [name.encode() for name in plan.campaigns]
        self._predicts_value = np.array(
            [campaign.predict == "value" for campaign in plan.file.campaigns.values()]
        )
        self._segments = segments_table(plan)
        self._statuses, self._experts = statuses_table(), experts_table()
        self._learners = learners_table(plan)
        self._numbers = EXPERT_NUMBERS + plan.experts_max
        self._values = Table()
        self._known = -1
        self._texts = self._name_everything()
        self._buffer = np.zeros(0, np.uint8)
        self._stops = np.zeros(ROWS_AT_ONCE, np.int64)
        fixed = [sum(map(len, segments_of(plan, index))) for index in range(len(self._keys))]
        # Besides: two times, a digest, a status, integers, and numbers as long as a float64 is.
        self._fixed_max = max(fixed) + 2 * 24 + 16 + 16 + 5 * DECIMAL_MAX + self._numbers * 32
        self._fixed_max += len(self._experts.text) + self._learners.longest

    def write(
        self,
        examples: Examples,
        places: NDArray[np.int32],
        customers: Sequence[str],
        event_ids: Sequence[str],
        rows: Rows,
    ) -> None:
        """Add closed examples to `rows`, in the order of closing; a timer's have no event's id."""
        self._follow_vocabulary()
        campaigns = -1 - examples.campaign[places]
        answers = examples.answer[places]
        chosen = campaigns.tolist()
        rows.keys += [self._keys[campaign] for campaign in chosen]
        scored = examples.triggered[places] == 0
        rows.campaigns += campaigns[scored].tolist()
        rows.converted += (answers[scored] > 0.0).tolist()
        begun = len(rows.values)
        numbers = np.zeros((len(places), self._numbers))
        value = self._predicts_value[campaigns]
        # Refunds may exceed what was bought: nobody is worth less than nothing.
        numbers[:, LABEL_NUMBER] = np.where(value, np.maximum(answers, 0.0), answers > 0.0)
        candidates = np.minimum(examples.candidates[places], CANDIDATES_MAX)
        numbers[:, WEIGHT_NUMBER] = candidates * examples.weight[places].astype(np.float64)
        numbers[:, SERVED_NUMBER] = examples.served[places]
        said = examples.experts[places, : self._plan.experts_max]
        voices = self._plan.arrays.experts[campaigns][:, np.newaxis]
        heard = (np.arange(said.shape[1]) < voices) & ~np.isnan(said)
        numbers[:, EXPERT_NUMBERS:] = np.where(heard, said, 0.0)
        for first in range(0, len(places), ROWS_AT_ONCE):
            piece = slice(first, first + ROWS_AT_ONCE)
            units, spans, text = exact_units(numbers[piece])
            ids = encode_text([event_id or None for event_id in event_ids[piece]])
            numbered = RowNumbers(
                places=places[piece],
                campaign=campaigns[piece],
                customer=np.frombuffer(b"".join(map(self._digest, customers[piece])), ">u8").astype(
                    np.uint64
                ),
                numbers=units,
                number_spans=spans,
                number_text=np.frombuffer(text, np.uint8),
                heard=heard[piece],
                event_ids=np.frombuffer(ids, np.uint8),
                partition=self._partition,
            )
            rows.values += self._written(examples, numbered)
        for row in np.flatnonzero(examples.arm[places]).tolist():
            arm, triggered = examples.arm[places[row]], examples.triggered[places[row]]
            rows.values[begun + row] = of_arm(rows.values[begun + row], arm, triggered)

    def _written(self, examples: Examples, rows: RowNumbers) -> list[bytes]:
        count = len(rows.places)
        room = count * (self._fixed_max + self._features_max) + len(rows.event_ids)
        if room > len(self._buffer):
            self._buffer = np.empty(room, np.uint8)
        write_rows(examples, self._texts, rows, self._buffer, self._stops)
        stops = self._stops[:count].tolist()
        whole = self._buffer[: stops[-1]].tobytes()
        return [whole[start:stop] for start, stop in pairwise([0, *stops])]

    def _follow_vocabulary(self) -> None:
        """Take in the texts of categories and the values of `count_by` that were admitted."""
        if self._known != self._admitted:
            self._texts = self._name_everything()
        texts = self._intake.vocabulary.texts
        if self._values.count < len(texts):
            for text in texts[self._values.count :]:
                self._values.add(encode_text(text)[1:-1])
            self._texts = self._texts._replace(
                values=self._values.text, value_spans=self._values.spans
            )

    @property
    def _admitted(self) -> int:
        return sum(len(values.places) for values in self._intake.count_by)

    @property
    def _features_max(self) -> int:
        categories = self._texts.categories.shape[1]
        return int(self._names_max + categories * (2 * self._values.longest + 8))

    def _name_everything(self) -> RowTexts:
        self._known = self._admitted
        plan = self._plan
        names = Table()
        columns = np.zeros((len(plan.campaigns), plan.arrays.columns.shape[1]), np.int32)
        categories = np.zeros((len(plan.campaigns), plan.arrays.categories.shape[1]), np.int32)
        crossed = np.zeros(categories.shape, np.int8)
        self._names_max = 0
        for index, own in enumerate(plan.layout.campaigns):
            pieces = [encode_text(name) + b":" for name in self._named(index)]
            columns[index, : len(pieces)] = [names.add(piece) for piece in pieces]
            parts = [plan.layout.categories[category] for category in own.categories]
            beginnings = [encode_text("×".join(part) + "=")[:-1] for part in parts]
            categories[index, : len(parts)] = [names.add(piece) for piece in beginnings]
            crossed[index, : len(parts)] = [len(part) > 1 for part in parts]
            bytes_of_names = sum(map(len, pieces)) + sum(map(len, beginnings))
            self._names_max = max(self._names_max, bytes_of_names + DECIMAL_MAX * len(pieces))
        return RowTexts(
            segments=self._segments.text,
            segment_spans=self._segments.spans,
            statuses=self._statuses.text,
            status_spans=self._statuses.spans,
            experts=self._experts.text,
            expert_spans=self._experts.spans,
            learners=self._learners.text,
            learner_spans=self._learners.spans,
            names=names.text,
            name_spans=names.spans,
            columns=columns,
            categories=categories,
            crossed=crossed,
            widths=np.array([len(own.names) for own in plan.layout.campaigns]),
            category_counts=np.array([len(own.categories) for own in plan.layout.campaigns]),
            values=self._values.text,
            value_spans=self._values.spans,
        )

    def _named(self, index: int) -> list[str]:
        columns = self._plan.layout.campaigns[index]
        texts = self._intake.vocabulary.texts
        values = [
            {place: texts[code] for code, place in group.places.items()}
            for group in self._intake.count_by
        ]
        names: list[str] = []
        for name, column in zip(columns.names, columns.columns, strict=True):
            group, place = divmod(column - self._plan.layout.count_by_start, COUNT_BY_VALUES_MAX)
            if 0 <= group < len(values):
                names.append(f"{name}={values[group].get(place, '')} {COUNT_BY_AGE}")
            else:
                names.append(name)
        return names


def exact_units(
    numbers: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], bytes]:
    """Numbers in steps of 1e-12; those that are not exactly so get a text, with its span.

    Examples
    --------
    >>> exact_units(np.array([[0.25, 1 / 3]]))[2]
    b'0.3333333333333333'
    """
    with np.errstate(over="ignore"):  # What is infinite then is not exact either.
        units = np.rint(numbers * NUMBER_UNITS_PER_ONE)
    exact = (np.abs(units) < UNITS_EXACT_MAX) & (units / NUMBER_UNITS_PER_ONE == numbers)
    exact &= ~((units == 0.0) & np.signbit(numbers))
    spans = np.zeros((*numbers.shape, 2), np.int64)
    texts: list[bytes] = []
    used = 0
    if not exact.all():
        where = np.nonzero(~exact)
        texts = [encode_text(number) for number in numbers[where].tolist()]
        for row, place, text in zip(*(axis.tolist() for axis in where), texts, strict=True):
            spans[row, place] = used, used + len(text)
            used += len(text)
    return np.where(exact, units, 0.0).astype(np.int64), spans, b"".join(texts)
