"""Rows of one campaign, from bytes to arrays.

Owns: the names that a learner knows as they stand in JSON, and room for the rows of a batch.
Never: learns; reads a row in any form but the one that is written here.
Source: models.kernel_row_reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.batch import STATUSES
from models.columns import COLUMNS_MAX
from models.kernel_parse import enter_name
from models.kernel_row_reader import (
    READ_EXPERTS,
    KnownNames,
    ReadRows,
    RowForm,
    learnable_until,
    read_rows,
)
from models.plan import Plan
from models.row_text import Table, encode_text, experts_table, segments_of

ROWS_AT_ONCE: Final = 64
REFUSED_MAX: Final = 1024  # Names without room that are remembered, so that they cost little.
NAMES_MAX: Final = COLUMNS_MAX + REFUSED_MAX
_SLOTS: Final = 4096


def room_for_rows(experts: int) -> ReadRows:
    """Room for the rows of a batch; a row names no feature twice."""
    rows, numbers = ROWS_AT_ONCE, READ_EXPERTS + experts
    return ReadRows(
        customer=np.zeros(rows, np.uint64),
        as_of_ms=np.zeros(rows, np.int64),
        closed_ms=np.zeros(rows, np.int64),
        partition=np.zeros(rows, np.int64),
        closed_offset=np.zeros(rows, np.int64),
        closed_index=np.zeros(rows, np.int64),
        status=np.zeros(rows, np.int64),
        numbers=np.zeros((rows, numbers)),
        number_spans=np.zeros((rows, numbers, 2), np.int64),
        entry_stops=np.zeros(rows, np.int64),
        entry_places=np.zeros(rows * COLUMNS_MAX, np.int32),
        entry_values=np.zeros(rows * COLUMNS_MAX),
        refused=np.zeros(rows, np.int64),
    )


class RowReader:
    """Reads the rows of one campaign for one learner.

    A name is known by its place among the learner's features, or as one that has no room. What is
    remembered of names changes how fast a row is read, never what is read.
    """

    def __init__(self, plan: Plan, index: int) -> None:
        segments = Table(segments_of(plan, index))
        words = Table([*(status.encode() for status in STATUSES), b"null"])
        names = experts_table()
        # In campaigns with challengers rows are read one by one, whoever said something of them.
        experts = len(list(plan.file.campaigns.values())[index].experts)
        self._form = RowForm(
            segments.text,
            segments.spans[: segments.count],
            words.text,
            words.spans[: words.count],
            names.text,
            names.spans[:experts],
        )
        self._rows = room_for_rows(experts)
        self._text: NDArray[np.uint8] = np.zeros(0, np.uint8)
        self._edges = np.zeros(1, np.int64)
        self._bytes = b""
        self.forget()

    def forget(self) -> None:
        """Know no name."""
        self._table = Table()
        self._refused: set[str] = set()
        self._names = KnownNames(
            text=self._table.text,
            spans=self._table.spans,
            slots=np.zeros(_SLOTS, np.int64),
            places=np.zeros(NAMES_MAX, np.int32),
            marks=np.zeros(NAMES_MAX, np.int64),
            follows=np.full(NAMES_MAX + 1, -1, np.int32),
            row_mark=np.zeros(1, np.int64),
        )

    def know(self, name: str, place: int) -> None:
        """Read a name's values into a place from now on."""
        number = self._table.add(encode_text(name)[1:-1])
        assert number < NAMES_MAX
        self._names = self._names._replace(text=self._table.text, spans=self._table.spans)
        self._names.places[number] = place
        enter_name(self._names.text, self._names.spans, self._names.slots, number)

    def refuse(self, name: str) -> None:
        """Pass over a name from now on, for which there will never be room."""
        if name not in self._refused and len(self._refused) < REFUSED_MAX:
            self._refused.add(name)
            self.know(name, -1)

    @property
    def refused(self) -> list[str]:
        """The names that are passed over, as far as they are remembered, sorted."""
        return sorted(self._refused)

    @property
    def rows(self) -> ReadRows:
        """The rows of the batch, as far as they were read."""
        return self._rows

    def take(self, values: Sequence[bytes]) -> None:
        """Take up to 64 rows as the batch to be read."""
        self._bytes = b"".join(values)
        self._text = np.frombuffer(self._bytes, np.uint8)
        self._edges = np.array([0, *accumulate(map(len, values))])

    def read(self, first: int) -> int:
        """Read rows of the batch from `first` on: gives the first that has to be looked at.

        That is one in another form, or one that says what no row of ours can.
        """
        stop = int(read_rows(self._text, self._edges, first, self._form, self._names, self._rows))
        spans = self._rows.number_spans[first:stop]
        if spans.any():
            for row, number in np.argwhere(spans[:, :, 1] > 0).tolist():
                start, end = spans[row, number].tolist()
                self._rows.numbers[first + row, number] = float(self._bytes[start:end])
        return int(learnable_until(self._rows.numbers, first, stop))
