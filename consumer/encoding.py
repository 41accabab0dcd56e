"""The encode hop: what a fold gave, as the bytes of records.

Owns: score records and dead letters, ready to be produced.
Never: a decision; everything was decided in the fold.
Source: schemas.score and schemas.dead_letter are the shapes.
"""

from __future__ import annotations

from collections.abc import Sequence

from consumer.transport import Headers, Outgoing, Records
from models.batch import BANDS, NO_PERCENTILE, REASONS_MAX, STATUSES
from models.intake import Refusal
from models.plan import Plan
from models.scorer import Folded
from models.serving import CHAMPION
from schemas.dead_letter import dead_letter, dead_letter_headers
from schemas.score import Band, ModelRef, Reason, ScoreEntry, ScoreRecord, Source, encode_score
from schemas.times import format_time

BAND_MEDIUM_FROM = 50.0
BAND_HIGH_FROM = 80.0


class ScoreEncoder:
    """Encodes the scores of one partition."""

    def __init__(self, plan: Plan, events_topic: str, partition: int) -> None:
        self._topic = events_topic
        self._partition = partition
        self._campaigns = list(plan.file.campaigns.values())
        self._values = [campaign.predict == "value" for campaign in self._campaigns]
        self._lineages = plan.lineages
        self._features = plan.features
        self._sources = plan.layout.sources
        self._refs: list[ModelRef] = [
            ModelRef(lineage, CHAMPION, 0, features)
            for lineage, features in zip(plan.lineages, plan.features, strict=True)
        ]

    def encode(self, folded: Folded) -> tuple[list[bytes], list[bytes]]:
        """Keys and values of the score records of a batch, in the order of the events."""
        entries = self._entries(folded)
        events = folded.scores.event[: folded.score_count].tolist()
        batch = folded.batch
        offsets, times = batch.columns.offset.tolist(), batch.columns.at_ms.tolist()
        keys: list[bytes] = []
        values: list[bytes] = []
        topic, partition = self._topic, self._partition
        position, count = 0, folded.score_count
        while position < count:
            event = events[position]
            stop = position + 1
            while stop < count and events[stop] == event:
                stop += 1
            customer = batch.customers[event]
            record = ScoreRecord(
                batch.score_ids[event],
                customer,
                batch.event_ids[event],
                "event",
                format_time(times[event]),
                Source(topic, partition, offsets[event]),
                entries[position:stop],
            )
            keys.append(customer.encode())
            values.append(encode_score(record))
            position = stop
        return keys, values

    def _entries(self, folded: Folded) -> list[ScoreEntry]:
        scores, count = folded.scores, folded.score_count
        names = self._sources
        entries: list[ScoreEntry] = []
        for campaign, served, other, baseline, percentile, status, version, sources, parts in zip(
            scores.campaign[:count].tolist(),
            scores.served[:count].tolist(),
            scores.other[:count].tolist(),
            scores.baseline[:count].tolist(),
            scores.percentile[:count].tolist(),
            scores.status[:count].tolist(),
            scores.version[:count].tolist(),
            scores.source[:count].tolist(),
            scores.contribution[:count].tolist(),
            strict=True,
        ):
            value = self._values[campaign]
            reasons = [
                Reason(names[sources[rank]], parts[rank])
                for rank in range(REASONS_MAX)
                if sources[rank] >= 0
            ]
            ranked = percentile != NO_PERCENTILE
            entries.append(
                ScoreEntry(
                    self._campaigns[campaign].name,
                    self._campaigns[campaign].horizon_ms,
                    None if value else served,
                    percentile if ranked else None,
                    _band(percentile) if ranked else None,
                    served if value else None,
                    STATUSES[status],
                    reasons,
                    other,
                    baseline,
                    self._ref(campaign, version),
                )
            )
        return entries

    def _ref(self, campaign: int, version: int) -> ModelRef:
        ref = self._refs[campaign]
        if ref.version != version:
            ref = ModelRef(self._lineages[campaign], CHAMPION, version, self._features[campaign])
            self._refs[campaign] = ref
        return ref


def _band(percentile: float) -> Band:
    if percentile >= BAND_HIGH_FROM:
        return BANDS[2]
    return BANDS[1] if percentile >= BAND_MEDIUM_FROM else BANDS[0]


def encode_dead_letters(topic: str, records: Records, refused: Sequence[Refusal]) -> Outgoing:
    """The refused records of a batch as they came, with what is wrong in the headers."""
    keys: list[bytes | None] = []
    values: list[bytes | None] = []
    headers: list[Headers] = []
    for row, stage, error in refused:
        source, offset = records.partition, records.offsets[row]
        explained = dead_letter_headers(source.topic, source.index, offset, stage, error)
        letter = dead_letter(
            records.keys[row], records.values[row], records.headers[row], explained
        )
        keys.append(letter.key)
        values.append(letter.value)
        headers.append(letter.headers)
    return Outgoing(topic, None, keys, values, headers)
