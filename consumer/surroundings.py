"""What a worker is given besides its transport.

Owns: nothing; it only holds things together.
Never: makes one of them.
Source: consumer/worker.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from consumer.clock import Clock
from consumer.health import Health
from consumer.questions import Questions
from consumer.snapshots.snapshots import Snapshots
from consumer.telemetry import Telemetry
from models.plan import Plan
from schemas.settings import Settings


@dataclass(frozen=True, slots=True)
class Surroundings:
    """`snapshots` is None where states are not kept; `rebuild` goes on although history is lost.

    `questions` are those that other threads have about the folds.
    """

    settings: Settings
    plan: Plan
    clock: Clock
    telemetry: Telemetry
    health: Health
    snapshots: Snapshots | None = None
    rebuild: bool = False
    questions: Questions = field(default_factory=Questions)
