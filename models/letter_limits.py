"""When a partition has too many dead letters, so that somebody must look: a fold of its own.

Owns: the window of the last records, and the exact records at which a limit is hit.
Never: pauses, alerts or sends; whoever asks does that.
Source: a sender that went wrong refuses everything; thirty days later its letters are gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.lifted import Lifted

Rule = Literal["consecutive", "share"]

RECORDS_MIN = 100


@dataclass(frozen=True, slots=True)
class LimitHit:
    """Which limit was hit, at the record of which offset.

    `refused` of the newest `records` were dead letters.
    """

    offset: int
    rule: Rule
    refused: int
    records: int

    def __str__(self) -> str:
        """One sentence for whoever is called."""
        if self.rule == "consecutive":
            return f"The last {self.refused} records up to offset {self.offset} are dead letters."
        return (
            f"{self.refused} of the last {self.records} records up to offset {self.offset} "
            "are dead letters."
        )


class LetterLimits:
    """Judges the records of one partition in log order, in batches that may be cut anywhere.

    Behind a record at which a limit is hit the window begins anew, as if none had been seen: so
    which records hit depends on the log alone, and neither on batches nor on restarts.

    Parameters
    ----------
    consecutive_max: so many refused one after the other are too many.
    window: the share is that of so many newest records.
    share_max: a greater share is too much, once 100 records (or the window) were seen.

    Examples
    --------
    >>> limits = LetterLimits(consecutive_max=2)
    >>> print(*limits.take([7, 8, 9, 10], refused_rows=[0, 1, 3]))
    The last 2 records up to offset 8 are dead letters.
    """

    def __init__(
        self, consecutive_max: int = 100, window: int = 1_000, share_max: float = 0.5
    ) -> None:
        assert consecutive_max >= 1
        assert window >= 1
        self._consecutive_max = consecutive_max
        self._window = window
        self._share_max = share_max
        self._records_min = min(RECORDS_MIN, window)
        self._begin()

    def _begin(self) -> None:
        self._held = np.zeros(0, np.bool_)  # The newest of the window, oldest first.
        self._consecutive = 0

    def take(self, offsets: Sequence[int], refused_rows: Sequence[int]) -> list[LimitHit]:
        """Take in records; gives the hits among them, in log order."""
        flags = np.zeros(len(offsets), np.bool_)
        flags[list(refused_rows)] = True
        hits: list[LimitHit] = []
        while (row := self._first_hit(flags)) is not None:
            hits.append(self._hit(offsets[row - len(flags)], flags, row))
            self._begin()
            flags = flags[row + 1 :]
        if len(flags):
            self._consecutive = int(self._runs(flags)[-1])
            self._held = np.concatenate((self._held, flags))[-self._window :]
        return hits

    def _first_hit(self, flags: NDArray[np.bool_]) -> int | None:
        """The first row at which either limit is hit."""
        if not (flags.any() or self._held.any()):
            return None
        refused, records = self._shares(flags)
        too_many = (refused > self._share_max * records) & (records >= self._records_min)
        hits = np.flatnonzero(too_many | (self._runs(flags) >= self._consecutive_max))
        return int(hits[0]) if len(hits) else None

    def _hit(self, offset: int, flags: NDArray[np.bool_], row: int) -> LimitHit:
        """Say which limit it was; a run counts before a share."""
        run = int(self._runs(flags)[row])
        if run >= self._consecutive_max:
            return LimitHit(offset, "consecutive", run, run)
        refused, records = self._shares(flags)
        return LimitHit(offset, "share", int(refused[row]), int(records[row]))

    def _runs(self, flags: NDArray[np.bool_]) -> NDArray[np.int64]:
        """How many were refused one after the other, up to and with each record."""
        rows = np.arange(len(flags))
        last_sound = np.maximum.accumulate(np.where(flags, -1 - self._consecutive, rows))
        runs: NDArray[np.int64] = rows - last_sound
        return runs

    def _shares(self, flags: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """How many were refused among the newest, and how many these are, at each record."""
        before = len(self._held)
        refused_until = np.concatenate(([0], np.cumsum(np.concatenate((self._held, flags)))))
        ends = np.arange(before + 1, before + len(flags) + 1)
        starts = np.maximum(ends - self._window, 0)
        return refused_until[ends] - refused_until[starts], ends - starts

    def lift(self) -> Lifted:
        """Everything needed to go on exactly, under names that no other fold has."""
        return Lifted({"letters": self._held}, {"letters_consecutive": self._consecutive})

    def restore(self, lifted: Lifted) -> None:
        """Become what was lifted; of a longer window, the newest are kept.

        A snapshot that was written before windows were kept has none: it is empty then.
        """
        held = lifted.arrays.get("letters", np.zeros(0, np.bool_))
        self._held = held[-self._window :]
        self._consecutive = int(lifted.facts.get("letters_consecutive", 0))
