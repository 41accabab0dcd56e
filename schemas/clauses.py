"""Clauses: which events are meant.

Owns: the conditions on an event and whether an event meets them.
Never: knows customers, windows or campaigns.
Source: the contract, `goal` and `score_on` of the campaign file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isnan

from schemas.event_values import PropertyValue, clean_number

VALUE = "$value"
"""In `where`: the event's value, as if it were a property."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What a property must be: one of `values`, or within the bounds."""

    values: tuple[PropertyValue, ...] | None = None
    gte: float | None = None
    gt: float | None = None
    lte: float | None = None
    lt: float | None = None

    def holds(self, found: object) -> bool:
        """Whether a property (None: absent) meets the condition; texts are read as numbers."""
        if found is None:
            return False
        if self.values is not None:
            return any(_equal(value, found) for value in self.values)
        number = clean_number(found)
        return (
            not isnan(number)
            and (self.gte is None or number >= self.gte)
            and (self.gt is None or number > self.gt)
            and (self.lte is None or number <= self.lte)
            and (self.lt is None or number < self.lt)
        )


@dataclass(frozen=True, slots=True)
class Clause:
    """Events of one type whose properties meet every condition."""

    event: str
    where: Mapping[str, Condition] = field(default_factory=dict)

    def meets(self, event_type: str, value: float, properties: Mapping[str, object]) -> bool:
        """Whether an event is meant; `value` is NaN when it has none."""
        return event_type == self.event and all(
            condition.holds(value if name == VALUE else properties.get(name))
            for name, condition in self.where.items()
        )

    @property
    def identity(self) -> tuple[object, ...]:
        """Equal for clauses that mean the same; hashable, sortable by its repr."""
        return (self.event, tuple(sorted((name, repr(c)) for name, c in self.where.items())))


@dataclass(frozen=True, slots=True)
class Goal:
    """What a customer may reach: any of the clauses, with what binds it to the scored event."""

    clauses: tuple[Clause, ...]
    match: tuple[str, ...] = ()
    after_ms: int = 0
    not_same: tuple[str, ...] = ()
    lost: Clause | None = None
    until: str | None = None
    absence: bool = False  # Reached where none of the clauses comes.


def _rule_name(key: str, rule: Condition) -> str:
    if rule.values is not None:
        return f"{key}={'|'.join(str(value) for value in rule.values)}"
    bounds = {">=": rule.gte, ">": rule.gt, "<=": rule.lte, "<": rule.lt}
    return " ".join(f"{key}{sign}{bound:g}" for sign, bound in bounds.items() if bound is not None)


def clause_name(clause: Clause) -> str:
    """`purchase`, or `line department=DELI` where the clause asks for more than the type."""
    return " ".join([clause.event, *(_rule_name(key, rule) for key, rule in clause.where.items())])


def _equal(value: PropertyValue, found: object) -> bool:
    """Equal and of one kind: true is not 1; a numeric text equals a declared number."""
    if isinstance(value, bool) or isinstance(found, bool):
        return value is found
    if isinstance(value, str):
        return value == found
    return clean_number(found) == value
