"""The models that committed records say are to be served.

Owns: following campaign-models, the newest record of each campaign, and showing it in metrics.
Never: makes a model; a trainer does.
Source: ARCHITECTURE.md, "Two folds".
"""

from __future__ import annotations

from consumer.logs import say
from consumer.model_changes import model_changes
from consumer.telemetry import Telemetry, window_figures
from consumer.transport import Partition, Records, Transport
from models.plan import Plan
from schemas.model_record import ModelRecord

Change = tuple[str, ModelRecord | None]


class ServedModels:
    """The newest model of each campaign of the plan; `None` in a change is a removal."""

    def __init__(self, transport: Transport, topic: str, plan: Plan, telemetry: Telemetry) -> None:
        self._transport = transport
        self._partition = Partition(topic, 0)
        self._plan = plan
        self._telemetry = telemetry
        self._shown: dict[str, ModelRecord] = {}
        self.records: dict[str, ModelRecord] = {}
        self.removed: set[str] = set()  # Also campaigns that are not in our file.
        self._said: dict[str, tuple[str, str, str]] = {}

    def start(self) -> None:
        """Read what is there, and follow from where that ended.

        Where an open transaction hides the end for a moment, following brings it.
        """
        low, high = self._transport.bounds(self._partition)
        follow_from = low
        for records in self._transport.read(self._partition, low, high):
            self._take(records)
            follow_from = records.offsets[-1] + 1
        for record in self.records.values():
            self._say(record)
        self._transport.follow(self._partition, follow_from)

    def changes(self) -> list[Change]:
        """What has arrived since the last call, in order."""
        found = [
            change for records in self._transport.poll_followed() for change in self._take(records)
        ]
        for _, record in found:
            if record is not None:
                self._say(record)
        return found

    def _say(self, record: ModelRecord) -> None:
        """Say who serves a campaign, and how, where that has changed."""
        said = record.learner, record.lineage, record.status
        if self._said.get(record.campaign) != said:
            self._said[record.campaign] = said
            say("model_served", campaign=record.campaign, learner=record.learner,
                lineage=record.lineage, version=record.version,
                status=record.status)  # fmt: skip

    def show(self, record: ModelRecord) -> None:
        """Show a record in metrics, published or read."""
        before = self._shown.get(record.campaign)
        self._shown[record.campaign] = record
        meters = self._telemetry.campaign(record.campaign, record.learner)
        meters.version.set(record.version)
        if before is not None and before.learner != record.learner:
            self._telemetry.forget_learner(record.campaign, before.learner)
        mixed = {name: expert.share for name, expert in record.experts.items() if expert.share}
        meters.shares(mixed)
        shown = before and (before.learner, before.lineage, before.status, before.quality)
        if shown == (record.learner, record.lineage, record.status, record.quality):
            return
        meters.model(record.version, record.lineage, record.features)
        meters.status(record.status)
        for window in ("1d", "7d", "28d"):
            meters.quality(window, window_figures(record.quality, window))
        meters.watched(record.quality)

    def newest(self) -> dict[str, ModelRecord]:
        """The newest record of each campaign that was shown."""
        return dict(self._shown)

    def _take(self, records: Records) -> list[Change]:
        changes: list[Change] = []
        for key, value in zip(records.keys, records.values, strict=True):
            campaign = (key or b"").decode("utf-8", "replace")
            (self.removed.add if value is None else self.removed.discard)(campaign)
        for campaign, record in model_changes(records, self._plan):
            if record is not None:
                self.records[campaign] = record
                self.show(record)
            elif not self._forget(campaign):
                continue
            changes.append((campaign, record))
        return changes

    def _forget(self, campaign: str) -> bool:
        """A tombstone: somebody removed the model, and the campaign's rate is served."""
        if self.records.pop(campaign, None) is None:
            return False
        self._said.pop(campaign, None)
        learner = self._shown.pop(campaign).learner
        self._telemetry.campaign(campaign, learner).no_model()
        say("model_removed", campaign=campaign)
        return True
