"""The encode hop: what a fold gave, as the bytes of records.

Owns: score records and dead letters, ready to be produced.
Never: a decision; everything was decided in the fold.
Source: schemas.score and schemas.dead_letter are the shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from consumer.transport import Headers, Outgoing, Records
from models.batch import BANDS, OBEYED, REASONS_MAX, STATUSES, ScoreColumns, new_moments, only
from models.folded import Folded
from models.intake import text_of
from models.kernel_copy import COPY_BYTES
from models.kernel_record import NO_SCORE, Names, Pieces, write_records
from models.kernel_text import DECIMAL_MAX, TIME_LENGTH
from models.plan import Plan
from models.portrait import Portrait
from models.refusal import Refusal
from models.rows import Rows
from models.trigger_states import new_fired, policies_of
from models.wire import array_of
from schemas.campaign import LEARNERS, VOICES
from schemas.control import FORGET
from schemas.dead_letter import dead_letter, dead_letter_headers
from schemas.score import ScoreEntry, decode_score

_json = msgspec.json.Encoder().encode
RECORDS_AT_ONCE = 64  # Copied twice: what the first copy brings near must still be there.
NUMBERS_MAX = DECIMAL_MAX * (6 + REASONS_MAX + len(VOICES))  # Of an entry: so many bytes hold them.


class ScoreEncoder:
    """Encodes the scores of one partition, `by_campaign` each campaign's in a record of its own.

    A loop of our own, held to the reader of `schemas.score` by a test: an object for every score,
    reason and number cost as much as reading and scoring together.
    """

    def __init__(
        self, plan: Plan, events_topic: str, partition: int, *, by_campaign: bool = False
    ) -> None:
        self._partition, self._by_campaign = partition, by_campaign
        self._names = plan.campaigns
        self._pieces = pieces_of(plan, events_topic, partition)
        lengths = np.diff(self._pieces.starts)
        longest_reason = int(lengths[self._pieces.source :].max(initial=0))
        # Every piece once is more than a record needs besides its texts, numbers and reasons.
        self._record_max = int(lengths[: self._pieces.campaign].sum()) + TIME_LENGTH + 100
        self._entry_max = NUMBERS_MAX + REASONS_MAX * (longest_reason + 8)
        self._entry_max += int(lengths[: self._pieces.source].max()) * 10
        self._entry_max += int(lengths[self._pieces.next_expert :].sum()) + longest_reason
        self._buffer = np.empty(0, np.uint8)
        self._tails = np.empty((len(plan.campaigns), 3), np.int64)
        self._policies = policies_of(plan)

    def leaving(self, folded: Folded, topic: str) -> list[Outgoing]:
        """What a batch sends to the topic of scores, to the partition number of its events."""
        keys: Sequence[bytes | None]
        values: Sequence[bytes | None]
        if self._by_campaign and (folded.score_count or folded.batch.controls):
            keys, values = self._encode_apart(folded)
        elif folded.score_count:
            keys, values = self.encode(folded)
        else:
            return []
        return [Outgoing(topic, self._partition, keys, values)] if values else []

    def encode(self, folded: Folded) -> tuple[list[bytes], list[bytes]]:
        """Keys and values of the score records of a batch, in the order of scoring."""
        return _keys_of(folded), self._values(folded, folded.scores, folded.score_count)

    def _encode_apart(self, folded: Folded) -> tuple[list[bytes], list[bytes | None]]:
        """A record for each entry; where a customer is forgotten, an empty one of each campaign."""
        count, scores, batch = folded.score_count, folded.scores, folded.batch
        campaigns = scores.campaign[:count]
        values: list[bytes | None] = [None] * count
        for campaign in np.unique(campaigns).tolist():
            own = np.flatnonzero(campaigns == campaign)
            found = self._values(folded, only(scores, own), len(own))
            for place, value in zip(own.tolist(), found, strict=True):
                values[place] = value
        customers = _customers_of(folded, scores.event[:count].astype(np.intp))
        keys = [
            key_of(customer, self._names[campaign])
            for customer, campaign in zip(customers, campaigns.tolist(), strict=True)
        ]
        offsets, _ = folded.sources(np.arange(count))
        for row in sorted(batch.controls, reverse=True):
            if batch.controls[row].type == FORGET and scores.outcome[row] == OBEYED:
                place = int(np.searchsorted(offsets, batch.columns.offset[row]))
                (customer,) = batch.keys_of(np.array([row]))
                keys[place:place] = [key_of(customer, name) for name in self._names]
                values[place:place] = [None] * len(self._names)
        return keys, values

    def _values(self, folded: Folded, scores: ScoreColumns, count: int) -> list[bytes]:
        """The records of the first of some scores of a batch."""
        batch = folded.batch
        texts, names = batch.texts, _names_of(folded.timed)
        named = int(np.diff(texts.customer).sum() + np.diff(texts.event).sum())
        records_max = len(batch.rows) + len(folded.timed)
        size = named + len(names.text) + records_max * self._record_max + count * self._entry_max
        if len(self._buffer) < size + COPY_BYTES:
            self._buffer = np.empty(size + COPY_BYTES, np.uint8)
        ends = np.zeros(records_max + 1, np.int64)
        self._tails[:] = NO_SCORE
        records = write_records(
            self._buffer, self._pieces, batch.columns, texts.text, texts.customer, texts.event,
            folded.moments, names, scores, count, self._tails, ends[1:],
        )  # fmt: skip
        values: list[bytes] = []
        for first in range(0, records, RECORDS_AT_ONCE):
            edges = ends[first : min(first + RECORDS_AT_ONCE, records) + 1]
            text = self._buffer[edges[0] : edges[-1]].tobytes()
            values += [text[start:stop] for start, stop in pairwise((edges - edges[0]).tolist())]
        return values

    def entries_of(self, portrait: Portrait) -> list[ScoreEntry]:
        """The scores of a portrait, as a reader of the topic would have them."""
        folded = Folded(
            portrait.batch, portrait.scores, portrait.score_count, Rows(), new_moments(0), [],
            new_fired(self._policies), [],
        )  # fmt: skip
        _, values = self.encode(folded)
        return [entry for value in values for entry in decode_score(value).scores]


def _names_of(texts: list[bytes]) -> Names:
    """Texts behind each other."""
    return Names(array_of(b"".join(texts)), np.array([0, *accumulate(map(len, texts))], np.int64))


def key_of(customer: bytes, campaign: str) -> bytes:
    """What the record of one campaign is known by; the name of a campaign has no colon."""
    return customer + b":" + campaign.encode()


def _keys_of(folded: Folded) -> list[bytes]:
    """The customer of each record of a batch."""
    if not folded.timed:
        return folded.batch.keys_of(folded.scored)
    rows = folded.scores.event[: folded.score_count]
    return _customers_of(folded, rows[np.flatnonzero(np.diff(rows, prepend=-1))].astype(np.intp))


def _customers_of(folded: Folded, rows: NDArray[np.intp]) -> list[bytes]:
    """Who is behind some events and moments of a batch."""
    first = len(folded.batch.rows)
    of_events = iter(folded.batch.keys_of(rows[rows < first]))
    return [
        next(of_events) if row < first else text_of(folded.timed[row - first]).encode()
        for row in rows.tolist()
    ]


def pieces_of(plan: Plan, events_topic: str, partition: int) -> Pieces:
    """What a record of a partition says whatever it scores, in the order that the loop knows."""
    topic, campaigns = _json(events_topic), list(plan.file.campaigns.values())
    fixed = [
        b'{"score_id":"', b'","customer_id":"', b'","event_id":"', b'","cause":"event","as_of":"',
        b'","source":{"topic":%b,"partition":%d,"offset":' % (topic, partition), b'},"scores":[',
        b',"percentile":', b"null", b'}],"other_reasons":', b'],"other_reasons":', b',"baseline":',
        b"]}", b",",
        *(b',"band":"%b","expected_value":' % band.encode() for band in BANDS),
        b'null,"band":null,"expected_value":', b"}", b'","event_id":null,"cause":"timer","as_of":"',
    ]  # fmt: skip
    openings = [
        b'{"campaign":%b,"horizon_ms":%d,"probability":' % (_json(c.name), c.horizon_ms)
        for c in campaigns
    ]
    models = [
        b',"model":{"lineage":%b,"learner":%b,"version":' % (_json(lineage), _json(learner))
        for lineage in plan.lineages
        for learner in LEARNERS
    ]
    features = [b',"features":%b}}' % _json(digest) for digest in plan.features]
    statuses = [b',"status":%b,"reasons":[' % _json(status) for status in STATUSES]
    sources = [b'{"source":%b,"contribution":' % _json(name) for name in plan.layout.sources]
    only_statuses = [b"null" + status for status in statuses]
    next_sources = [b"}," + source for source in sources]
    next_experts = [b',"%b":' % name.encode() for name in VOICES]
    experts = [b',"experts":{' + name[1:] for name in next_experts]
    groups = [
        fixed, openings, models, features, statuses, only_statuses, sources, next_sources, experts,
        next_experts,
    ]  # fmt: skip
    pieces = [piece for group in groups for piece in group]
    firsts = list(accumulate(map(len, groups)))
    return Pieces(
        text=array_of(b"".join(pieces) + bytes(COPY_BYTES)),
        starts=np.array([0, *accumulate(map(len, pieces))], np.int64),
        campaign=firsts[0],
        model=firsts[1],
        features=firsts[2],
        status=firsts[3],
        only_status=firsts[4],
        source=firsts[5],
        next_source=firsts[6],
        expert=firsts[7],
        next_expert=firsts[8],
        predicts_value=plan.arrays.predicts_value,
        is_hurdle=plan.arrays.is_hurdle,
    )


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
