"""Champion and challengers, cut anywhere: batches and restarts change no byte.

Owns: random cuts around a promotion, with rows as they stand in the log.
Never: who is promoted; tests/unit/test_contenders.py asks that.
Source: ARCHITECTURE.md, "Two folds".
"""

from __future__ import annotations

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from models.plan import Plan
from models.trainer import Trainer
from schemas.campaign import EXPERTS
from schemas.example import encode_example
from tests.contending_rows import FLAT, bytes_of, plan_with, restored, rows_of

ROWS = 1_500


@cache
def whole() -> tuple[Plan, list[bytes], list[bytes]]:
    """The plan, its rows, and what a trainer publishes that takes them one after the other."""
    plan = plan_with("hedged_logistic", "fresh", "river_ftrl")
    errors = {**FLAT, "hedged_logistic": 0.0, **dict.fromkeys(EXPERTS, 0.0), "river_ftrl": 0.5}
    rows = rows_of(plan, ROWS, errors)
    trainer = Trainer(plan)
    trainer.fold(range(ROWS), rows)
    assert trainer.contenders["buy"].serving == "hedged_logistic"
    return plan, [encode_example(row) for row in rows], bytes_of(trainer)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(st.integers(0, ROWS), st.booleans()), max_size=4))
def test_cuts_and_restarts_change_no_byte(cuts: list[tuple[int, bool]]) -> None:
    """Batches end at the cuts; at some of them another trainer goes on from the states."""
    plan, values, expected = whole()
    trainer, first = Trainer(plan), 0
    for stop, restarts in sorted([*cuts, (ROWS, False)]):
        trainer.fold_bytes(range(first, stop), values[first:stop])
        first = stop
        if restarts and stop > 0:
            trainer = restored(trainer, plan)
    assert bytes_of(trainer) == expected
