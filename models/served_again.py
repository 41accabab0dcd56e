"""What was served, read back from the score records of a partition.

Owns: finding what was said of an event and a campaign, for the examples that it opened.
Never: a model: those of that moment may be gone.
Source: ARCHITECTURE.md, "Recovery".
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from models.batch import STATUSES
from models.plan import Plan
from schemas.score import ScoreRecord

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]


class ServedAgain:
    """Predictions by the offset of their event and their campaign; the last one said counts."""

    def __init__(self, plan: Plan) -> None:
        self._campaigns = {name: index for index, name in enumerate(plan.campaigns)}
        self._values = [c.predict == "value" for c in plan.file.campaigns.values()]
        self._lineages = plan.lineages
        self._statuses = {status: number for number, status in enumerate(STATUSES)}
        self._keys: list[int] = []
        self._served: list[float] = []
        self._versions: list[int] = []
        self._said: list[int] = []
        self._order: I8 | None = None

    def __len__(self) -> int:
        """Return how many predictions there are."""
        return len(self._keys)

    def add(self, records: Iterable[ScoreRecord]) -> None:
        """Take in score records in the order in which they left."""
        for record in records:
            base = record.source.offset * len(self._campaigns)
            for entry in record.scores:
                campaign = self._campaigns.get(entry.campaign)
                if campaign is None or entry.model.lineage != self._lineages[campaign]:
                    continue
                served = entry.expected_value if self._values[campaign] else entry.probability
                if served is not None:
                    self._keys.append(base + campaign)
                    self._served.append(served)
                    self._versions.append(entry.model.version)
                    self._said.append(self._statuses[entry.status])
        self._order = None

    def of(self, offsets: I8, campaigns: I8) -> tuple[NDArray[np.bool_], F8, I8, I8]:
        """Which predictions are known, and what was served, by which version, in which status."""
        if not self._keys:
            nothing = np.zeros(len(offsets), np.int64)
            return nothing > 0, np.zeros(len(offsets)), nothing, nothing
        if self._order is None:
            # Stable: of equal keys the last said comes last.
            self._order = np.argsort(np.array(self._keys, np.int64), kind="stable")
            self._sorted = np.array(self._keys, np.int64)[self._order]
            self._columns = (
                np.array(self._served),
                np.array(self._versions, np.int64),
                np.array(self._said, np.int64),
            )
        asked = offsets * len(self._campaigns) + campaigns
        found = np.searchsorted(self._sorted, asked, side="right") - 1
        known = found >= 0
        known[known] = self._sorted[found[known]] == asked[known]
        rows = self._order[np.where(known, found, 0)]
        served, versions, said = self._columns
        return known, served[rows], versions[rows], said[rows]
