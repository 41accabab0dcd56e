"""Model records as arrays in the columns of one fold.

Owns: which weight belongs to which column, hinge and category of this fold.
Never: changes a model, or keeps more than the newest record of each campaign.
Source: a model gathers its columns by name, so folds may number their values differently.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.batch import QUANTILES, RANKS, STATUSES, Scratch, ServedModels
from models.intake import Intake
from models.kernel_grid import (
    CONTRIBUTION_PLACES,
    PROBABILITY_PLACES,
    VALUE_PLACES,
    on_grid,
)
from models.kernel_lanes import PIECES
from models.kernel_scores import category_key
from models.layout import COUNT_BY_VALUES_MAX, HINGE_KNOTS
from models.model_number import model_number
from models.plan import LANES, Plan
from schemas.campaign import VOICES
from schemas.model_record import ExpertWeights, ModelRecord, ValueWeights

COUNT_BY_SUFFIX = " 90d"
KNOTS = np.array(HINGE_KNOTS)
IN_LANES = {"bias", "weights", "bend_slope", "bend_offset"}
KEY_LAST = np.uint64(0xFFFFFFFFFFFFFFFF)


class Term(NamedTuple):
    """One feature of a linear model: it adds `contribution`, which is weight · (value - mean)."""

    feature: str
    source: str
    value: float
    weight: float
    contribution: float


class Terms(NamedTuple):
    """The features that add most, the strongest first, and what all others add together."""

    strongest: list[Term]
    others: float


@dataclass
class _Campaign:
    """Where the columns of one campaign stand, by name."""

    places: dict[str, int]  # among the columns of its group
    hinges: dict[str, int]  # bend times knots plus knot
    categories: dict[str, int]  # plan's category by the name before `=`
    groups: dict[str, tuple[int, int]]  # count_by group and first place, by the name before `=`
    source_of_place: list[int]
    source_of_bend: list[int]
    source_of_category: dict[int, int]


@dataclass
class _Places:
    """Where the columns of a model record stand in a fold; `known` is the vocabulary's size."""

    known: tuple[int, int]
    columns: list[str]
    column_of: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    column: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    hinge_of: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    hinge: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    source: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    categories: list[tuple[int, int]] = field(default_factory=list)


