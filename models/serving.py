"""Model records as arrays in the columns of one fold.

Owns: which weight belongs to which column, hinge and category of this fold.
Never: changes a model, or keeps more than the newest record of each campaign.
Source: a model gathers its columns by name, so folds may number their values differently.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from models.batch import QUANTILES, STATUSES, ServedModels
from models.intake import Intake
from models.kernel_scores import category_key
from models.layout import COUNT_BY_VALUES_MAX
from models.plan import Plan
from schemas.model_record import ModelRecord

CHAMPION = "champion"
KEY_LAST = np.uint64(0xFFFFFFFFFFFFFFFF)


@dataclass
class _Campaign:
    """Where the columns of one campaign stand, by name."""

    places: dict[str, int]  # among the campaign's own columns
    hinges: dict[str, int]
    categories: dict[str, int]  # plan's category by the name before `=`
    groups: dict[str, tuple[int, int]]  # count_by group and first place, by the name before `=`
    source_of_place: list[int]
    source_of_category: dict[int, int]


class Serving:
    """The models that a fold serves; installs records and follows the fold's vocabulary."""

    def __init__(self, plan: Plan, intake: Intake) -> None:
        self._plan = plan
        self._intake = intake
        self.records: dict[str, ModelRecord] = {}
        self._campaigns = [_campaign(plan, index) for index in range(len(plan.campaigns))]
        self._known = (0, 0)
        self.models = self._empty()

    def install(self, record: ModelRecord) -> bool:
        """Serve a record from the next event on; one of another lineage is not ours."""
        if record.campaign not in self._plan.campaigns:
            return False
        index = self._plan.campaigns.index(record.campaign)
        if record.lineage != self._plan.lineages[index]:
            return False
        self.records[record.campaign] = record
        self._fill(index, record)
        return True

    def follow_vocabulary(self) -> None:
        """Give weights to values that this fold has numbered since the records came."""
        known = (
            len(self._intake.vocabulary.texts),
            sum(len(values.places) for values in self._intake.count_by),
        )
        if known != self._known:
            self._known = known
            for campaign, record in self.records.items():
                index = self._plan.campaigns.index(campaign)
                if any("=" in name for name in record.columns):
                    self._fill(index, record)

    def _empty(self) -> ServedModels:
        plan = self._plan.arrays
        campaigns = len(self._plan.campaigns)
        rates = [c.rate for c in self._plan.file.campaigns.values()]
        values = [c.predict == "value" for c in self._plan.file.campaigns.values()]
        return ServedModels(
            status=np.zeros(campaigns, np.int64),
            version=np.zeros(campaigns, np.int64),
            rate=np.array([0.0 if v else r for v, r in zip(values, rates, strict=True)]),
            bias=np.array(
                [0.0 if v else math.log(r / (1 - r)) for v, r in zip(values, rates, strict=True)]
            ),
            weights=np.zeros(plan.columns.shape),
            hinge_weights=np.zeros(plan.hinge_column.shape),
            baseline=np.zeros(campaigns),
            source_offset=np.zeros((campaigns, plan.sources)),
            quantiles=np.zeros((campaigns, QUANTILES)),
            category_keys=np.full((campaigns, 1), KEY_LAST, np.uint64),
            category_weights=np.zeros((campaigns, 1)),
        )

    def _fill(self, index: int, record: ModelRecord) -> None:
        models, shape = self.models, self._campaigns[index]
        for array in (models.weights, models.hinge_weights, models.source_offset):
            array[index] = 0.0
        models.status[index] = STATUSES.index(record.status)
        models.version[index] = record.version
        models.rate[index] = record.rate
        models.bias[index] = record.bias
        models.quantiles[index] = record.quantiles or 0.0
        categories: list[tuple[int, float]] = []
        for name, weight, mean in zip(record.columns, record.weights, record.means, strict=True):
            source = self._place(index, name, weight, shape, categories)
            if source >= 0:
                models.source_offset[index, source] -= weight * mean
        models.baseline[index] = record.bias - float(np.cumsum(models.source_offset[index])[-1])
        self._fill_categories(index, sorted(categories))

    def _place(
        self,
        index: int,
        name: str,
        weight: float,
        shape: _Campaign,
        categories: list[tuple[int, float]],
    ) -> int:
        """Put one weight where its column stands and give its source, or -1."""
        if name in shape.places:
            place = shape.places[name]
            self.models.weights[index, place] = weight
            return shape.source_of_place[place]
        if name in shape.hinges:
            hinge = shape.hinges[name]
            self.models.hinge_weights[index, hinge] = weight
            column = int(self._plan.arrays.hinge_column[index, hinge])
            return shape.source_of_place[column]
        family, _, text = name.partition("=")
        if family in shape.groups:
            group, start = shape.groups[family]
            value = self._intake.vocabulary.codes.get(text.removesuffix(" 90d"), 0)
            place = self._intake.count_by[group].places.get(value, -1)
            if place >= 0:
                self.models.weights[index, start + place] = weight
            return shape.source_of_place[start]
        if family in shape.categories:
            category = shape.categories[family]
            key = self._category_key(category, text)
            if key is not None:
                categories.append((key, weight))
            return shape.source_of_category[category]
        return -1

    def _category_key(self, category: int, text: str) -> int | None:
        codes = self._intake.vocabulary.codes
        if len(self._plan.layout.categories[category]) == 1:
            return int(category_key(category, codes[text], 0)) if text in codes else None
        for cut in (index for index, letter in enumerate(text) if letter == "×"):
            a, b = codes.get(text[:cut]), codes.get(text[cut + 1 :])
            if a is not None and b is not None:
                return int(category_key(category, a, b))
        return None

    def _fill_categories(self, index: int, categories: list[tuple[int, float]]) -> None:
        width = self.models.category_keys.shape[1]
        if len(categories) > width:
            campaigns = len(self._plan.campaigns)
            size = 2 * len(categories)
            keys = np.full((campaigns, size), KEY_LAST, np.uint64)
            weights = np.zeros((campaigns, size))
            keys[:, :width] = self.models.category_keys
            weights[:, :width] = self.models.category_weights
            self.models = self.models._replace(category_keys=keys, category_weights=weights)
        self.models.category_keys[index] = KEY_LAST
        for place, (key, weight) in enumerate(categories):
            self.models.category_keys[index, place] = key
            self.models.category_weights[index, place] = weight


def _campaign(plan: Plan, index: int) -> _Campaign:
    columns = plan.layout.campaigns[index]
    groups: dict[str, tuple[int, int]] = {}
    places: dict[str, int] = {}
    for place, name in enumerate(columns.names):
        group = columns.columns[place] - plan.layout.count_by_start
        if 0 <= group < COUNT_BY_VALUES_MAX * len(plan.layout.count_by):
            groups.setdefault(name, (group // COUNT_BY_VALUES_MAX, place))
        else:
            places[name] = place
    categories = {"×".join(plan.layout.categories[c]): c for c in columns.categories}
    sources = plan.layout.sources
    return _Campaign(
        places=places,
        hinges={hinge.name: place for place, hinge in enumerate(columns.hinges)},
        categories=categories,
        groups=groups,
        source_of_place=[int(s) for s in plan.arrays.column_source[index]],
        source_of_category={c: sources.index(name) for name, c in categories.items()},
    )
