"""The trainer: a fold over one partition of training examples.

Owns: the learners of the campaigns whose rows arrive there, and how good they are.
Never: I/O, wall time, threads or randomness; rows are learned one by one, in log order.
Source: ARCHITECTURE.md, "Two folds".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.columns import COLUMNS_MAX
from models.distinct_counts import DistinctCounts
from models.kernel_rows import NO_COLUMN, NOT_ADMITTED, expand_row
from models.layout import HINGE_KNOTS
from models.learner import Learner, make_learner
from models.plan import Plan
from models.quality import make_quality, status
from models.recent_predictions import RecentPredictions
from models.row_text import EXPERTS
from models.serving import CHAMPION
from schemas.campaign import Campaign
from schemas.example import TrainingExample
from schemas.learner_state import LearnerState, pack_array, unpack_array
from schemas.model_record import ExpertWeights, ModelRecord, ModelStatus
from schemas.times import DAY_MS

MONTH_DAYS = 28
JUDGE_EVERY_ROWS_MAX = 100
STATUSES_OF_MODELS: tuple[ModelStatus, ...] = ("warming", "ready", "unreliable", "paused")
UNJUDGED = {"warming", "catching_up"}  # Nobody was served the learner's own prediction.


class CampaignLearner:
    """One learner of one campaign, with everything that is published or kept of it."""

    def __init__(self, plan: Plan, index: int) -> None:
        self.campaign: Campaign = list(plan.file.campaigns.values())[index]
        self.lineage = plan.lineages[index]
        self.version = 0
        self.covered = 0
        self.closed_by: dict[int, tuple[int, int]] = {}
        self.customers = DistinctCounts()
        self.recent = RecentPredictions()
        self.quality = make_quality(self.campaign.predict)
        self.learner: Learner = make_learner(
            self.campaign.learner, self.campaign.rate, plan.layout.campaigns[index].prior_variances
        )
        self._features = plan.features[index]
        self._day = -1
        self._judge_at = 1
        self._status: ModelStatus = STATUSES_OF_MODELS[0]
        self._quantiles = np.zeros(0)
        self._summary: dict[str, float | None] = {}
        self._label_sum = 0.0
        self._weight_sum = 0.0
        self._hinges = _hinges(plan, index)
        self._knots = np.array(HINGE_KNOTS)
        self._forget_places()

    def _forget_places(self) -> None:
        self._names: list[str] = []  # of the features that have a column, in their order
        self._places: dict[str, int] = {}
        self._column = np.zeros(0, np.int64)
        self._hinge_column = np.zeros((0, len(HINGE_KNOTS)), np.int64)

    def learn(self, row: TrainingExample) -> None:
        """Judge a row's prediction as it was served, then learn the row."""
        value = self.campaign.predict == "value"
        served = row.expected_value if value else row.probability
        closed_at_ms = row.closed_at_ms
        if served is not None and row.status not in UNJUDGED:
            self.quality.add(closed_at_ms, row.label, served, row.weight)
        self.customers.add(int(row.customer, 16), converted=row.label > 0.0)
        self._label_sum += row.label * row.weight
        self._weight_sum += row.weight
        day = closed_at_ms // DAY_MS
        if self._day >= 0 and day > self._day:
            self.learner.advance(day - self._day)
        self._day = max(day, self._day)
        values = self._values(row.features)
        self.recent.add(self.learner.predict_row(values))  # Before it has seen this row's label.
        self.learner.learn_row(values, row.label, row.weight)
        self.version += 1
        if self.version >= self._judge_at:
            self._judge()

    def _values(self, features: Mapping[str, float]) -> NDArray[np.float64]:
        """The row as an array in the learner's columns, bias first, hinges added."""
        try:
            places = [self._places[name] for name in features]
        except KeyError:
            places = [self._admit(name) for name in features]
        base = np.zeros(len(self._places) + 1)  # The last takes what has no column.
        base[places] = list(features.values())
        while True:
            values = np.zeros(len(self.learner.columns) + 1)
            values[0] = 1.0
            missing = expand_row(base, self._column, self._knots, self._hinge_column, values)
            if missing < 0:
                return values
            place, knot = divmod(missing, len(HINGE_KNOTS))
            name = self._hinges[self._names[place], knot]
            has_room = len(self.learner.columns) < COLUMNS_MAX or name in self.learner.columns
            self._hinge_column[place, knot] = self.learner.index(name) if has_room else NO_COLUMN

    def _admit(self, name: str) -> int:
        """The place of a row's feature among those that have a column, or -1.

        A feature without a column is not remembered: nothing grows with what rows may name, and
        a restored learner knows the same places, in the order of its columns.
        """
        place = self._places.get(name, -1)
        if place < 0 and (column := self.learner.index(name)) >= 0:
            place = len(self._names)
            self._names.append(name)
            self._places[name] = place
            self._column = np.append(self._column, column)
            hinged = [(name, knot) in self._hinges for knot in range(len(HINGE_KNOTS))]
            wanted = np.where(hinged, NOT_ADMITTED, NO_COLUMN).reshape(1, -1)
            self._hinge_column = np.append(self._hinge_column, wanted, axis=0)
        return place

    def _judge(self) -> None:
        """Look at quality again: after every row at first, then whenever rows grew by 1 %.

        The rule counts rows, so that records do not depend on when they are asked for.
        """
        self._judge_at = self.version + max(1, min(JUDGE_EVERY_ROWS_MAX, self.version // 100))
        self._status = status(self.customers, self.quality.window(MONTH_DAYS))
        self._quantiles = self.recent.quantiles()
        self._summary = self.quality.summary()

    def record(self) -> ModelRecord:
        """What scorers need to serve this learner."""
        weights = self.learner.weights.tolist()
        mean = self._label_sum / self._weight_sum if self._weight_sum > 0.0 else 0.0
        return ModelRecord(
            campaign=self.campaign.name,
            lineage=self.lineage,
            learner=CHAMPION,
            version=self.version,
            features=self._features,
            status=self._status,
            rate=self.campaign.rate if self.campaign.predict == "conversion" else mean,
            predict=self.campaign.predict,
            bias=self.learner.bias,
            columns=list(self.learner.columns),
            weights=weights,
            means=self.learner.means.tolist(),
            quantiles=self._quantiles.tolist(),
            experts={EXPERTS[0]: ExpertWeights(self.learner.bias, weights)},
            covered=self.covered,
            quality=dict(self._summary),
        )

    def state(self) -> LearnerState:
        """What a trainer needs to go on bit for bit."""
        parts = self.learner.to_state()
        numbers = {f"learner.{name}": number for name, number in parts.numbers.items()}
        arrays: dict[str, NDArray[Any]] = {f"learner.{k}": a for k, a in parts.arrays.items()}
        for prefix, holder in self._holders().items():
            more, held = holder.to_state()
            numbers |= {f"{prefix}.{name}": number for name, number in more.items()}
            arrays |= {f"{prefix}.{name}": array for name, array in held.items()}
        numbers |= {
            f"judged.{name}": found for name, found in self._summary.items() if found is not None
        }
        arrays["judgement"] = self._quantiles
        numbers |= {
            "judge_at": float(self._judge_at),
            "status": float(STATUSES_OF_MODELS.index(self._status)),
            "day": float(self._day), "label_sum": self._label_sum, "weight_sum": self._weight_sum
        }  # fmt: skip
        return LearnerState(
            campaign=self.campaign.name,
            lineage=self.lineage,
            learner=CHAMPION,
            covered=self.covered,
            closed_by={str(partition): last for partition, last in self.closed_by.items()},
            version=self.version,
            columns=parts.columns,
            numbers=numbers,
            arrays={name: pack_array(array) for name, array in arrays.items()},
        )

    def restore(self, state: LearnerState) -> None:
        """Go on from a state of the same lineage.

        Raises
        ------
            ValueError: the state is of a format that this program does not read.
        """
        arrays = {name: unpack_array(packed) for name, packed in state.arrays.items()}
        self.learner.from_state(
            state.columns, _part(state.numbers, "learner"), _part(arrays, "learner")
        )
        self._forget_places()
        hinges = set(self._hinges.values())
        for name in state.columns:
            if name not in hinges:
                self._admit(name)
        for prefix, holder in self._holders().items():
            holder.from_state(_part(state.numbers, prefix), _part(arrays, prefix))
        self._judge_at = int(state.numbers["judge_at"])
        self._status = STATUSES_OF_MODELS[int(state.numbers["status"])]
        self._quantiles = arrays["judgement"]
        judged = _part(state.numbers, "judged")
        self._summary = {name: judged.get(name) for name in self.quality.summary()}
        self._day = int(state.numbers["day"])
        self._label_sum = state.numbers["label_sum"]
        self._weight_sum = state.numbers["weight_sum"]
        self.version, self.covered = state.version, state.covered
        self.closed_by = {int(key): (last[0], last[1]) for key, last in state.closed_by.items()}

    def _holders(self) -> dict[str, Any]:
        return {"quality": self.quality, "recent": self.recent, "customers": self.customers}


class Trainer:
    """Folds the rows of one partition of training examples.

    Rows are taken once: those below a learner's covered offset, and those of a source partition
    at or before the last one learned, are skipped.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.learners: dict[str, CampaignLearner] = {}
        self.counts: Counter[tuple[str, str]] = Counter()
        self.changed: set[str] = set()

    def restore(self, states: Iterable[LearnerState]) -> None:
        """Take up the states of this partition; those of another lineage are left alone."""
        for state in states:
            learner = self._learner(state.campaign)
            if learner is not None and learner.lineage == state.lineage:
                learner.restore(state)

    def fold(self, offsets: Iterable[int], rows: Iterable[TrainingExample]) -> None:
        """Learn rows of the partition, in log order."""
        for offset, row in zip(offsets, rows, strict=True):
            learner = self._learner(row.campaign)
            if learner is None:
                self.counts["unknown campaign", row.campaign] += 1
                continue
            if offset < learner.covered:
                continue
            self.counts[self._take(learner, row), row.campaign] += 1
            learner.covered = offset + 1
            self.changed.add(row.campaign)

    @staticmethod
    def _take(learner: CampaignLearner, row: TrainingExample) -> str:
        if row.lineage != learner.lineage:
            return "superseded"
        closed_by = (row.closed_by.offset, row.closed_by.index)
        last = learner.closed_by.get(row.source.partition)
        if last is not None and closed_by <= last:
            return "repeated"
        learner.closed_by[row.source.partition] = closed_by
        learner.learn(row)
        return "learned"

    def states(self) -> list[LearnerState]:
        """The states of the learners in `changed`, in the order of the campaign file."""
        return [
            self.learners[name].state() for name in self._plan.campaigns if name in self.changed
        ]

    def records(self) -> list[ModelRecord]:
        """The model records of the learners in `changed`, in the order of the campaign file."""
        return [
            self.learners[name].record() for name in self._plan.campaigns if name in self.changed
        ]

    def _learner(self, campaign: str) -> CampaignLearner | None:
        learner = self.learners.get(campaign)
        if learner is None and campaign in self._plan.campaigns:
            learner = CampaignLearner(self._plan, self._plan.campaigns.index(campaign))
            self.learners[campaign] = learner
        return learner


def _hinges(plan: Plan, index: int) -> dict[tuple[str, int], str]:
    """The name of each hinge by the column that it bends and the number of its knot."""
    columns = plan.layout.campaigns[index]
    return {
        (columns.names[hinge.column], HINGE_KNOTS.index(hinge.knot)): hinge.name
        for hinge in columns.hinges
    }


Part = dict[str, Any]


def _part(whole: Mapping[str, Any], prefix: str) -> Part:
    return {k.partition(".")[2]: v for k, v in whole.items() if k.startswith(f"{prefix}.")}
