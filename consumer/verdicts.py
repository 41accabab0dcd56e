"""What the log says of a campaign's scores: answers that fall silent, and drift.

Owns: saying each change once, by what the last record said.
Never: measures or decides anything.
Source: models.judgement.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from consumer.logs import say
from schemas.model_record import ModelRecord

_WATCHED: Final = ("residuals", "scores", "inputs")


class Verdicts:
    """What was said of each campaign last."""

    def __init__(self) -> None:
        self._last: dict[str, ModelRecord] = {}

    def say(self, records: Iterable[ModelRecord]) -> None:
        """Say what has changed since the last records; of the first, only that it is paused."""
        for record in records:
            last = self._last.get(record.campaign)
            self._last[record.campaign] = record
            paused = last is not None and last.status == "paused"
            if paused != (record.status == "paused"):
                self._say_pause(record, paused=not paused)
            if last is not None and last.learner == record.learner:  # Each has alarms of its own.
                self._say_alarms(record, last)

    def _say_pause(self, record: ModelRecord, *, paused: bool) -> None:
        if paused:
            say("answers_silent", campaign=record.campaign, version=record.version,
                silence_log10=record.quality.get("silence_log10"))  # fmt: skip
        else:
            say("answers_heard", campaign=record.campaign, version=record.version)

    def _say_alarms(self, record: ModelRecord, last: ModelRecord) -> None:
        for kind in _WATCHED:
            alarms = record.quality.get(f"alarms_{kind}") or 0.0
            if alarms > (last.quality.get(f"alarms_{kind}") or 0.0):
                say("drift_alarm", campaign=record.campaign, kind=kind, version=record.version,
                    alarms=int(alarms))  # fmt: skip