class Serving:
    """The models that a fold serves; installs records and follows the fold's vocabulary."""

    def __init__(self, plan: Plan, intake: Intake) -> None:
        self._plan = plan
        self._intake = intake
        self.records: dict[str, ModelRecord] = {}
        self._campaigns = [_campaign(plan, index) for index in range(len(plan.campaigns))]
        self._known = (0, 0)
        self._places: dict[int, _Places] = {}
        self.models = self._empty()

    def install(self, record: ModelRecord) -> bool:
        """Serve a record from the next event on; one of another lineage is not ours."""
        if record.campaign not in self._plan.campaigns:
            return False
        index = self._plan.campaigns.index(record.campaign)
        if record.lineage != self._plan.lineages[index]:
            return False
        if self._plan.arrays.is_hurdle[index] and not isinstance(record.value, ValueWeights):
            return False
        self.records[record.campaign] = record
        self._fill(index, record)
        return True

    def uninstall(self, campaign: str) -> bool:
        """Serve the campaign as if no model of it had ever come; False if none had."""
        if self.records.pop(campaign, None) is None:
            return False
        index = self._plan.campaigns.index(campaign)
        self._places.pop(index, None)
        empty = _of_campaign(self._empty(), index)
        for served, nothing in zip(_of_campaign(self.models, index), empty, strict=True):
            served[...] = nothing
        return True

    def terms(self, campaign: str, room: Scratch, most: int) -> Terms:
        """What features that were just read add for a campaign, with the strongest one by one.

        By source they add up to the contributions of a score; nothing while no model serves.
        """
        record = self.records.get(campaign)
        if record is None or most == 0:
            return Terms([], 0.0)
        index = self._plan.campaigns.index(campaign)
        arrays, places, group = self._plan.arrays, self._places_of(index, record), index // LANES
        shared, bends = arrays.shared_columns[group], arrays.shared_bends[group]
        values = np.zeros(len(record.columns))
        values[places.column_of] = room.x[shared[places.column]]
        bent = room.x[bends[places.hinge // KNOTS.size]] - KNOTS[places.hinge % KNOTS.size]
        values[places.hinge_of] = np.maximum(bent, 0.0)
        active = {
            int(category_key(category, int(room.a[category]), int(room.b[category])))
            for category in self._campaigns[index].source_of_category
            if room.a[category] != 0
        }
        values[[place for key, place in places.categories if key in active]] = 1.0
        parts = np.array(record.weights) * (values - np.array(record.means))
        parts[places.source < 0] = 0.0  # Of what this fold does not have.
        order = np.argsort(-np.abs(parts), kind="stable")
        sources = self._plan.layout.sources
        strongest = [
            Term(record.columns[place], sources[places.source[place]], float(values[place]),
                 record.weights[place], float(parts[place]))
            for place in order[:most].tolist()
            if parts[place] != 0.0
        ]  # fmt: skip
        return Terms(strongest, float(parts[order[most:]].sum()))

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
        campaigns, groups = len(self._plan.campaigns), len(plan.shared_columns)
        rates = [c.rate for c in self._plan.file.campaigns.values()]
        values = plan.predicts_value == 1
        bias = np.zeros((groups, LANES))
        bias.reshape(-1)[:campaigns] = [
            math.log(rate / (1 - rate)) if is_logit else 0.0
            for is_logit, rate in zip(~values | (plan.is_hurdle == 1), rates, strict=True)
        ]
        by_expert = (campaigns, self._plan.experts_max + int(plan.is_hurdle.any()))
        bends = (plan.shared_bends.shape[1], PIECES)
        return ServedModels(
            status=np.zeros(campaigns, np.int64),
            version=np.zeros(campaigns, np.int64),
            rate=np.where(values, 0.0, rates),
            prior=np.array(rates),
            bias=bias,
            weights=np.zeros((*plan.shared_columns.shape, LANES)),
            bend_slope=np.zeros((*plan.shared_bends.shape, PIECES, LANES)),
            bend_offset=np.zeros((*plan.shared_bends.shape, PIECES, LANES)),
            baseline=np.zeros(campaigns),
            source_offset=np.zeros((campaigns, plan.sources)),
            quantiles=np.full((campaigns, RANKS), np.inf),
            category_keys=np.full((campaigns, 1), KEY_LAST, np.uint64),
            category_weights=np.zeros((campaigns, 1)),
            expert_bias=np.full(by_expert, np.nan),
            expert_weights=np.zeros((*by_expert, plan.shared_columns.shape[1])),
            expert_bend_slope=np.zeros((*by_expert, *bends)),
            expert_bend_offset=np.zeros((*by_expert, *bends)),
            expert_category_weights=np.zeros((*by_expert, 1)),
            value_factor=np.zeros(campaigns),
        )

    def _fill(self, index: int, record: ModelRecord) -> None:
        models, places = self.models, self._places_of(index, record)
        own = _of_campaign(models, index)
        weights = np.array(record.weights)
        parts = weights * np.array(record.means)
        models.status[index] = STATUSES.index(record.status)
        models.version[index] = model_number(record.learner, record.version)
        models.rate[index] = record.rate
        own.bias[...] = record.bias
        # On the grid of what is served, so that equal predictions tie.
        decimals = VALUE_PLACES if record.predict == "value" else PROBABILITY_PLACES
        models.quantiles[index, :QUANTILES] = [
            on_grid(each, decimals) for each in record.quantiles
        ] or 0.0
        _fill_weights(weights, places, own.weights, own.bend_slope, own.bend_offset)
        known = places.source >= 0
        models.source_offset[index] = -np.bincount(
            places.source[known], weights=parts[known], minlength=models.source_offset.shape[1]
        )
        baseline = record.bias - float(np.cumsum(models.source_offset[index])[-1])
        models.baseline[index] = on_grid(baseline, CONTRIBUTION_PLACES)
        self._fill_categories(index, [key for key, _ in places.categories])
        known_places = [place for _, place in places.categories]
        self.models.category_weights[index, : len(known_places)] = weights[known_places]
        self._fill_experts(index, record, places, known_places)

    def _fill_experts(
        self, index: int, record: ModelRecord, places: _Places, known_places: list[int]
    ) -> None:
        """Take in what experts and challengers say on their own, as far as the record has them.

        What a hurdle says of the value stands behind them.
        """
        self.models.expert_bias[index] = np.nan
        for name in self._plan.file.campaigns[record.campaign].voices:
            if name in record.experts:
                place = (index, VOICES.index(name))
                self._fill_own(place, record.experts[name], places, known_places)
        if isinstance(record.value, ValueWeights):
            behind = int(self._plan.arrays.experts[index])
            self._fill_own((index, behind), record.value, places, known_places)
            self.models.value_factor[index] = record.value.factor

    def _fill_own(
        self,
        place: tuple[int, int],
        own: ExpertWeights | ValueWeights,
        places: _Places,
        known_places: list[int],
    ) -> None:
        """Take in a linear sum of which no reasons are wanted, at its place among the experts."""
        models, weights = self.models, np.array(own.weights)
        models.expert_bias[place] = own.bias
        _fill_weights(
            weights, places, models.expert_weights[place], models.expert_bend_slope[place],
            models.expert_bend_offset[place],
        )  # fmt: skip
        models.expert_category_weights[place][: len(known_places)] = weights[known_places]

    def _places_of(self, index: int, record: ModelRecord) -> _Places:
        """Where each column of a record stands; looked up again only when something is new."""
        cached = self._places.get(index)
        if cached is None or cached.known != self._known or cached.columns != record.columns:
            cached = self._look_up(index, record.columns)
            self._places[index] = cached
        return cached

    def _look_up(self, index: int, columns: Sequence[str]) -> _Places:
        shape = self._campaigns[index]
        found = _Places(self._known, list(columns))
        dense: list[tuple[int, int]] = []
        hinges: list[tuple[int, int]] = []
        sources: list[int] = []
        for place, name in enumerate(columns):
            family, _, text = name.partition("=")
            source = -1
            if name in shape.places:
                dense.append((place, shape.places[name]))
                source = shape.source_of_place[shape.places[name]]
            elif name in shape.hinges:
                hinges.append((place, shape.hinges[name]))
                source = shape.source_of_bend[shape.hinges[name] // KNOTS.size]
            elif family in shape.groups:
                group, start = shape.groups[family]
                value = self._intake.vocabulary.codes.get(text.removesuffix(COUNT_BY_SUFFIX), 0)
                counter = self._intake.count_by[group].places.get(value, -1)
                if counter >= 0:
                    dense.append((place, start + counter))
                source = shape.source_of_place[start]
            elif family in shape.categories:
                category = shape.categories[family]
                key = self._category_key(category, text)
                if key is not None:
                    found.categories.append((key, place))
                source = shape.source_of_category[category]
            sources.append(source)
        found.categories.sort()
        found.column_of, found.column = _pairs(dense)
        found.hinge_of, found.hinge = _pairs(hinges)
        found.source = np.array(sources, np.int64)
        return found

    def _category_key(self, category: int, text: str) -> int | None:
        codes = self._intake.vocabulary.codes
        if len(self._plan.layout.categories[category]) == 1:
            return int(category_key(category, codes[text], 0)) if text in codes else None
        for cut in (index for index, letter in enumerate(text) if letter == "×"):
            a, b = codes.get(text[:cut]), codes.get(text[cut + 1 :])
            if a is not None and b is not None:
                return int(category_key(category, a, b))
        return None

    def _fill_categories(self, index: int, categories: list[int]) -> None:
        """Take in the keys, in their order, and make room for the weights."""
        models, width = self.models, self.models.category_keys.shape[1]
        if len(categories) > width:
            more = 2 * len(categories) - width
            grown = {
                "category_keys": (models.category_keys, KEY_LAST),
                "category_weights": (models.category_weights, 0.0),
                "expert_category_weights": (models.expert_category_weights, 0.0),
            }
            for name, (array, nothing) in grown.items():
                room = np.full((*array.shape[:-1], more), nothing, array.dtype)
                self.models = self.models._replace(**{name: np.concatenate([array, room], -1)})
        self.models.category_keys[index] = KEY_LAST
        self.models.category_keys[index, : len(categories)] = categories


def _fill_weights(
    weights: NDArray[np.float64],
    places: _Places,
    by_column: NDArray[np.float64],
    bend_slope: NDArray[np.float64],
    bend_offset: NDArray[np.float64],
) -> None:
    """Put a record's weights where the fold has the columns and the hinges."""
    by_column[:] = 0.0
    by_column[places.column] = weights[places.column_of]
    bent = np.zeros((len(bend_slope), KNOTS.size))
    bent.reshape(-1)[places.hinge] = weights[places.hinge_of]
    bend_slope[:, 1:] = np.cumsum(bent, axis=1)
    bend_offset[:, 1:] = -np.cumsum(bent * KNOTS, axis=1)


def _pairs(pairs: list[tuple[int, int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first and the second of each pair."""
    both = np.array(pairs, np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _of_campaign(models: ServedModels, index: int) -> ServedModels:
    """What belongs to one campaign, as views; a number is an array without a dimension."""
    group, lane = divmod(index, LANES)
    return ServedModels(
        **{
            name: array[group, ..., lane] if name in IN_LANES else array[index, ...]
            for name, array in models._asdict().items()
        }
    )


def _campaign(plan: Plan, index: int) -> _Campaign:
    own, sources, group = plan.layout.campaigns[index], plan.layout.sources, index // LANES
    shared = plan.arrays.shared_columns[group].tolist()
    bends = plan.arrays.shared_bends[group].tolist()
    groups: dict[str, tuple[int, int]] = {}
    places: dict[str, int] = {}
    for column, name in zip(own.columns, own.names, strict=True):
        counted, place = column - plan.layout.count_by_start, shared.index(column)
        if 0 <= counted < COUNT_BY_VALUES_MAX * len(plan.layout.count_by):
            groups.setdefault(name, (counted // COUNT_BY_VALUES_MAX, place))
        else:
            places[name] = place
    categories = {"×".join(plan.layout.categories[c]): c for c in own.categories}
    source_of = [sources.index(column.source) for column in plan.layout.columns]
    return _Campaign(
        places=places,
        hinges={
            hinge.name: bends.index(own.columns[hinge.column]) * KNOTS.size
            + HINGE_KNOTS.index(hinge.knot)
            for hinge in own.hinges
        },
        categories=categories,
        groups=groups,
        source_of_place=[source_of[column] for column in shared if column >= 0],
        source_of_bend=[source_of[column] for column in bends if column >= 0],
        source_of_category={c: sources.index(name) for name, c in categories.items()},
    )
