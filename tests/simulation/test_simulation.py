"""Lives of the whole group with all that can go wrong: nothing is lost, doubled or stuck.

Owns: the seeds that every run of the tests plays, and that the simulator sees what is wrong.
Never: judges; `watch` and `checks` do.
Source: `make simulate ARGS=--help`.
"""

from __future__ import annotations

import pytest

from tests.simulation.defects import DEFECTS, caught_at
from tests.simulation.group_life import GroupLife
from tests.simulation.runs import judge, live, quieten, seeds_that_failed, verdicts

SEEDS = 500
QUICKLY_CAUGHT = (
    *("resend", "polled", "uncommitted", "recompute", "twice", "superseded", "decide-anew"),
    "suppression",
)


@pytest.mark.slow
def test_whatever_goes_wrong_nothing_is_lost_doubled_or_stuck() -> None:
    """Every seed ends as if nothing had happened; those that failed once come first."""
    seeds = list(dict.fromkeys([*seeds_that_failed(), *range(SEEDS)]))
    failed = {each.seed: each.problem for each in verdicts(seeds, 2) if each.problem is not None}
    assert failed == {}, f"python -m tests.simulation --seed {min(failed)} --verbose"


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_one(name: str) -> None:
    """What a defect replaces is there: the table must not praise what was never broken."""
    before = [getattr(where, what) for where, what, _ in DEFECTS[name].changes]
    with DEFECTS[name].injected():
        for (where, what, _), was in zip(DEFECTS[name].changes, before, strict=True):
            assert getattr(where, what) is not was


def test_a_seed_is_a_life() -> None:
    """The same seed does the same, to the last byte."""
    quieten()
    lives = [GroupLife(7), GroupLife(7)]
    for life in lives:
        live(life)
    one, other = lives
    assert one.trace == other.trace
    for topic, logs in one.log.topics.items():
        assert [log.values for log in logs] == [log.values for log in other.log.topics[topic]]


@pytest.mark.parametrize("name", QUICKLY_CAUGHT)
def test_a_defect_is_caught(name: str) -> None:
    """A mistake that somebody could make in the worker does not pass."""
    seed, _, _ = caught_at(name, 0, 30)
    assert seed is not None
    assert judge(seed).problem is None, "without it the seed is fine"
