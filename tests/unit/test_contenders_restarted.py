"""Champion and challengers after a restart: who has left, is added again, or cannot be read.

Owns: what a changed campaign file, or a state that is not to be read, makes of the learners.
Never: that an unchanged one goes on bit for bit; tests/unit/test_contenders.py asks that.
Source: docs/learners.md, "Champion and challengers".
"""

from __future__ import annotations

import pytest

from models.trainer import Trainer
from schemas.example import encode_example
from tests.contending_rows import FLAT, bytes_of, plan_with, restored, rows_of

HEDGED = "hedged_logistic"
GOOD = {**FLAT, HEDGED: 0.0, "slow": 0.0, "fast": 0.0, "quick": 0.0}
ROWS = 2_000


def test_who_left_the_file_serves_no_longer() -> None:
    """The file's own learner serves then, and it is said which one has gone."""
    plan, without = plan_with(HEDGED, "river_ftrl"), plan_with("river_ftrl")
    rows = rows_of(plan, ROWS + 1, GOOD)
    trainer = Trainer(plan)
    trainer.fold(range(ROWS), rows[:-1])
    changed = restored(trainer, without)
    changed.fold([ROWS], rows[-1:])
    contenders = changed.contenders["buy"]
    assert contenders.serving == "champion"
    decision = contenders.decisions[-1]
    assert (decision.decided, decision.learner, decision.former) == ("removed", "champion", HEDGED)
    assert set(contenders.learners) == {"champion", "river_ftrl"}
    assert contenders.contests["river_ftrl"].rows <= 1  # Who was compared with it has gone.


def test_who_left_a_file_that_has_no_challengers_is_named_too() -> None:
    """It is decided at the restart, is published without a row, and goes along from then on."""
    plan, without = plan_with(HEDGED), plan_with()
    trainer = Trainer(plan)
    trainer.fold(range(ROWS), rows_of(plan, ROWS, GOOD))
    changed = restored(trainer, without)
    assert changed.changed == {"buy"}
    (record,) = changed.records()
    decision = record.decisions[-1]
    assert (record.learner, decision.decided, decision.former) == ("champion", "removed", HEDGED)
    assert decision.offset == ROWS
    assert changed.contenders["buy"].news == [decision]
    again = restored(changed, without)
    assert again.contenders["buy"].news == []
    later = [encode_example(row) for row in rows_of(without, 300, FLAT, first=ROWS)]
    for each in (changed, again):
        each.fold_bytes(range(ROWS, ROWS + 300), later)
    assert bytes_of(restored(again, without)) == bytes_of(changed)
    assert changed.learners["buy"].version == ROWS + 300


def test_a_namesake_of_before_is_not_heard() -> None:
    """Who was removed and is added again has said nothing of rows scored before it began."""
    plan, without = plan_with(HEDGED, "river_ftrl"), plan_with("river_ftrl")
    trainer = Trainer(plan)
    trainer.fold(range(300), rows_of(plan, 300, GOOD))
    between = restored(trainer, without)
    between.fold(range(300, 310), rows_of(plan, 10, GOOD, first=300))
    again = restored(restored(between, plan), plan)  # It may be restarted before its first row.
    rows = rows_of(plan, 200, GOOD, first=310)  # Scored a day, or 96 rows, before they close.
    again.fold(range(310, 360), rows[:50])
    again = restored(again, plan)
    again.fold(range(360, 510), rows[50:])
    contenders = again.contenders["buy"]
    learner = contenders.learners[HEDGED]
    assert learner.version == 200
    assert contenders.contests[HEDGED].rows == learner.quality.windows()[28].rows == 200 - 97


def test_a_challenger_whose_state_cannot_be_read_begins_anew() -> None:
    """The champion goes on; its own state would be an error that names it."""
    plan = plan_with(HEDGED)
    trainer = Trainer(plan)
    trainer.fold(range(300), rows_of(plan, 300, GOOD))
    champion, challenger = trainer.states()
    challenger.numbers["learner.format"] = 99.0
    second = Trainer(plan)
    second.restore([champion, challenger])
    contenders = second.contenders["buy"]
    assert list(contenders.begun_anew) == [HEDGED]
    assert [each.version for each in contenders.learners.values()] == [300, 0]
    assert second.changed == {"buy"}
    champion.numbers["learner.format"] = 99.0
    with pytest.raises(ValueError, match="The state of buy/champion cannot be gone on from"):
        Trainer(plan).restore([champion, challenger])
