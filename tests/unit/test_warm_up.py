"""What is compiled before the first record.

Owns: that nothing is left to be compiled while somebody waits for a score.
Never: how long it takes.
Source: consumer/warm_up.py.
"""

from __future__ import annotations

from typing import Any

from consumer.encoding import ScoreEncoder
from consumer.warm_up import compile_kernels
from models.kernel_event import read_events
from models.kernel_fold import fold_events
from models.kernel_learn_rows import learn_rows
from models.kernel_queues import free_closed, rebuild_table
from models.kernel_record import write_records
from models.kernel_row_reader import learnable_until, read_rows
from models.kernel_row_text import write_rows
from models.kernel_slots import fill_slot_table
from models.scorer import Scorer
from models.trainer import Trainer
from tests.world import plan, shopping

KERNELS: tuple[Any, ...] = (
    read_events, fold_events, free_closed, fill_slot_table, rebuild_table, write_records,
    write_rows, read_rows, learnable_until, learn_rows,
)  # fmt: skip


def variants() -> list[int]:
    """For how many kinds of arguments each loop is compiled."""
    return [len(kernel.signatures) for kernel in KERNELS]


def test_records_find_everything_compiled() -> None:
    """After the warm-up, events, scores, closed rows and learning compile nothing more."""
    compile_kernels(plan())
    before = variants()
    assert all(before)
    scorer, trainer = Scorer(plan()), Trainer(plan())
    keys, values = map(list, zip(*shopping(9_000), strict=True))
    folded = scorer.fold(list(range(9_000)), [-1] * 9_000, keys, values)
    assert ScoreEncoder(plan(), "events", 0).encode(folded)[1]
    assert folded.rows.values
    assert not trainer.fold_bytes(list(range(len(folded.rows))), folded.rows.values)
    assert variants() == before
