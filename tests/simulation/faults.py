"""The faults of a seed: how likely each is, and the store that they harm.

Owns: drawing which faults there are (swarm testing) and how often each comes.
Never: decides what is right; the world strikes, and the checks judge.
Source: Groce et al., "Swarm Testing" (ISSTA 2012): leaving faults out finds more than all at once.
"""

from __future__ import annotations

import errno
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from consumer.clock import FixedClock
from consumer.snapshots.memory_store import MemoryStore

STRUCK = "struck by the simulation"
BETWEEN_TICKS = {
    "crash": 0.03, "stop": 0.02, "expel": 0.02, "join": 0.15, "slow": 0.3, "jump": 0.05,
    "torn": 0.05, "lost": 0.05, "stale": 0.05, "unwritable": 0.03, "unreadable": 0.03,
    "full": 0.03, "transaction_times_out": 0.02, "compact": 0.05, "silence": 0.01,
}  # fmt: skip
AT_STEPS = {
    "crash": 0.02, "again": 0.05, "abort": 0.05, "lost": 0.01, "fenced": 0.01, "fatal": 0.005,
    "unknown": 0.1, "pause": 0.02, "store_crash": 0.02, "store_error": 0.05,
}  # fmt: skip


class CrashError(Exception):
    """The process of a worker has ended, here and now."""


class JumpingClock(FixedClock):
    """A clock whose wall time may jump, in both directions; its monotonic time does not."""

    jumped_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.jumped_ms


class Odds:
    """How likely each fault is in one seed; about half of them never come.

    Each has draws of its own: a fault that is added later leaves the seeds without it as they were.
    """

    def __init__(self, seed: int, draws: random.Random) -> None:
        self._draws = draws
        swarm = random.Random(f"{seed}/swarm")
        calm = swarm.random() < 0.1  # Some seeds have hardly anything: the plain path breaks too.
        off = 0.85 if calm else swarm.choice((0.3, 0.5, 0.7))
        self.between = {
            name: _odds(f"{seed}/{name} between", high, off) for name, high in BETWEEN_TICKS.items()
        }
        self.at = {name: _odds(f"{seed}/{name} at", high, off) for name, high in AT_STEPS.items()}
        self.is_on = True

    def between_ticks(self, name: str) -> bool:
        """Whether this fault comes between two ticks."""
        odds = self.between[name]
        return self.is_on and odds > 0.0 and self._draws.random() < odds

    def at_step(self, name: str) -> bool:
        """Whether this fault comes at this step of a worker."""
        odds = self.at[name]
        return self.is_on and odds > 0.0 and self._draws.random() < odds

    @contextmanager
    def none(self) -> Iterator[None]:
        """No faults for a while: what an operator does is done."""
        before, self.is_on = self.is_on, False
        yield
        self.is_on = before


def _odds(name: str, high: float, off: float) -> float:
    draws = random.Random(name)
    return 0.0 if draws.random() < off else high * draws.choice((0.1, 0.4, 1.0))


class HarmedStore(MemoryStore):
    """A store in which a write may be torn, with or without the writer, and files may be harmed.

    Parameters
    ----------
    strike: called with the half-done step; raises what is to go wrong there.
    wrote: told the name and the bytes of what was written whole.

    Attributes
    ----------
    refused: the folders of files that were harmed, or could not be read or written once.
    """

    def __init__(self, strike: Callable[[str], None], wrote: Callable[[str, bytes], None]) -> None:
        super().__init__()
        self._strike = strike
        self._wrote = wrote
        self.refused: set[str] = set()

    def read(self, name: str) -> bytes:
        with self._noting(name):
            self._strike("store_read")
            return super().read(name)

    def write(self, name: str, pieces: Sequence[bytes]) -> None:
        data = b"".join(pieces)
        with self._noting(name):
            super().write(name, [data[: len(data) // 2]])
            self._strike("store_write")
            super().write(name, [data])
        self._wrote(name, data)

    @contextmanager
    def _noting(self, name: str) -> Iterator[None]:
        done = False
        try:
            yield
            done = True
        finally:
            if not done:
                self.refused.add(name.split("/")[1])

    def delete(self, name: str) -> None:
        self._strike("store_delete")
        super().delete(name)

    def heal(self) -> None:
        """Work again, with what is left."""
        self.unwritable = self.unreadable = self.capacity_bytes = None

    def suffer(self, kind: str, draws: random.Random) -> None:
        """Go wrong in one of the ways that a store can."""
        names = sorted(self.files)
        if kind == "unwritable":
            self.unwritable = OSError(errno.EROFS, "Read-only file system", "state")
        elif kind == "unreadable":
            self.unreadable = OSError(errno.EIO, "Input/output error", "state")
        elif kind == "full":
            self.capacity_bytes = 0
        elif names and kind == "torn":
            name = draws.choice(names)
            self.refused.add(name.split("/")[1])
            data = bytearray(self.files[name])
            if data and draws.random() < 0.5:
                data[draws.randrange(len(data))] ^= 1 << draws.randrange(8)
            else:
                del data[draws.randrange(len(data) + 1) :]
            self.files[name] = bytes(data)
        elif names and kind == "lost":
            name = draws.choice(names)
            self.refused.add(name.split("/")[1])
            del self.files[name]
        elif names and kind == "stale":
            newest = draws.choice(names).rpartition("/")[0]
            self.refused.add(newest.split("/")[1])
            for name in names:
                if name.startswith(newest):
                    del self.files[name]
