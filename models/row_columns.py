"""The features of rows as columns of a learner: which has which, hinges added.

Owns: the places of features that have a column, in their order, and the hinges of each; that a
    value is no column before a second row has it.
Never: decides how many names are admitted; the learner has the columns.
Source: ARCHITECTURE.md, "Two folds"; hinges are those of models.layout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from models.columns import COLUMNS_MAX
from models.kernel_learn_rows import Places
from models.kernel_rows import NO_COLUMN, NOT_ADMITTED, expand_row
from models.layout import HINGE_KNOTS
from models.learner import Challenger
from models.plan import Plan
from models.sightings import Sightings


class RowColumns:
    """Where the features of a campaign's rows stand in its learner.

    A value (of a category, or one with a counter of its own) gets a column with the second row that
    has it: many of the values that a log ever names come once, and would take the columns from
    those that come again. Any other feature has its column from its first row on.

    Parameters
    ----------
    known: called with the name and the place of each feature that gets a column.
    refused: called with the name of a feature for which there was none.
    """

    def __init__(
        self,
        plan: Plan,
        index: int,
        learner: Challenger,
        *,
        known: Callable[[str, int], None],
        refused: Callable[[str], None],
    ) -> None:
        self._learner = learner
        self._known = known
        self._refused = refused
        self._hinges = _hinges(plan, index)
        # By the campaign alone: what other campaigns of a file name must not change it.
        features = list(plan.file.campaigns.values())[index].features
        crosses = ("×".join(names) for names in features.crosses)
        counted = (f"{group.event} by {group.by}" for group in features.count_by)
        self._families = frozenset([*features.categories, *crosses, *counted])
        self.sightings = Sightings()
        self._knots = np.array(HINGE_KNOTS)
        self._feature_values = np.zeros(COLUMNS_MAX)
        self._row_values = np.zeros(COLUMNS_MAX + 1)
        self.forget()

    def forget(self) -> None:
        """Know no feature any more."""
        self.names: list[str] = []  # of the features that have a column, in their order
        self._places: dict[str, int] = {}
        self._column = np.zeros(0, np.int64)
        self._hinge_column = np.zeros((0, len(HINGE_KNOTS)), np.int64)

    def admit_all(self, columns: Iterable[str]) -> None:
        """Know the features of a learner that was restored, in the order of its columns."""
        hinges = set(self._hinges.values())
        for name in columns:
            if name not in hinges:
                self._take_in(name)

    @property
    def places(self) -> Places:
        """What the compiled loop gathers rows with (no copies)."""
        return Places(
            self._column, self._knots, self._hinge_column, self._feature_values, self._row_values
        )

    def places_of(self, names: Iterable[str]) -> NDArray[np.int32]:
        """The place of each feature, -1 where it has no column yet."""
        return np.array([self._places.get(name, -1) for name in names], np.int32)

    def values(self, features: Mapping[str, float]) -> NDArray[np.float64]:
        """The row as an array in the learner's columns, bias first, hinges added."""
        try:
            places = [self._places[name] for name in features]
        except KeyError:
            places = [self._admit(name) for name in features]
        base = np.zeros(len(self._places) + 1)  # The last takes what has no column.
        base[places] = list(features.values())
        while True:
            values = np.zeros(len(self._learner.columns) + 1)
            values[0] = 1.0
            missing = expand_row(base, self._column, self._knots, self._hinge_column, values)
            if missing < 0:
                return values
            place, knot = divmod(missing, len(HINGE_KNOTS))
            name = self._hinges[self.names[place], knot]
            has_room = len(self._learner.columns) < COLUMNS_MAX or name in self._learner.columns
            column = self._learner.index(name) if has_room else NO_COLUMN
            self._hinge_column[place, knot] = column

    def _admit(self, name: str) -> int:
        """The place of a row's feature among those that have a column, or -1.

        A feature without a column is not remembered: nothing grows with what rows may name, and
        a restored learner knows the same places, in the order of its columns.
        """
        place = self._places.get(name, -1)
        if place >= 0:
            return place
        family, sign, _ = name.partition("=")
        has_room = len(self._learner.columns) < COLUMNS_MAX  # Or it is refused, seen or not.
        is_value = sign and family in self._families
        if has_room and is_value and not self.sightings.again(name):
            return -1
        return self._take_in(name)

    def _take_in(self, name: str) -> int:
        """Give a feature its place and its column, if the learner has room for it."""
        place = -1
        column = self._learner.index(name)
        if column < 0:
            self._refused(name)
        else:
            place = len(self.names)
            self._known(name, place)
            self.names.append(name)
            self._places[name] = place
            self._column = np.append(self._column, column)
            hinged = [(name, knot) in self._hinges for knot in range(len(HINGE_KNOTS))]
            wanted = np.where(hinged, NOT_ADMITTED, NO_COLUMN).reshape(1, -1)
            self._hinge_column = np.append(self._hinge_column, wanted, axis=0)
        return place


def _hinges(plan: Plan, index: int) -> dict[tuple[str, int], str]:
    """The name of each hinge by the column that it bends and the number of its knot."""
    columns = plan.layout.campaigns[index]
    return {
        (columns.names[hinge.column], HINGE_KNOTS.index(hinge.knot)): hinge.name
        for hinge in columns.hinges
    }
