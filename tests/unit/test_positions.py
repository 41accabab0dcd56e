"""Where a partition starts, and what leaves from which offset on.

Owns: the phases of a partition and the note that a restart reads.
Never: a transport; the worker's tests have one.
Source: consumer/positions.py.
"""

from __future__ import annotations

import pytest

from consumer.errors import WorldError
from consumer.positions import Start, first_start, later_start
from consumer.transport import Bounds, Position, TopicIdentity

# origin ....... committed ....... publish .......
#   3                10               20
# nothing leaves | rows leave      | everything leaves
MIDDLE_OF_HISTORY = Start(origin=3, committed=10, publish=20)


@pytest.mark.parametrize(
    ("offset", "rows", "scores", "edge"),
    [
        (3, False, False, 10),
        (9, False, False, 10),
        (10, True, False, 20),
        (19, True, False, 20),
        (20, True, True, None),
    ],
)
def test_the_phases(offset: int, rows: bool, scores: bool, edge: int | None) -> None:
    """First nothing leaves, then rows, then scores too; a batch is cut at the edges."""
    assert MIDDLE_OF_HISTORY.sends_rows(offset) is rows
    assert MIDDLE_OF_HISTORY.sends_scores(offset) is scores
    assert MIDDLE_OF_HISTORY.boundary_after(offset) == edge


def test_a_first_start_learns_history_silently() -> None:
    """What is in the log at the first start is history, and what comes is published."""
    start = first_start(5, Bounds(5, 90), "now")
    assert start == Start(origin=5, committed=5, publish=90, history_origin=5)
    assert start.sends_rows(5)
    assert not start.sends_scores(89)


def test_a_first_start_that_publishes_history() -> None:
    """With `publish_from: start` everything leaves from the first record on."""
    start = first_start(5, Bounds(5, 90), "start")
    assert start.sends_scores(5)
    assert start.boundary_after(5) is None


def test_a_first_start_at_the_end_of_the_log() -> None:
    """With `start_from: latest` there is no history, and the next record is published."""
    start = first_start(90, Bounds(5, 90), "now")
    assert start.sends_scores(90)


@pytest.mark.parametrize("publish_from", ["now", "start"])
def test_a_restart_remembers_the_first_start(publish_from: str) -> None:
    """The note of a commit carries where history begins and from where scores are published."""
    first = first_start(5, Bounds(5, 90), publish_from)
    later = later_start(Position(40, first.note), Bounds(5, 200))
    assert later == Start(origin=5, committed=40, publish=first.publish, history_origin=5)
    assert later.note == first.note


def test_history_that_retention_took() -> None:
    """The fold begins at the first record that is still there."""
    note = Start(origin=5, committed=5, publish=5, history_origin=5).note
    assert later_start(Position(40, note), Bounds(30, 200)).origin == 30


def test_a_position_that_retention_took() -> None:
    """Whoever goes on knowingly goes on where the log begins; recovery refuses the others."""
    note = Start(origin=5, committed=5, publish=5, history_origin=5).note
    start = later_start(Position(40, note), Bounds(50, 200))
    assert (start.origin, start.committed, start.history_origin) == (50, 50, 5)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (TopicIdentity("events", "b", 4), "made anew"),
        (TopicIdentity("events", "a", 6), "had 4 partitions and has 6"),
    ],
)
def test_another_topic_under_the_same_name(now: TopicIdentity, said: str) -> None:
    """Offsets of a topic that was made anew, or got more partitions, are not gone on from."""
    first = first_start(5, Bounds(5, 90), "now", TopicIdentity("events", "a", 4))
    assert later_start(Position(9, first.note), Bounds(5, 90), first.topic).note == first.note
    assert later_start(Position(9, first.note), Bounds(5, 90)).committed == 9, "it is not told"
    with pytest.raises(WorldError, match=said):
        later_start(Position(9, first.note), Bounds(5, 90), now)


@pytest.mark.parametrize("note", ["", "x", "{}", '{"origin":1}', '{"origin":"a","publish":2}'])
def test_a_position_that_somebody_else_set(note: str) -> None:
    """Without our note the whole log is history, and scores go on at the position."""
    start = later_start(Position(40, note), Bounds(30, 200))
    assert start == Start(origin=30, committed=40, publish=40, history_origin=30)
