"""Wall time, in the one file that may ask for it.

Owns: the Clock that is measured and waited by, and its stand-in for tests.
Never: event time; the folds take that from the events.
Source: ARCHITECTURE.md, "Time".
"""

import time
from typing import Protocol


class Clock(Protocol):
    """What the shell knows of time."""

    def monotonic_s(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...

    def now_ms(self) -> int:
        """Milliseconds since the epoch, for comparing with event times and broker stamps."""
        ...

    def wait_s(self, duration_s: float) -> None:
        """Let so many seconds pass."""
        ...


class SystemClock:
    """The machine's clock."""

    def monotonic_s(self) -> float:
        return time.perf_counter()

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def wait_s(self, duration_s: float) -> None:
        time.sleep(duration_s)


class FixedClock:
    """A clock that stands still until it is told to move.

    Parameters
    ----------
    now_ms
        What ``now_ms()`` answers at first.

    Examples
    --------
    >>> clock = FixedClock(1_000)
    >>> clock.advance_ms(250)
    >>> clock.now_ms(), clock.monotonic_s()
    (1250, 0.25)
    """

    def __init__(self, now_ms: int = 0) -> None:
        self._start_ms = now_ms
        self._now_ms = now_ms

    def monotonic_s(self) -> float:
        return (self._now_ms - self._start_ms) / 1000

    def now_ms(self) -> int:
        return self._now_ms

    def wait_s(self, duration_s: float) -> None:
        self.advance_ms(round(duration_s * 1000))

    def advance_ms(self, duration_ms: int) -> None:
        """Move on; a clock that went back would hide a bug."""
        assert duration_ms >= 0
        self._now_ms += duration_ms
