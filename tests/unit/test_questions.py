"""Questions of other threads to the folds.

Owns: who may look when, and what becomes of a question that goes wrong.
Never: what is asked.
Source: consumer/questions.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import pytest

from consumer.questions import WAITING_MAX, Questions, TooManyQuestionsError
from consumer.transport import Partition
from tests.world import World

WAIT_MAX_S = 30.0


@pytest.fixture
def asker() -> Iterator[ThreadPoolExecutor]:
    """Another thread than the loop's, which is the test's."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture
def questions() -> Questions:
    """Questions to folds that this thread has."""
    held = Questions()
    held.hold()
    return held


def asked(questions: Questions, asker: ThreadPoolExecutor, answer: object = 1) -> Future[object]:
    """A question that another thread has put."""
    return asker.submit(questions.ask, lambda: answer).result(WAIT_MAX_S)


def test_a_question_waits_for_the_loop(questions: Questions, asker: ThreadPoolExecutor) -> None:
    """While the loop has the folds nobody looks at them but itself.

    loop   holds ───────── answer ──
    asker        ask ··············► 1
    """
    future = asked(questions, asker)
    assert not future.done()
    questions.answer()
    assert future.result(0) == 1


def test_a_question_is_answered_while_the_loop_waits(
    questions: Questions, asker: ThreadPoolExecutor
) -> None:
    """While the loop waits for the log, the asker looks without it."""
    with questions.meanwhile():
        assert asked(questions, asker).result(0) == 1


def test_a_question_of_before_a_wait_does_not_wait_for_its_end(
    questions: Questions, asker: ThreadPoolExecutor
) -> None:
    """What was asked just before the loop begins to wait is answered at once."""
    future = asked(questions, asker)
    with questions.meanwhile():
        assert future.result(0) == 1


def test_nobody_looks_while_a_callback_has_the_folds(
    questions: Questions, asker: ThreadPoolExecutor
) -> None:
    """The group calls in the middle of a poll, and changes the folds."""
    with questions.meanwhile():
        with questions.held():
            future = asked(questions, asker)
            assert not future.done()
            with questions.meanwhile():  # A commit in the callback.
                assert future.result(0) == 1
            late = asked(questions, asker)
            assert not late.done()
        questions.ask(lambda: None)
        assert late.result(0) == 1


def test_a_worker_has_its_folds_while_the_group_calls(
    asker: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of a worker's poll its partitions change, and nobody looks meanwhile."""
    world = World()
    worker = world.start()
    waited: list[Future[object]] = []
    change = worker._share.assigned

    def assigned(partitions: list[Partition]) -> None:
        waited.append(asked(worker._questions, asker))
        assert not waited[0].done()
        change(partitions)

    monkeypatch.setattr(worker._share, "assigned", assigned)
    world.settle(worker)
    assert waited[0].result(0) == 1


def test_the_loop_waits_for_a_look(questions: Questions, asker: ThreadPoolExecutor) -> None:
    """The folds are not changed before somebody who looks at them has looked."""
    begun, ends, seen = Event(), Event(), []

    def look() -> None:
        begun.set()
        assert ends.wait(WAIT_MAX_S)
        seen.append("looked")

    with questions.meanwhile():
        asker.submit(questions.ask, look)
        assert begun.wait(WAIT_MAX_S)
        with ThreadPoolExecutor(1) as other:
            other.submit(ends.set)
    seen.append("goes on")
    assert seen == ["looked", "goes on"]


def test_only_so_many_wait(questions: Questions) -> None:
    """Who comes then is refused, and nobody is forgotten."""
    with ThreadPoolExecutor(1) as pool:
        futures = [asked(questions, pool) for _ in range(WAITING_MAX)]
        with pytest.raises(TooManyQuestionsError):
            asked(questions, pool)
    questions.answer()
    assert [future.result(0) for future in futures] == [1] * WAITING_MAX


def test_who_does_not_wait_is_not_answered(questions: Questions, asker: ThreadPoolExecutor) -> None:
    """A question whose asker has gone costs no look."""
    looks: list[int] = []
    future = asker.submit(questions.ask, lambda: looks.append(1)).result(WAIT_MAX_S)
    assert future.cancel()
    questions.answer()
    assert looks == []


def test_what_goes_wrong_goes_wrong_for_the_asker(
    questions: Questions, asker: ThreadPoolExecutor
) -> None:
    """The loop goes on, and nothing that was looked at is kept by the error."""

    class View:
        """Something of a fold."""

    views: list[View] = []

    def look() -> None:
        view = View()
        views.append(view)
        raise LookupError(id(view))

    future = asker.submit(questions.ask, look).result(WAIT_MAX_S)
    questions.answer()
    error = future.exception(0)
    assert isinstance(error, LookupError)
    where = error.__traceback__
    while where is not None:
        assert not any(isinstance(each, View) for each in where.tb_frame.f_locals.values())
        where = where.tb_next
