"""Customers as the newest snapshots have them, without a worker.

Owns: in which snapshots a customer is looked for.
Never: writes to the store, or guesses where a partition's snapshot cannot be read.
Source: ARCHITECTURE.md, "Snapshots".
"""

from __future__ import annotations

from collections.abc import Sequence

from consumer.encoding import ScoreEncoder
from consumer.enquiries import Found
from consumer.explanation import FEATURES_MAX
from consumer.partitioner import partition_of
from consumer.snapshots.loading import Loading
from consumer.snapshots.manifest import UnusableSnapshotError
from consumer.snapshots.names import partitions_among, topic_prefix
from consumer.snapshots.snapshots import Snapshots, warn
from models.plan import Plan
from models.scorer import Scorer
from schemas.model_record import ModelRecord

NEWEST = (1 << 63) - 1


class KeptCustomers:
    """Looks into the newest snapshot of each partition, the likeliest first."""

    def __init__(self, snapshots: Snapshots, plan: Plan, topic: str) -> None:
        self._snapshots = snapshots
        self._plan = plan
        self._topic = topic

    @property
    def partitions(self) -> list[int]:
        """Those that have snapshots."""
        prefix = topic_prefix(self._snapshots.group, self._topic)
        return partitions_among(self._snapshots.store.list(prefix), prefix)

    def find(self, customer: str, models: Sequence[ModelRecord]) -> Found | None:
        """A customer, with the scores of these models; None where no snapshot has them."""
        partitions = self.partitions
        home = partition_of(customer.encode(), len(partitions)) if partitions else 0
        for index in sorted(partitions, key=lambda each: each != home):
            loading = self._newest(index)
            if loading is None:
                continue
            scorer = Scorer(self._plan, index)
            scorer.restore(loading.lifted)
            for record in models:
                scorer.install(record)
            portrait = scorer.portrait(customer, terms_max=FEATURES_MAX)
            if portrait is not None:
                entries = ScoreEncoder(self._plan, self._topic, index).entries_of(portrait)
                return Found(index, loading.manifest.moment.next_offset, portrait, entries)
        return None

    def _newest(self, partition: int) -> Loading | None:
        """The newest snapshot that can be read, whole."""
        for manifest in self._snapshots.newest(self._topic, partition, not_after=NEWEST):
            loading = self._snapshots.load(manifest)
            try:
                for _ in loading:
                    pass
            except UnusableSnapshotError as error:
                warn(error)
                continue
            return loading
        return None
