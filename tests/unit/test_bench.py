"""The bench measures what it says: one seeded log, and rivals that do the whole task.

Owns: what makes the comparison fair.
Never: a broker, or a duration.
Source: bench/README.md.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from bench.cluster import WrongOutputError, event_number
from bench.obvious import ObviousScorer
from bench.recovery import (
    FROM_LOG,
    FROM_SNAPSHOT,
    READ_AGAIN,
    RESTORED,
    WITH_TAIL,
    Recovery,
    Size,
    from_log,
    table,
)
from bench.runner import said_in
from bench.table import spread
from bench.workload import GOAL, HORIZON_MS, LATENESS_MS, RATE, TYPES, make_workload


def test_the_log_is_seeded_and_as_described() -> None:
    """Six types, about 212 bytes an event, ordered, and the same bytes every time."""
    log = make_workload(5_000)
    assert log == make_workload(5_000)
    events = [json.loads(value) for value in log.values]
    assert [event["event_id"] for event in events] == [f"e{n:07d}" for n in range(5_000)]
    times = [event["occurred_at"] for event in events]
    assert times == sorted(times)
    assert set(Counter(event["type"] for event in events)) == set(TYPES)
    assert 205 <= sum(map(len, log.values)) / len(log) <= 220
    assert [event["customer_id"].encode() for event in events] == log.keys


def event(number: int, customer: str, kind: str, hour: float) -> bytes:
    """Return an event so many hours after the start of 2025."""
    at_ms = 1_735_689_600_000 + int(hour * 3_600_000)
    return json.dumps(
        {"event_id": f"e{number}", "customer_id": customer, "type": kind, "occurred_at": at_ms}
    ).encode()


def test_the_obvious_function_learns_each_example_once_when_it_is_due() -> None:
    """One example per customer and horizon, with its label, after horizon and lateness.

    c1:  view --- buy(2h) -------------------- view(200h) ...   one example of label 1, learned
    c2:  view ------------- buy(100h, late) -- ...              label 0, then one from 100 h on
    """
    scorer = ObviousScorer(GOAL, HORIZON_MS, LATENESS_MS, RATE)
    log = [
        event(0, "c1", "page_view", 0.0),
        event(1, "c2", "page_view", 1.0),
        event(2, "c1", GOAL, 2.0),
        event(3, "c2", GOAL, 100.0),
        event(4, "c1", "page_view", 200.0),
    ]
    scores = [json.loads(scorer.score(value)) for value in log]
    assert (scorer.learned, scorer.positives) == (3, 1)
    assert [score["model"]["version"] for score in scores] == [0, 0, 0, 2, 3]
    assert [score["event_id"] for score in scores] == [f"e{n}" for n in range(5)]
    assert all(0.0 < score["scores"][0]["probability"] < 1.0 for score in scores)


def test_the_obvious_function_has_27_features() -> None:
    """As many as the comparison says."""
    scorer = ObviousScorer(GOAL, HORIZON_MS, LATENESS_MS, RATE)
    scorer.score(event(0, "c1", "page_view", 0.0))
    assert len(scorer.waiting[0][2]) == 27


def test_outputs_are_told_apart_by_their_event() -> None:
    """The event's number is found with and without spaces, and its absence is an error."""
    assert event_number(b'{"event_id":"e0000042"}') == 42
    assert event_number(b'{"event_id": "e7", "x": 1}') == 7
    with pytest.raises(WrongOutputError, match="no event_id"):
        event_number(b"{}")


def test_a_spread_shows_the_range_of_several_rounds() -> None:
    """One round has no range."""
    assert spread([3.0]) == "3"
    assert spread([1_000.0, 3_000.0, 2_000.0]) == "2,000 (1,000 to 3,000)"


def recovery(events: int, *, snapshot_s: float, again_s: float, live_s: float) -> Recovery:
    """Return a recovery of which half of what is done again was reading back."""
    return Recovery(events, 2.0, snapshot_s, again_s / 2, again_s / 2, live_s, 6.0, 1_500.0)


def test_a_recovery_is_split_without_a_remainder_and_told_by_the_million() -> None:
    """Steps and rest are the whole; seconds by the million are those of what was done again."""
    measured = {
        FROM_SNAPSHOT: [recovery(1, snapshot_s=4.0, again_s=0.0, live_s=7.0)],
        WITH_TAIL: [recovery(500_000, snapshot_s=4.0, again_s=5.0, live_s=12.0)],
        FROM_LOG: [recovery(2_500_000, snapshot_s=0.0, again_s=20.0, live_s=23.0)],
    }
    lines = table(measured, Size(customers=1_000, tail=500_000, rounds=1)).splitlines()
    assert lines[2:5] == [
        "| snapshot | 1 | 2.0 | 4.0 | 0.0 | 0.0 | 1.0 | 7.0 | 6.0 | 1,500 |",
        "| snapshot and tail | 500,000 | 2.0 | 4.0 | 2.5 | 2.5 | 1.0 | 12.0 | 6.0 | 1,500 |",
        "| no snapshot | 2,500,000 | 2.0 | 0.0 | 10.0 | 10.0 | 1.0 | 23.0 | 6.0 | 1,500 |",
    ]
    assert lines[-1] == (
        "1,000 customers. A million events, read back and folded: "
        "10.0 s of the tail, 8.0 s of the whole history."
    )


def test_the_steps_of_a_recovery_are_those_that_the_worker_said(tmp_path: Path) -> None:
    """Without a snapshot or a tail those steps took no time.

    started 10 s -- assigned 11 s -- restored 15 s -- read back 17 s -- goes on 20 s -- live 21 s
    """
    steps = {
        "started": (10, {}),
        "partitions_assigned": (11, {}),
        RESTORED: (15, {}),
        READ_AGAIN: (17, {"first": 40, "goes_on_at": 100}),
        "partition_goes_on": (20, {}),
    }

    def told(*without: str) -> Recovery:
        log = tmp_path / "worker.log"
        entries = [
            {"event": event, "timestamp": f"1970-01-01T00:00:{at_s}.000000Z", **more}
            for event, (at_s, more) in steps.items()
            if event not in without
        ]
        log.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries), encoding="utf-8")
        return from_log(said_in(log), start_s=3.0, live_s=18.0, used=(6.0, 1.0))

    assert told() == Recovery(60, 7.0, 4.0, 2.0, 3.0, 18.0, 6.0, 1.0)
    assert told(RESTORED) == Recovery(60, 7.0, 0.0, 6.0, 3.0, 18.0, 6.0, 1.0)
    assert told(READ_AGAIN, "partition_goes_on") == Recovery(0, 7.0, 4.0, 0.0, 0.0, 18.0, 6.0, 1.0)
