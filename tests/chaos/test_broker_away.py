"""The broker is away for a minute: frozen, or killed and started on what its folder holds.

Owns: that workers go on or stop with a sentence, and that nothing half-done is seen.
Never: the loss of a broker's disk.
Source: ARCHITECTURE.md, "Faults".
"""

from __future__ import annotations

from time import monotonic

import pytest

from consumer.cli import EXIT_COULD_NOT_RUN
from tests.broker import Broker
from tests.chaos.conftest import MakeScene
from tests.chaos.scene import TURN_S

AWAY_S = 60.0
SCORES = 500

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


@pytest.mark.parametrize("way", ["frozen", "killed"])
def test_a_minute_without_a_broker(broker: Broker, make_scene: MakeScene, way: str) -> None:
    """What was sent in the meantime is scored and learned once; who gave up said so."""
    scene = make_scene(broker.bootstrap, "one", "two")
    scene.begin()
    scene.turn_until(scene.more_scores(SCORES))
    (broker.suspend if way == "frozen" else broker.kill)()
    until_s = monotonic() + AWAY_S
    while monotonic() < until_s:
        scene.feeder.turn()
        scene.watcher.turn(TURN_S)
    (broker.resume if way == "frozen" else broker.start)()
    reached = scene.more_scores(SCORES)

    def supervised() -> bool:
        """Whether they score again; whoever gave up with a sentence is started again."""
        for member in scene.crew:
            if not member.runs:
                assert member.code == EXIT_COULD_NOT_RUN, member.tail()
                assert "Traceback" not in member.tail()
                member.start()
                member.await_started()
        return reached()

    scene.turn_until(supervised)
    scene.end_traffic()
    # Some seconds after the broker is back one may still give up on it, with its sentence.
    codes = scene.stop()
    assert set(codes) <= {0, EXIT_COULD_NOT_RUN}, "\n".join(each.tail() for each in scene.crew)
    assert scene.differences() == []
