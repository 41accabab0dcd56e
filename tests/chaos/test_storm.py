"""The chaos run in short: ten kills among other faults; `make chaos` makes a hundred.

Owns: that nothing of it is seen.
Never: a fault of the broker; the long run has those.
Source: ARCHITECTURE.md, "What never happens".
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.broker import Broker
from tests.chaos.faults import faults
from tests.chaos.storm import Storm

KILLS = 10

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def test_ten_kills_leave_no_trace(broker: Broker, tmp_path: Path) -> None:
    """Scores, rows, states, dead letters and triggers are those of a run without faults."""
    report = Storm(broker, tmp_path, seed=3).run(faults(3, KILLS, broker=False))
    if report.differences:
        pytest.fail("\n".join(report.lines()))
    assert report.kills == KILLS
    assert report.sizes["scores"] > 1_000
    assert report.sizes["examples"] > 500
    assert report.sizes["triggers"] > 100
    assert report.sizes["held_out"] > 20
    assert report.sizes["outcomes"] > 50
    assert report.takeovers_s, "how long it took is in the report; a busy machine decides nothing"
