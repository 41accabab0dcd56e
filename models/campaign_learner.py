"""One learner of one campaign, with everything that is published or kept of it.

Owns: the steps of a row (judge what was served, predict, learn), and when quality is looked at.
Never: decides whether a row is to be learned; I/O, wall time, threads or randomness.
Source: ARCHITECTURE.md, "Two folds".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from models.column_learner import part_of
from models.dense_learner import DenseLearner
from models.distinct_counts import DistinctCounts
from models.hedged_logistic import HedgedLogisticRegression
from models.hurdle import HurdleRegression
from models.judgement import MONTH_DAYS, Judgement, Settled
from models.kernel_hurdle import Hurdle
from models.kernel_learn_rows import learn_rows
from models.kernel_row_reader import READ_LABEL
from models.learner import REGISTRY, Learner, make_challenger
from models.plan import Plan
from models.published_weights import expert_weights, value_weights
from models.recent_predictions import RecentPredictions, quantiles_of
from models.row_columns import RowColumns
from models.row_reader import ROWS_AT_ONCE, RowReader
from models.uplift import PRIOR_VARIANCE_OF_ACTING, Uplift, features_of, is_unjudged
from schemas.campaign import CHAMPION, Campaign
from schemas.example import TrainingExample, decode_example
from schemas.learner_state import LearnerState, pack_array, unpack_array
from schemas.model_record import ExpertWeights, ModelRecord, ModelStatus
from schemas.times import DAY_MS

JUDGE_EVERY_ROWS_MAX = 100
STATUSES_OF_MODELS: tuple[ModelStatus, ...] = ("warming", "ready", "unreliable", "paused")


class CampaignLearner:
    """One learner of one campaign, with everything that is published or kept of it.

    Parameters
    ----------
    name: one of the campaign's learners; those that are not linear are asked for no record.
    """

    def __init__(self, plan: Plan, index: int, name: str = CHAMPION) -> None:
        self.campaign: Campaign = list(plan.file.campaigns.values())[index]
        self.name = name
        self.lineage = plan.lineages[index]
        self.version = 0
        self.covered = 0
        self.closed_by: dict[int, tuple[int, int]] = {}
        self.customers = DistinctCounts()
        self.recent = RecentPredictions()
        self.judgement = Judgement(
            self.campaign.predict, self.campaign.horizon_ms, absence=self.campaign.goal.absence
        )
        self.quality = self.judgement.quality
        self.uplift = Uplift() if self.campaign.is_measured else None
        kind = self.campaign.kind_of(name)
        self.is_linear = REGISTRY[kind].is_linear
        paths = {challenger.kind: challenger.path for challenger in self.campaign.challengers}
        made = make_challenger(
            kind,
            self.campaign.rate,
            plan.layout.campaigns[index].prior_variances | PRIOR_VARIANCE_OF_ACTING,
            model_file=plan.model_files.get(paths.get(name, "")),
        )
        self.learner = cast("Learner", made)
        self.began: dict[str, int] = {}  # Up to these versions of others, a namesake's was heard,
        self.began_at_ms: int | None = 0  # and of what was scored by then; None before a row.
        self.predicted: float | None = None  # Of the last row, just before it was learned.
        self._features = plan.features[index]
        self._day = -1
        self._judge_at = 1
        self._status: ModelStatus = STATUSES_OF_MODELS[0]
        self._judged: NDArray[np.float64] | None = None
        self._sorted = np.zeros(0)
        self._summary: dict[str, float | None] = {}
        self._label_sum = 0.0
        self._weight_sum = 0.0
        self._reader = RowReader(plan, index)
        self._columns = RowColumns(
            plan, index, self.learner, known=self._know, refused=self._reader.refuse
        )
        self._predictions = np.zeros(ROWS_AT_ONCE)
        self._skipped = np.zeros(ROWS_AT_ONCE, np.bool_)
        self._no_smear = np.ones(2)
        self._predicts_value = self.campaign.predict == "value"
        self._columns.admit_all(self.learner.columns)  # Those of a model trained elsewhere.

    def _know(self, name: str, place: int) -> None:
        self._reader.know(name, place)
        self.judgement.know(place, name)

    @property
    def names(self) -> list[str]:
        """The features that have a column, in the order in which they got it; not to be changed."""
        return self._columns.names

    @property
    def names_refused(self) -> list[str]:
        """Features for which there was no column, as far as they are remembered: since a start."""
        return self._reader.refused

    def is_repeated(self, partition: int, offset: int, index: int) -> bool:
        """Whether what closed a row was learned already; if not, it is from now on."""
        last = self.closed_by.get(partition)
        if last is not None and (offset, index) <= last:
            return True
        self.closed_by[partition] = (offset, index)
        return False

    def take(self, values: Sequence[bytes]) -> None:
        """Take up to `ROWS_AT_ONCE` rows as the batch that `read` and `learn_read` are about."""
        self._batch = values
        self._reader.take(values)

    def read(self, first: int) -> int:
        """Read rows of the batch from `first` on: gives the first that cannot be read at once."""
        if not isinstance(self.learner, DenseLearner | HurdleRegression):
            return first
        return self._reader.read(first)

    def learn_read(self, first: int, stop: int) -> int:
        """Learn rows that were read, but for the repeated ones: gives how many those are."""
        rows = self._reader.rows
        closed_by = zip(
            rows.partition[first:stop].tolist(),
            rows.closed_offset[first:stop].tolist(),
            rows.closed_index[first:stop].tolist(),
            strict=True,
        )
        repeated = [self.is_repeated(*closing) for closing in closed_by]
        self._skipped[first:stop] = repeated
        while first < stop:
            reached = self._learn_some(first, stop)
            if reached == first:  # It asks for a column, for another day, or for a closer look.
                self.learn(decode_example(self._batch[first]))
                reached = first + 1
            first = reached
        return sum(repeated)

    def _learn_some(self, first: int, stop: int) -> int:
        """Take rows up to one that asks for more, or until quality is to be looked at."""
        learner = self.learner
        assert isinstance(learner, DenseLearner | HurdleRegression)
        is_hurdle = isinstance(learner, HurdleRegression)
        hurdle = learner.hurdle if is_hurdle else Hurdle(learner.posteriors, self._no_smear)
        totals = np.array([self._label_sum, self._weight_sum, 0.0, 0.0])
        was_silent = self.judgement.is_silent
        reached = int(
            learn_rows(
                self._reader.rows,
                self._skipped,
                first,
                stop,
                self._judge_at - self._rows_taken,
                learner.posteriors,
                hurdle,
                len(learner.columns) + 1,
                self._columns.places,
                self.judgement.judging,
                self._day,
                self._predicts_value,
                is_hurdle,
                totals,
                self._predictions,
            )
        )
        self._label_sum, self._weight_sum, refused, learned = totals.tolist()
        if reached > first:
            self.recent.extend(self._predictions[: int(learned)])
            learner.refuse(int(refused))
            if not self.customers.enough:
                self._count_customers(first, reached)
            self.version += int(learned)
            self._judge_in_time(was_silent=was_silent)
        return reached

    def _count_customers(self, first: int, stop: int) -> None:
        rows = self._reader.rows
        learned = np.flatnonzero(~self._skipped[first:stop]) + first
        converted = rows.numbers[learned, READ_LABEL] > 0.0
        for customer, is_converted in zip(
            rows.customer[learned].tolist(), converted.tolist(), strict=True
        ):
            self.customers.add(customer, converted=is_converted)

    def learn(self, row: TrainingExample, *, silent: bool | None = None) -> bool:
        """Judge a row's prediction as it was served, then learn the row, which is within bounds.

        While answers are silent, it is not learned; `silent` is what whoever serves finds of that.
        """
        was_silent = self.judgement.is_silent
        alone = self.judgement.add(self._settled(row))
        self.customers.add(int(row.customer, 16), converted=row.label > 0.0)
        day = row.closed_at_ms // DAY_MS
        if self._day >= 0 and day > self._day:
            self.learner.advance(day - self._day)
        self._day = max(day, self._day)
        learns = not (self.judgement.is_silent if silent is None else silent)
        if learns:
            self._learn_settled(row, alone=alone)
        self._judge_in_time(was_silent=was_silent)
        return learns

    def said_of(self, row: TrainingExample) -> float | None:
        """What it had said of a row when it was scored; None if nobody was served a prediction."""
        if is_unjudged(row) or not self._has_spoken(row):
            return None
        if self._predicts_value:
            return row.expected_value
        if row.model.learner == self.name:
            return row.probability
        return row.experts.get(self.name)

    def _has_spoken(self, row: TrainingExample) -> bool:
        own = row.model.version > self.began.get(row.model.learner, -1)
        return own and (not self.began_at_ms or row.as_of_ms > self.began_at_ms)

    def _settled(self, row: TrainingExample) -> Settled:
        features = row.features
        return Settled(
            row.closed_at_ms,
            row.label,
            self.said_of(row),
            row.weight,
            int(row.customer, 16),
            self._columns.places_of(features),
            np.array(list(features.values()), np.float64),
            row.delay_ms,
            row.status == "ready",
        )

    def _learn_settled(self, row: TrainingExample, *, alone: bool) -> None:
        self._label_sum += row.label * row.weight
        self._weight_sum += row.weight
        values = self._columns.values(features_of(row))
        self.predicted = self.learner.predict_row(values)  # Before it has seen this row's label.
        self.recent.add(self.predicted)
        if isinstance(self.learner, HedgedLogisticRegression | HurdleRegression):
            said = self._said(row, alone=alone)
            self.learner.learn_row(values, row.label, row.weight, said)
        else:
            self.learner.learn_row(values, row.label, row.weight)
        self.version += 1

    @property
    def status(self) -> ModelStatus:
        """The status when quality was last looked at."""
        return self._status

    @property
    def summary(self) -> Mapping[str, float | None]:
        """The figures when quality was last looked at."""
        return self._summary

    @property
    def _rows_taken(self) -> int:
        return self.version + self.judgement.rows_silent

    def _said(self, row: TrainingExample, *, alone: bool) -> NDArray[np.float64]:
        """What each expert said of a row when it was scored, if it is evidence of its own; or NaN.

        Rows of one customer whose horizons overlap have much the same answer, and the experts
        have learned it once already.
        """
        names = self.campaign.experts_of(self.name)
        if not (alone and row.experts.keys() >= set(names) and self._has_spoken(row)):
            return np.full(len(names), np.nan)
        return np.array([row.experts[name] for name in names])

    def _judge_in_time(self, *, was_silent: bool) -> None:
        """Look at quality again: after every row at first, then whenever rows grew by 1 %.

        The rule counts rows, so that records do not depend on when they are asked for. Where
        answers fall silent, or are heard again, it is looked at at once.
        """
        taken = self._rows_taken
        if taken < self._judge_at and was_silent == self.judgement.is_silent:
            return
        self._judge_at = taken + max(1, min(JUDGE_EVERY_ROWS_MAX, taken // 100))
        windows = self.quality.windows()
        self._status = self.judgement.status(self.customers, windows[MONTH_DAYS])
        self._judged = self.recent.held
        self._summary = self.judgement.summary(windows)

    @property
    def _quantiles(self) -> NDArray[np.float64]:
        """The quantiles of the predictions held when quality was last looked at.

        They are sorted when somebody asks, which is less often than quality is looked at.
        """
        if self._judged is not None:
            self._sorted = quantiles_of(self._judged)
            self._judged = None
        return self._sorted

    def record(self) -> ModelRecord:
        """What scorers need to serve this learner."""
        weights = self.learner.weights.tolist()
        mean = self._label_sum / self._weight_sum if self._weight_sum > 0.0 else 0.0
        return ModelRecord(
            campaign=self.campaign.name,
            lineage=self.lineage,
            learner=self.name,
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
            experts=self.experts(),
            value=value_weights(self.learner),
            covered=self.covered,
            quality=self._summary | ({} if self.uplift is None else self.uplift.summary()),
        )

    def experts(self) -> dict[str, ExpertWeights]:
        """What each expert of a mixture says on its own, and its share; none of any other."""
        return expert_weights(self.learner, self.campaign.experts_of(self.name))

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
            learner=self.name,
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
            state.columns, part_of(state.numbers, "learner"), part_of(arrays, "learner")
        )
        self._reader.forget()
        self._columns.forget()
        self._columns.admit_all(state.columns)
        for prefix, holder in self._holders().items():
            holder.from_state(part_of(state.numbers, prefix), part_of(arrays, prefix))
        self._judge_at = int(state.numbers["judge_at"])
        self._status = STATUSES_OF_MODELS[int(state.numbers["status"])]
        self._judged, self._sorted = None, arrays["judgement"]
        judged = part_of(state.numbers, "judged")
        self._summary = {name: judged.get(name) for name in self.judgement.summary()}
        self._day = int(state.numbers["day"])
        self._label_sum = state.numbers["label_sum"]
        self._weight_sum = state.numbers["weight_sum"]
        self.version, self.covered = state.version, state.covered
        self.closed_by = {int(key): (last[0], last[1]) for key, last in state.closed_by.items()}

    def _holders(self) -> dict[str, Any]:
        return {
            "quality": self.quality,
            "judgement": self.judgement,
            "recent": self.recent,
            "customers": self.customers,
            "sighted": self._columns.sightings,
            **({} if self.uplift is None else {"arms": self.uplift}),
        }
