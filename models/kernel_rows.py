"""Rows in the compiled loop: from the features of a row to the columns of a learner.

Owns: the hinges, computed from the stored columns just as the scorer does.
Never: learning.
Source: hinge functions as in Friedman (1991), multivariate adaptive regression splines.
"""

from __future__ import annotations

from models.compiled import compiled
from models.plan import F8
from models.state import I8

NO_COLUMN = -1  # No hinge there, or the learner has no room for it.
NOT_ADMITTED = -2


@compiled
def expand_row(base: F8, column: I8, knots: F8, hinge_column: I8, values: F8) -> int:
    """Fill a learner's array from a row's features.

    Gives the first hinge that needs a column, as place times knots plus knot, or -1.
    """
    for place in range(column.shape[0]):
        value = base[place]
        if value == 0.0:
            continue
        if column[place] >= 0:
            values[column[place] + 1] = value
        for knot in range(knots.shape[0]):
            over = value - knots[knot]
            if over <= 0.0:
                break
            where = hinge_column[place, knot]
            if where == NOT_ADMITTED:
                return int(place * knots.shape[0] + knot)
            if where >= 0:
                values[where + 1] = over
    return -1
