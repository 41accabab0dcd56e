"""Closed examples as rows: names instead of places.

Owns: how a closed example is written down.
Never: decides whether or when it closes.
Source: schemas.example is the shape of a row.
"""

from __future__ import annotations

import hashlib

from models.batch import STATUSES
from models.intake import Intake
from models.layout import COUNT_BY_VALUES_MAX
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
        self._known = -1
        self._names: list[list[str]] = []

    def write(
        self, examples: Examples, place: int, customer: str, event_id: str
    ) -> TrainingExample:
        """The row of a closed example."""
        index = -1 - int(examples.campaign[place])
        campaign = list(self._plan.file.campaigns.values())[index]
        value = campaign.predict == "value"
        served = float(examples.served[place])
        answer = float(examples.answer[place])
        candidates = min(int(examples.candidates[place]), CANDIDATES_MAX)
        experts = examples.experts[place].tolist()
        return TrainingExample(
            campaign=campaign.name,
            lineage=self._plan.lineages[index],
            customer=customer_hash(self._hash_key, customer),
            event_id=event_id,
            as_of=format_time(int(examples.at_ms[place])),
            closed_at=format_time(int(examples.closed_ms[place])),
            source=ExampleSource(self._partition, int(examples.offset[place])),
            closed_by=ClosedBy(
                int(examples.closed_offset[place]), int(examples.closed_index[place])
            ),
            label=answer if value else float(answer > 0.0),
            weight=candidates * float(examples.weight[place]),
            acted="none",
            features=self._features(examples, place, index),
            probability=None if value else served,
            expected_value=served if value else None,
            experts=dict(zip(EXPERTS, experts, strict=True)),
            model=ModelRef(
                self._plan.lineages[index],
                CHAMPION,
                int(examples.version[place]),
                self._plan.features[index],
            ),
            status=STATUSES[examples.status[place]],
        )

    def _features(self, examples: Examples, place: int, index: int) -> dict[str, float]:
        names = self._campaign_names(index)
        x = examples.x[place].tolist()
        features = {name: value for name, value in zip(names, x, strict=False) if value}
        texts = self._intake.vocabulary.texts
        for position, category in enumerate(self._plan.layout.campaigns[index].categories):
            a = int(examples.category_a[place, position])
            if a:
                parts = self._plan.layout.categories[category]
                text = texts[a]
                if len(parts) > 1:
                    text = f"{text}×{texts[int(examples.category_b[place, position])]}"
                features[f"{'×'.join(parts)}={text}"] = 1.0
        return features

    def _campaign_names(self, index: int) -> list[str]:
        known = sum(len(values.places) for values in self._intake.count_by)
        if known != self._known:
            self._known = known
            self._names = [self._named(i) for i in range(len(self._plan.campaigns))]
        return self._names[index]

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
