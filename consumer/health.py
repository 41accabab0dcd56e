"""Whether the loop turns, and whether scores come.

Owns: what the loop says of itself, and the two verdicts on it.
Never: touches a fold, or asks another program how it is.
Source: https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
"""

from typing import Final

from consumer.clock import Clock
from consumer.deadline import TURN_MAX_S

STALL_MAX_S: Final = TURN_MAX_S + 30.0  # A turn that waits for Kafka ends by itself.
START_MAX_S: Final = 300.0


class Health:
    """What the loop says of itself; written by the loop, read by the server.

    Parameters
    ----------
    clock
        Measures how long ago the loop turned.
    stall_max_s
        The loop counts as stuck when it has not turned for so long.
    start_max_s
        Before its first turn it may take so long: a first start compiles.
    """

    def __init__(
        self, clock: Clock, stall_max_s: float = STALL_MAX_S, start_max_s: float = START_MAX_S
    ) -> None:
        self._clock = clock
        self._stall_max_s = stall_max_s
        self._allowed_s = start_max_s
        self._turned_s = clock.monotonic_s()
        self._waits_for: str | None = "the first assignment"

    def turned(self) -> None:
        """Say that the loop has turned."""
        self._turned_s = self._clock.monotonic_s()
        self._allowed_s = self._stall_max_s

    def ready(self) -> None:
        """Say that everything assigned is being scored."""
        self._waits_for = None

    def waits(self, reason: str) -> None:
        """Say what keeps us from scoring, in words."""
        self._waits_for = reason

    def health(self) -> tuple[bool, str]:
        """Whether the loop turns, and a line about it."""
        age_s = self._clock.monotonic_s() - self._turned_s
        if age_s <= self._allowed_s:
            return True, "ok\n"
        return False, f"the loop has not turned for {age_s:.0f} s\n"

    def readiness(self) -> tuple[bool, str]:
        """Whether scores come, and if not, why."""
        healthy, line = self.health()
        if not healthy or self._waits_for is None:
            return healthy, line
        return False, f"waits for {self._waits_for}\n"
