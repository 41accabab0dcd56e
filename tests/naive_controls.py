"""Control facts said plainly: questions to the whole log, and control facts for logs of tests.

Owns: what a control fact that was obeyed means for a customer at an event.
Never: a state; who is suppressed is asked of the log anew.
Source: docs/contract.md, "Control facts".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from hypothesis import strategies as st

from schemas.control import CONSENT, CONTROL_TYPES, FORGET, SUPPRESS, UNSUPPRESS
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS
from tests.event_logs import LoggedEvent

NEVER = math.inf
ENDS = (SUPPRESS, FORGET)  # What is open is dropped.


def is_control(event: LoggedEvent) -> bool:
    """Whether an event is none of its customer."""
    return event.type in CONTROL_TYPES


class NaiveControls:
    """What the control facts of a log mean.

    Parameters
    ----------
    obeyed: where those stand that are no duplicates.
    """

    def __init__(self, events: Sequence[LoggedEvent], obeyed: Sequence[int]) -> None:
        self._events = events
        self._obeyed = obeyed

    def _last(self, types: Sequence[str], customer: str, i: int) -> int | None:
        """The last fact of these types about a customer, before an event."""
        events = self._events
        found = [
            k
            for k in self._obeyed
            if k < i and events[k].customer == customer and events[k].type in types
        ]
        return found[-1] if found else None

    def forgotten(self, customer: str, i: int) -> int:
        """Where a customer was last forgotten before an event, or -1."""
        last = self._last([FORGET], customer, i)
        return -1 if last is None else last

    def forgotten_before(self, i: int) -> int:
        """The same of the customer of an event."""
        return self.forgotten(self._events[i].customer, i)

    def suppresses(self, customer: str, i: int, at_ms: int) -> bool:
        """Whether just before event `i` nothing is to be said of a customer as of a moment."""
        last = self._last([SUPPRESS, UNSUPPRESS, FORGET], customer, i)
        if last is None or self._events[last].type != SUPPRESS:
            return False
        until = self._events[last].properties.get("until", NEVER)
        assert isinstance(until, int | float)
        return at_ms < until

    def is_suppressed(self, i: int) -> bool:
        """Whether nothing is to be said of the customer of an event, as of its time."""
        return self.suppresses(self._events[i].customer, i, self._events[i].at_ms)

    def has_refused(self, i: int) -> bool:
        """Whether the last known consent of the customer of an event says no."""
        last = self._last([CONSENT, FORGET], self._events[i].customer, i)
        return last is not None and self._events[last].properties.get("granted") is False

    def withdrawn(self, i: int) -> float:
        """The fact at which what is open of the customer of an event is dropped, or NEVER."""
        events, customer = self._events, self._events[i].customer
        ends = (k for k in self._obeyed if k > i and events[k].customer == customer)
        return next((k for k in ends if events[k].type in ENDS), NEVER)

    def is_withdrawn(self, customer: str, first: int, last: int) -> bool:
        """Whether what a customer had open from one event on was dropped before another."""
        dropped = self._last(ENDS, customer, last)
        return dropped is not None and dropped > first

    def silences(self, k: int) -> bool:
        """Whether event `k` is a fact at which its customer leaves every trigger."""
        if k not in self._obeyed:
            return False
        event = self._events[k]
        refuses = event.type == CONSENT and event.properties["granted"] is False
        return refuses or event.type in ENDS


@st.composite
def with_controls(draw: st.DrawFn, events: Sequence[LoggedEvent]) -> list[LoggedEvent]:
    """The log with a few control facts about its customers, some of them twice."""
    found = list(events)
    customers = sorted({event.customer for event in events})
    for number in range(draw(st.sampled_from((0, 2, 4)))):
        place = draw(st.integers(0, len(found)))
        near = found[min(place, len(found) - 1)].at_ms
        at_ms = near + draw(st.sampled_from((0, 1, HOUR_MS, -DAY_MS, 300 * DAY_MS)))
        kind = draw(st.sampled_from((SUPPRESS, SUPPRESS, UNSUPPRESS, FORGET, FORGET, CONSENT)))
        properties: Mapping[str, str | float | bool] = {}
        if kind == CONSENT:
            properties = {"granted": draw(st.sampled_from((False, False, True)))}
        elif kind == SUPPRESS and draw(st.booleans()):
            properties = {"until": near + draw(st.sampled_from((0, MINUTE_MS, HOUR_MS, DAY_MS)))}
        customer = draw(st.sampled_from(customers))
        fact = LoggedEvent(customer, kind, at_ms, f"s{number}", None, properties)
        found.insert(place, fact)
        if draw(st.integers(0, 3)) == 0:
            found.insert(draw(st.integers(place, len(found))), fact)
    return found


def controlled(logs: st.SearchStrategy[list[LoggedEvent]]) -> st.SearchStrategy[list[LoggedEvent]]:
    """Logs with control facts in them."""
    return logs.flatmap(with_controls)
