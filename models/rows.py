"""Closed examples as rows: names instead of places.

Owns: how a closed example is written down.
Never: decides whether or when it closes.
Source: schemas.example is the shape of a row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from models.batch import STATUSES
from models.intake import Intake
from models.layout import COUNT_BY_VALUES_MAX, UNITS_PER_ONE
from models.plan import Plan
from models.serving import CHAMPION
from models.state import Examples
from schemas.example import ClosedBy, ExampleSource, TrainingExample
from schemas.score import ModelRef
from schemas.times import format_time

CANDIDATES_MAX = 10  # A row stands for at most so many scored events.
EXPERTS = ("slow",)
COUNT_BY_AGE = "90d"


def customer_hash(key: bytes, customer: str) -> str:
    """16 hex digits that name a customer to whoever knows the key."""
    return hashlib.blake2b(customer.encode(), key=key, digest_size=8).hexdigest()


class RowWriter:
    """Writes the rows of one fold; names follow the fold's vocabulary."""

    def __init__(self, plan: Plan, intake: Intake, partition: int, hash_key: bytes) -> None:
        self._plan = plan
        self._intake = intake
        self._partition = partition
        self._hash_key = hash_key
        self._lineages = plan.lineages
        self._widths = np.array([len(columns.names) for columns in plan.layout.campaigns])
        self._values = [c.predict == "value" for c in plan.file.campaigns.values()]
        self._known = -1
        self._names: NDArray[np.object_] = np.zeros((0, 0), object)

    def write(
        self,
        examples: Examples,
        places: NDArray[np.int32],
        customers: Sequence[str],
        event_ids: Sequence[str],
    ) -> list[TrainingExample]:
        """The rows of closed examples, in the order of closing."""
        campaigns = -1 - examples.campaign[places]
        dense = self._dense(examples.units[places], campaigns)
        a, b = examples.category_a[places].tolist(), examples.category_b[places].tolist()
        rows: list[TrainingExample] = []
        for (
            row, campaign, served, answer, candidates, weight, experts, version, status,
            at_ms, closed_ms, offset, closed_offset, closed_index,
        ) in zip(
            range(len(places)),
            campaigns.tolist(),
            examples.served[places].tolist(),
            examples.answer[places].tolist(),
            np.minimum(examples.candidates[places], CANDIDATES_MAX).tolist(),
            examples.weight[places].tolist(),
            examples.experts[places].tolist(),
            examples.version[places].tolist(),
            examples.status[places].tolist(),
            examples.at_ms[places].tolist(),
            examples.closed_ms[places].tolist(),
            examples.offset[places].tolist(),
            examples.closed_offset[places].tolist(),
            examples.closed_index[places].tolist(),
            strict=True,
        ):  # fmt: skip
            lineage, value = self._lineages[campaign], self._values[campaign]
            rows.append(
                TrainingExample(
                    campaign=self._plan.campaigns[campaign],
                    lineage=lineage,
                    customer=customer_hash(self._hash_key, customers[row]),
                    event_id=event_ids[row],
                    as_of=format_time(at_ms),
                    closed_at=format_time(closed_ms),
                    source=ExampleSource(self._partition, offset),
                    closed_by=ClosedBy(closed_offset, closed_index),
                    label=answer if value else float(answer > 0.0),
                    weight=candidates * weight,
                    acted="none",
                    features=self._with_categories(campaign, dense[row], a[row], b[row]),
                    probability=None if value else served,
                    expected_value=served if value else None,
                    experts=dict(zip(EXPERTS, experts, strict=True)),
                    model=ModelRef(lineage, CHAMPION, version, self._plan.features[campaign]),
                    status=STATUSES[status],
                )
            )
        return rows

    def _dense(
        self, units: NDArray[np.int32], campaigns: NDArray[np.int16]
    ) -> list[dict[str, float]]:
        """The columns that are not 0, by name, of each row."""
        # A place keeps what a wider campaign left in it beyond the columns of this one.
        own = np.arange(units.shape[1]) < self._widths[campaigns][:, np.newaxis]
        row, column = np.nonzero((units != 0) & own)
        names = self._names_by_campaign()[campaigns[row], column].tolist()
        values = (units[row, column] / UNITS_PER_ONE).tolist()
        edges = np.searchsorted(row, np.arange(len(units) + 1)).tolist()
        return [
            dict(zip(names[first:stop], values[first:stop], strict=True))
            for first, stop in pairwise(edges)
        ]

    def _with_categories(
        self, campaign: int, features: dict[str, float], a: list[int], b: list[int]
    ) -> dict[str, float]:
        texts = self._intake.vocabulary.texts
        categories = self._plan.layout.campaigns[campaign].categories
        for category, first, second in zip(categories, a, b, strict=False):
            if first:
                parts = self._plan.layout.categories[category]
                text = texts[first] if len(parts) == 1 else f"{texts[first]}×{texts[second]}"
                features[f"{'×'.join(parts)}={text}"] = 1.0
        return features

    def _names_by_campaign(self) -> NDArray[np.object_]:
        """The names of the columns, [campaign, column]; follows the values that were admitted."""
        known = sum(len(values.places) for values in self._intake.count_by)
        if known != self._known:
            self._known = known
            campaigns = len(self._plan.campaigns)
            self._names = np.full((campaigns, self._plan.arrays.columns.shape[1]), "", object)
            for index in range(campaigns):
                names = self._named(index)
                self._names[index, : len(names)] = names
        return self._names

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
