"""When a partition has too many dead letters: then its fold must stop and somebody must look.

Owns: the window of the last records, and the exact record at which a limit is hit.
Never: pauses, alerts or sends; whoever asks does that.
Source: a sender that went wrong refuses everything; thirty days later its letters are gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Rule = Literal["consecutive", "share"]

RECORDS_MIN = 100


@dataclass(frozen=True, slots=True)
class LimitHit:
    """Which limit was hit, at which record: the last one that may be folded.

    `refused` of the newest `records` were dead letters.
    """

    row: int
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

    The partition asks once per batch that it has folded, waits after a hit, and says it. Before it
    goes on it calls `forget`: somebody has looked.

    Parameters
    ----------
    consecutive_max: so many refused one after the other are too many.
    window: the share is that of so many newest records.
    share_max: a greater share is too much, once 100 records (or the window) were seen.

    Examples
    --------
    >>> limits = LetterLimits(consecutive_max=2)
    >>> print(limits.take([7, 8, 9], refused_rows=[0, 1]))
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
        self.forget()

    def forget(self) -> None:
        """Begin anew, as if no record had been seen."""
        self._held = np.zeros(0, np.bool_)  # The newest of the window, oldest first.
        self._consecutive = 0
        self._is_hit = False

    def take(self, offsets: Sequence[int], refused_rows: Sequence[int]) -> LimitHit | None:
        """Take in records, up to the one at which a limit is hit, if one is.

        What comes after that record is not taken in.
        """
        assert not self._is_hit, "a limit was hit; `forget` comes before more records"
        flags = np.zeros(len(offsets), np.bool_)
        flags[list(refused_rows)] = True
        hit = self._first_hit(offsets, flags) if refused_rows or self._held.any() else None
        if hit is not None:
            self._is_hit = True
            flags = flags[: hit.row + 1]
        self._consecutive = int(self._runs(flags)[-1]) if len(flags) else self._consecutive
        self._held = np.concatenate((self._held, flags))[-self._window :]
        return hit

    def _first_hit(self, offsets: Sequence[int], flags: NDArray[np.bool_]) -> LimitHit | None:
        """Find the first record at which either limit is hit; a run counts before a share."""
        runs = self._runs(flags)
        refused, records = self._shares(flags)
        in_a_row = runs >= self._consecutive_max
        too_many = (refused > self._share_max * records) & (records >= self._records_min)
        hits = np.flatnonzero(in_a_row | too_many)
        if not len(hits):
            return None
        row = int(hits[0])
        if in_a_row[row]:
            return LimitHit(row, offsets[row], "consecutive", int(runs[row]), int(runs[row]))
        return LimitHit(row, offsets[row], "share", int(refused[row]), int(records[row]))

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

    def to_state(self) -> tuple[dict[str, float], dict[str, NDArray[Any]]]:
        """Return everything needed to go on exactly; the array is a copy."""
        numbers = {"consecutive": float(self._consecutive), "is_hit": float(self._is_hit)}
        return numbers, {"refused": self._held.astype(np.uint8)}

    def from_state(self, numbers: Mapping[str, float], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Become what `to_state` described; of a longer window, the newest are kept."""
        self._held = arrays["refused"].astype(np.bool_)[-self._window :]
        self._consecutive = int(numbers["consecutive"])
        self._is_hit = bool(numbers["is_hit"])
