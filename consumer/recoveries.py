"""Partitions that are not yet what they were: brought there in the loop, piece by piece.

Owns: whose turn it is, how far each has come, and the one deadline over all of them.
Never: knows what is restored; that is each recovery's own.
Source: ARCHITECTURE.md, "Recovery".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Protocol

from consumer.clock import Clock
from consumer.errors import WorldError
from consumer.holds import Holds
from consumer.telemetry import Telemetry
from consumer.transport import Partition, Position

STEP_MAX_S = 0.05


class Recovering(Protocol):
    """A partition on its way to where it stood."""

    @property
    def partition(self) -> Partition:
        """Which one."""
        ...

    @property
    def position(self) -> Position | None:
        """What to commit of it meanwhile; None where nothing was ever committed."""
        ...

    @property
    def progress(self) -> float:
        """How much of what is kept has been read, from 0 to 1."""
        ...

    def step(self) -> bool:
        """Do a bounded piece; True when it is done.

        Raises
        ------
        WorldError: the partition cannot be what it was, and nobody said to go on all the same.
        """
        ...


class Recoveries:
    """The recoveries of a worker, one step at a time, in the order in which they began.

    A partition is held from `begin` until its `done` was called, or it is forgotten. Those that
    were never committed go on together: where one of them is refused, nothing of any is signed.
    """

    def __init__(
        self, holds: Holds, clock: Clock, telemetry: Telemetry, *, longest_s: float
    ) -> None:
        self._holds = holds
        self._clock = clock
        self._telemetry = telemetry
        self._longest_s = longest_s
        self._since_s: float | None = None
        self._under_way: dict[Partition, tuple[Recovering, Callable[[], None]]] = {}
        self._first_starts: dict[Partition, Callable[[], None]] = {}  # That wait for the others.

    def __len__(self) -> int:
        return len(self._under_way) + len(self._first_starts)

    def __iter__(self) -> Iterator[Partition]:
        return chain(self._under_way, self._first_starts)

    def positions(self) -> dict[Partition, Position]:
        """What to commit of those that were ever committed."""
        found = ((each, recovering.position) for each, (recovering, _) in self._under_way.items())
        return {partition: position for partition, position in found if position is not None}

    def begin(self, recovering: Recovering, done: Callable[[], None]) -> None:
        """Let a partition wait until it is recovered, then call `done`."""
        self._holds.hold(recovering.partition, "recovery")
        if self._since_s is None:
            self._since_s = self._clock.monotonic_s()
        self._under_way[recovering.partition] = recovering, done

    def forget(self, partition: Partition) -> None:
        """The partition is ours no longer."""
        self._under_way.pop(partition, None)
        self._first_starts.pop(partition, None)

    def step(self) -> None:
        """Recover a bounded piece of the first one; those that need no more go on at once."""
        give_up_s = self._clock.monotonic_s() + STEP_MAX_S
        while self._under_way and self._step() and self._clock.monotonic_s() < give_up_s:
            pass
        if self._next_first_start() is None:
            for partition in list(self._first_starts):
                self._go_on(partition, self._first_starts.pop(partition))

    def _next_first_start(self) -> Partition | None:
        each = self._under_way.items()
        return next((partition for partition, (it, _) in each if it.position is None), None)

    def _step(self) -> bool:
        # First starts have little to restore, and wait for each other: they come first.
        partition = self._next_first_start() or next(iter(self._under_way))
        recovering, done = self._under_way[partition]
        is_done = recovering.step()
        self._telemetry.recovery(*partition).set(1.0 if is_done else recovering.progress)
        if is_done:
            del self._under_way[partition]
            if recovering.position is None:
                self._first_starts[partition] = done
            else:
                self._go_on(partition, done)
        return is_done

    def _go_on(self, partition: Partition, done: Callable[[], None]) -> None:
        done()
        self._holds.release(partition, "recovery")

    def refuse_endless(self, behind: Sequence[Partition]) -> None:
        """Stop the worker if these are not yet where they were after so long.

        Raises
        ------
        WorldError: with their names.
        """
        now_s = self._clock.monotonic_s()
        if not behind:
            self._since_s = None
        elif self._since_s is not None and now_s - self._since_s > self._longest_s:
            raise WorldError(
                f"Recovery has not finished within {self._longest_s:.0f} s: "
                + ", ".join(map(str, behind)),
                "Look at the log above for what it did; raise `times: {recovery_max: …}` if it "
                "only needs longer",
            )
