"""The distinct clauses of a campaign file, numbered: a clause is a bit.

Owns: which clauses are one, those on events and those on customers.
Never: asks whether a clause holds.
Source: models.plan compiles the whole file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from schemas.campaign import Campaign
from schemas.clauses import Clause
from schemas.customer_clauses import CustomerClause


class ClauseNumbers:
    """Numbers the distinct clauses of a file; equal clauses share a bit."""

    def __init__(self) -> None:
        self.bits: dict[object, int] = {}
        self.clauses: list[Clause] = []

    def mask(self, clauses: Sequence[Clause]) -> int:
        """The bits of these clauses; an event satisfies one of them if it has one of the bits."""
        mask = 0
        for clause in clauses:
            key = clause.identity
            if key not in self.bits:
                self.bits[key] = len(self.bits)
                self.clauses.append(clause)
            mask |= 1 << self.bits[key]
        return mask

    def timer(self, campaign: Campaign) -> int:
        """The bit that stands for a campaign's timer, 0 where it has none."""
        if not campaign.is_timed:
            return 0
        return 1 << self.bits.setdefault(("timer", campaign.name), len(self.bits))


class CustomerClauseNumbers:
    """Numbers the distinct clauses on customers, and the events whose last time they ask for.

    Clauses that ask for the same event, within whatever time, share a register.
    """

    def __init__(self) -> None:
        self.bits: dict[object, int] = {}
        self.clauses: list[CustomerClause] = []
        self.registers: list[Clause] = []
        self._places: dict[object, int] = {}

    def mask(self, clauses: Sequence[CustomerClause]) -> int:
        """The bits of these clauses; those that mean the same share one."""
        mask = 0
        for clause in clauses:
            if clause.identity not in self.bits:
                self.bits[clause.identity] = len(self.bits)
                self.clauses.append(clause)
            mask |= 1 << self.bits[clause.identity]
            if clause.event is not None and clause.event.identity not in self._places:
                self._places[clause.event.identity] = len(self.registers)
                self.registers.append(clause.event)
        return mask

    def arrays(self, remembered: Sequence[str]) -> dict[str, Any]:
        """What the compiled loop reads of the clauses, by their numbers."""
        registers = [
            -1 if clause.event is None else self._places[clause.event.identity]
            for clause in self.clauses
        ]
        within = [-1 if each.within_ms is None else each.within_ms for each in self.clauses]
        properties = [
            -1 if clause.last is None else remembered.index(clause.last) for clause in self.clauses
        ]
        return {
            "clause_register": np.array(registers, dtype=np.int32),
            "clause_within_ms": np.array(within, dtype=np.int64),
            "clause_property": np.array(properties, dtype=np.int32),
        }
