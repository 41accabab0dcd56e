"""How long we wait for the world: each call its own time, and what belongs together one deadline.

Owns: the bounds of waiting, and the one deadline that a rebalance or the stop puts over them.
Never: waits.
Source: ARCHITECTURE.md, "Deadlines".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from consumer.clock import Clock

COMMIT_MAX_S: Final = 60.0
"""A commit, with all that is tried again for it; also until what was produced has left."""

TURN_MAX_S: Final = 2 * COMMIT_MAX_S
"""What one turn of the loop may wait: until there is room to produce, and for the commit."""

REBALANCE_MAX_S: Final = 30.0
"""All that is done while the group waits for us to give partitions back, or to take them."""

STOP_MAX_S: Final = 5.0
"""All waiting for Kafka after we were told to stop, or have failed.

Beside it the store of snapshots has its own time, and a call of librdkafka that is under way, or
leaves the group, takes up to 5 s (`socket.timeout.ms`): the process has gone after 15 s.
"""

STORE_MAX_S: Final = 3.0
"""All waiting for the store of snapshots at the stop."""

CALL_LEAST_S: Final = 0.1


class Deadline:
    """When to stop waiting for one thing: after its own time, or when its patience ends."""

    def __init__(self, patience: Patience, most_s: float) -> None:
        self._patience = patience
        self._own_s = patience.now_s + most_s

    @property
    def passed(self) -> bool:
        """Whether there is no time left."""
        return self._patience.now_s > min(self._own_s, self._patience.until_s)


class Patience:
    """What all waiting of a transport has in common.

    >>> from consumer.clock import FixedClock
    >>> clock = FixedClock()
    >>> patience = Patience(clock)
    >>> with patience.within(30):
    ...     deadline = patience.at_most(60)
    ...     clock.wait_s(28)
    ...     patience.left_s(5), deadline.passed
    (2.0, False)
    >>> patience.left_s(5)
    5
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._together_s = self._last_s = float("inf")

    @property
    def now_s(self) -> float:
        """The clock's seconds."""
        return self._clock.monotonic_s()

    @property
    def until_s(self) -> float:
        """When all patience ends, in the clock's seconds."""
        return min(self._together_s, self._last_s)

    def at_most(self, most_s: float) -> Deadline:
        """Wait so long for one thing, or less."""
        return Deadline(self, most_s)

    def left_s(self, most_s: float) -> float:
        """The seconds that one call may take, of so many at most; enough to hear an answer."""
        return max(CALL_LEAST_S, min(most_s, self.until_s - self.now_s))

    def wait_s(self, duration_s: float) -> None:
        """Let so many seconds pass before another try."""
        self._clock.wait_s(duration_s)

    @contextmanager
    def within(self, most_s: float) -> Iterator[None]:
        """Let everything in this block share one deadline."""
        before_s = self._together_s
        self._together_s = min(before_s, self.now_s + most_s)
        try:
            yield
        finally:
            self._together_s = before_s

    def hurry(self, most_s: float) -> None:
        """Let everything from now on share one deadline, also what is being waited for.

        A signal's handler may call it.
        """
        self._last_s = min(self._last_s, self.now_s + most_s)
