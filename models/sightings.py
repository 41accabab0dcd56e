"""Names that one row has had, so that a second row can be told from the first.

Owns: a mark for each such name, by its hash, in bounded memory.
Never: holds a name; says of a name that was marked that it was not, but after it began anew.
Source: Bloom (1970) "Space/time trade-offs in hash coding with allowable errors", with one hash.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.hashed_columns import hash_of_name

MARKS = 1 << 16
MARKED_MAX = MARKS // 8
"""At most one name in eight is taken for another one; beyond, all marks are wiped."""


class Sightings:
    """Which names were seen before.

    A name may share its mark with another one, and then counts as seen; after 8,192 marks it
    begins anew, so that a name which comes seldom among ever new ones may have to come once more.

    Examples
    --------
    >>> sightings = Sightings()
    >>> sightings.again("sku=a-17"), sightings.again("sku=b-4"), sightings.again("sku=a-17")
    (False, False, True)
    """

    def __init__(self) -> None:
        self._marks = np.zeros(MARKS, np.bool_)
        self._marked = 0

    def again(self, name: str) -> bool:
        """Whether a name was seen before; it was, from now on."""
        place = int(hash_of_name(name)) % MARKS
        if self._marks[place]:
            return True
        if self._marked == MARKED_MAX:
            self._marks[:] = False
            self._marked = 0
        self._marks[place] = True
        self._marked += 1
        return False

    def to_state(self) -> tuple[dict[str, float], dict[str, NDArray[Any]]]:
        """Return everything needed to go on exactly: the places of the marks, ascending."""
        return {}, {"marks": np.flatnonzero(self._marks).astype(np.int32)}

    def from_state(self, _numbers: Mapping[str, float], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Become what `to_state` described; in a state from before there were marks are none.

        Raises
        ------
            ValueError: there are more marks than there can be, or a mark is nowhere.
        """
        places = arrays.get("marks", np.zeros(0, np.int32))
        if len(places) > MARKED_MAX or any(not 0 <= place < MARKS for place in places.tolist()):
            raise ValueError(f"{len(places)} marks of names, at most {MARKED_MAX} below {MARKS}")
        self._marks[:] = False
        self._marks[places] = True
        self._marked = int(self._marks.sum())
