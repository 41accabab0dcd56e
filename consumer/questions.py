"""Questions to the folds from other threads: answered while the folds stand still.

Owns: who may look at the folds now, and the bounded queue of those who want to.
Never: changes a fold; keeps anything of one beyond an answer.
Source: ARCHITECTURE.md, "Questions".

The folds are the loop's, but while it waits for the log. A question that comes then is answered by
its asker at once; another one waits until the loop has a moment, between two batches.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import RLock
from traceback import clear_frames
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

from consumer.errors import WorldError

WAITING_MAX: Final = 32

Answer = TypeVar("Answer")


class TooManyQuestionsError(WorldError):
    """As many questions wait as may."""

    def __init__(self) -> None:
        super().__init__("Too many questions wait already", "Ask again in a moment")


class _Question(Generic[Answer]):
    """A look at the folds that somebody waits for."""

    def __init__(self, look: Callable[[], Answer]) -> None:
        self._look = look
        self.future: Future[Answer] = Future()

    def answer(self) -> None:
        """Look, unless nobody waits any longer."""
        if self.future.set_running_or_notify_cancel():
            with self:
                self.future.set_result(self._look())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> bool:
        """What goes wrong in a look goes wrong for its asker: nothing of the folds was changed."""
        if error is None or not isinstance(error, Exception):
            return False
        clear_frames(where)  # A view of a fold's memory that lived on in them would keep it small.
        self.future.set_exception(error)
        return True


class Questions:
    """The folds' lock and the questions that wait for it.

    `hold` takes the folds for the thread that calls it. From then on only `meanwhile` lets others
    look, or `answer`, which looks for them.
    """

    def __init__(self) -> None:
        self._folds = RLock()
        self._waiting: deque[_Question[object]] = deque()

    def ask(self, look: Callable[[], Answer]) -> Future[Answer]:
        """Look at the folds as soon as they stand still; the future has what `look` gives.

        Who waits no longer cancels it.

        Raises
        ------
        TooManyQuestionsError: as many wait as may.
        """
        if len(self._waiting) >= WAITING_MAX:
            raise TooManyQuestionsError
        question = _Question(look)
        self._waiting.append(question)  # type: ignore[arg-type]
        self._answer_if_free()
        return question.future

    def hold(self) -> None:
        """Take the folds; this thread's until the end of the process."""
        self._folds.acquire()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Have the folds in this block, also where it runs in the middle of a `meanwhile`."""
        with self._folds:
            yield

    @contextmanager
    def meanwhile(self) -> Iterator[None]:
        """Let others look in this block, in which the holder only waits."""
        self._folds.release()
        self._answer_if_free()  # Who asked since the last answer has found the folds held.
        try:
            yield
        finally:
            self._folds.acquire()
            self.answer()

    def answer(self) -> None:
        """Answer what waits; whoever calls it has the folds."""
        while self._waiting:
            self._waiting.popleft().answer()

    def _answer_if_free(self) -> None:
        while self._waiting and self._folds.acquire(blocking=False):
            try:
                self.answer()
            finally:
                self._folds.release()
