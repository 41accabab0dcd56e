"""Control facts beside the compiled loop: names, texts and counts of those who are left alone.

Owns: what is no array of the fold, where a control fact is obeyed; and wiping what is forgotten.
Never: decides what a control fact means; models.kernel_control does.
Source: docs/contract.md, "Control facts".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.batch import DUPLICATE, OBEYED, ScoreColumns
from models.intake import Batch
from models.kernel_control import FORGET, GRANT, REFUSE, REPEATED, SILENCE, SPEAK, obey
from models.kernel_queues import free_closed
from models.kernel_slots import NO_SLOT
from models.plan import Plan
from models.scorer_state import ScorerState
from models.state import CLOSED_COUNT, Examples
from models.trigger_states import Triggers
from schemas import control
from schemas.control import Control

_DOES: Final = {
    control.SUPPRESS: SILENCE,
    control.UNSUPPRESS: SPEAK,
    control.CONSENT: GRANT,
    control.FORGET: FORGET,
}
_REASONS: Final = {SILENCE: "suppressed", FORGET: "forgotten"}


def code_of(fact: Control) -> int:
    """What the compiled loop does at a control fact."""
    return _DOES[fact.type] if fact.granted else REFUSE


class Obedience:
    """Obeys the control facts of a batch, each when all before it was folded and read."""

    def __init__(self, state: ScorerState, plan: Plan, batch: Batch) -> None:
        self._state = state
        self._plan = plan
        self._batch = batch
        self._forgotten: list[int] = []
        self._withdrawn: Counter[tuple[int, str]] = Counter()

    def obey(self, row: int, triggers: Triggers, out: ScoreColumns) -> None:
        """Obey the one in a row."""
        state, batch, fact = self._state, self._batch, self._batch.controls[row]
        what = code_of(fact)
        slot = obey(
            state.profiles.view, state.examples.view, state.queues, state.registers,
            self._plan.arrays, triggers, batch.columns, batch.texts, row, what, fact.until_ms,
        )  # fmt: skip
        out.outcome[row] = DUPLICATE if slot == REPEATED else OBEYED
        if slot in {REPEATED, NO_SLOT}:
            return
        if what == FORGET:
            self._forget(slot)
        else:
            texts = batch.texts
            state.customers.keep([slot], texts.text, texts.customer[row : row + 1])
        self._free_withdrawn(_REASONS.get(what, ""))

    def finish(self) -> Mapping[tuple[int, str], int]:
        """Wipe what closed examples of the forgotten left behind them in free places.

        Gives how many open examples were dropped, by campaign and reason.
        """
        if self._forgotten:
            examples = self._state.examples.view
            left = np.isin(examples.slot, self._forgotten) & (examples.sequence <= 0)
            _wipe(examples, np.flatnonzero(left))
        return self._withdrawn

    def _forget(self, slot: int) -> None:
        state = self._state
        self._forgotten.append(slot)
        state.customers.forget([slot])
        for store in (state.triggers, state.told):
            for kept in () if store is None else store.view:
                kept[slot] = 0

    def _free_withdrawn(self, reason: str) -> None:
        """Count the examples that were withdrawn, and give their places back."""
        state, examples = self._state, self._state.examples.view
        count = int(state.registers[CLOSED_COUNT])
        gone = state.queues.closed[:count].copy()
        for campaign in (-1 - examples.campaign[gone]).tolist():
            self._withdrawn[campaign, reason] += 1
        state.event_ids.forget(gone.tolist())
        free_closed(state.queues, state.registers, count)


def _wipe(examples: Examples, places: NDArray[np.integer]) -> None:
    """Leave nothing in free places."""
    for column in examples:
        column[places] = 0
    examples.campaign[places] = examples.sequence[places] = -1
