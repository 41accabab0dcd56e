"""Two workers under one name: one of them ends and says what to do.

Owns: that nothing is scored twice meanwhile.
Never: names that differ.
Source: docs/contract.md, "Settings file".
"""

from __future__ import annotations

import pytest

from consumer.cli import EXIT_COULD_NOT_RUN
from tests.chaos.conftest import MakeScene

SCORES = 300

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def test_of_two_namesakes_one_ends(kafka_bootstrap: str, make_scene: MakeScene) -> None:
    """The one that is fenced again ends with exit code 2; the other does all of the work once."""
    scene = make_scene(kafka_bootstrap, "first", "second")
    for member in scene.crew:
        member.start(PROPENSITY_INSTANCE="the-same")
        member.await_started()
    scene.begin_traffic()
    scene.turn_until(lambda: not all(member.runs for member in scene.crew))
    (ended,) = [member for member in scene.crew if not member.runs]
    assert ended.code == EXIT_COULD_NOT_RUN, ended.tail()
    assert "Give each worker an `instance` of its own" in ended.tail()
    assert "Traceback" not in ended.tail()
    scene.crew.remove(ended)
    scene.turn_until(scene.more_scores(SCORES))
    scene.end_traffic()
    assert scene.stop() == [0]
    assert scene.differences() == []
