"""Clauses on a customer: what must be known of one, at a moment.

Owns: last known values, events within a time, and events that never happened.
Never: knows a customer; models.kernel_clauses asks what is known.
Source: the contract, `for` of the campaign file.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.clauses import Clause, clause_name
from schemas.durations import format_duration
from schemas.event_values import PropertyValue, text_of_value


@dataclass(frozen=True, slots=True)
class CustomerClause:
    """A last known value is one of some, or an event happened lately, or it never did.

    Either `last` and `values`, or `event`, which never happened where `within_ms` is None.
    """

    last: str | None = None
    values: tuple[PropertyValue, ...] = ()
    event: Clause | None = None
    within_ms: int | None = None

    @property
    def identity(self) -> tuple[object, ...]:
        """Equal for clauses that mean the same; hashable."""
        event = None if self.event is None else self.event.identity
        return (self.last, tuple(sorted(self.texts)), event, self.within_ms)

    @property
    def texts(self) -> frozenset[str]:
        """The values as texts: a last known value is compared as text, 3 and "3" are one."""
        return frozenset(map(text_of_value, self.values))

    @property
    def name(self) -> str:
        """In a few words, as a label of a metric.

        Examples
        --------
        >>> CustomerClause(last="country", values=("DE", "AT")).name
        'country is AT|DE'
        >>> CustomerClause(event=Clause("page_view"), within_ms=60 * 86_400_000).name
        'page_view within 60d'
        >>> CustomerClause(event=Clause("account_closed")).name
        'account_closed never'
        """
        if self.event is None:
            return f"{self.last} is {'|'.join(sorted(self.texts))}"
        when = "never" if self.within_ms is None else f"within {format_duration(self.within_ms)}"
        return f"{clause_name(self.event)} {when}"
