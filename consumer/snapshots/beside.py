"""Work beside the loop: in one thread, or at once.

Owns: the only thread of ours beside the HTTP server's.
Never: runs two pieces of work at a time, in another order than they came in, or holds the exit.
Source: ARCHITECTURE.md, "What never happens".
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, Protocol, TypeVar

Result = TypeVar("Result")


class Beside(Protocol):
    """Runs pieces of work one after another. What one raises, its future raises."""

    def run(self, work: Callable[[], Result]) -> Future[Result]:
        """Do it later, or now."""
        ...

    def close(self, most_s: float) -> bool:
        """Wait until all of it is done, so long at most; whether it is."""
        ...


class SideThread:
    """A thread of its own, which begins with the first piece of work.

    It is a daemon: work that hangs, in a store that does not answer say, does not keep the
    process. (`ThreadPoolExecutor` would wait for it at the interpreter's exit.)
    """

    def __init__(self) -> None:
        self._waiting: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="snapshots", daemon=True)

    def run(self, work: Callable[[], Result]) -> Future[Result]:
        future: Future[Result] = Future()

        def do() -> None:
            with _RaisedBy(future):
                future.set_result(work())

        if self._thread.ident is None:
            self._thread.start()
        self._waiting.put(do)
        return future

    def close(self, most_s: float) -> bool:
        if self._thread.ident is not None:
            self._waiting.put(None)
            self._thread.join(most_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (do := self._waiting.get()) is not None:
            do()


class _RaisedBy:
    """What is raised in the block is raised by a future, in the thread that asks for its result."""

    def __init__(self, future: Future[Any]) -> None:
        self._future = future

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if error is not None:
            self._future.set_exception(error)
        return True


class Inline:
    """At once and in the caller's thread: the same order of events every time."""

    def run(self, work: Callable[[], Result]) -> Future[Result]:
        future: Future[Result] = Future()
        future.set_result(work())
        return future

    def close(self, most_s: float) -> bool:
        """Nothing is left to be done."""
        del most_s
        return True
