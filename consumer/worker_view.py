"""What a worker lets others see of it: its folds by asking, its last outputs, its models.

Owns: nothing; it only holds things together, for threads that are not the loop's.
Never: gives a fold away.
Source: consumer/web.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from consumer.clock import Clock
from consumer.enquiries import Enquiries
from consumer.lately import Lately
from consumer.surroundings import Surroundings
from consumer.worker import Worker
from models.plan import Plan
from schemas.model_record import ModelRecord
from schemas.settings import Settings

OwnerOf = Callable[[int], str | None]
"""Which instance has a partition of events, by its number; None where nobody can tell. It waits."""


def nobody_knows(partition: int) -> None:
    """Tell no owner, where there is only one worker."""
    del partition


@dataclass(frozen=True, slots=True)
class WorkerView:
    """`models` gives the newest record of each campaign that has one."""

    settings: Settings
    plan: Plan
    clock: Clock
    enquiries: Enquiries
    lately: Lately
    models: Callable[[], Mapping[str, ModelRecord]]
    owner_of: OwnerOf


def view_of(worker: Worker, around: Surroundings, owner_of: OwnerOf = nobody_knows) -> WorkerView:
    """What there is to see of a worker."""
    return WorkerView(
        settings=around.settings,
        plan=around.plan,
        clock=around.clock,
        enquiries=worker.enquiries,
        lately=worker.lately,
        models=worker.newest_models,
        owner_of=owner_of,
    )
