"""Work beside the loop: in one thread, or at once.

Owns: the only thread of ours beside the HTTP server's.
Never: runs two pieces of work at a time, or in another order than they came in.
Source: ARCHITECTURE.md, "What never happens".
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

Result = TypeVar("Result")


class Beside(Protocol):
    """Runs pieces of work one after another. What one raises, its future raises."""

    def run(self, work: Callable[[], Result]) -> Future[Result]:
        """Do it later, or now."""
        ...

    def close(self) -> None:
        """Wait until all of it is done."""
        ...


class SideThread:
    """A thread of its own, which begins with the first piece of work."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="snapshots")

    def run(self, work: Callable[[], Result]) -> Future[Result]:
        return self._pool.submit(work)

    def close(self) -> None:
        self._pool.shutdown(wait=True)


class Inline:
    """At once and in the caller's thread: the same order of events every time."""

    def run(self, work: Callable[[], Result]) -> Future[Result]:
        future: Future[Result] = Future()
        future.set_result(work())
        return future

    def close(self) -> None:
        """Nothing is left to be done."""
