"""The fixed text of the rows of a campaign, as bytes for compiled loops.

Owns: what stands between the numbers of a row; the writer and the reader share it.
Never: a number, a name of a feature or an id.
Source: schemas.example.TrainingExample: the same fields in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.batch import STATUSES
from models.plan import U1, Plan
from schemas.campaign import CHAMPION, LEARNERS, VOICES

Spans = NDArray[np.int64]

ACTED_WORDS = (b"none", b"acted", b"held_out")
"""The words of `acted`, by the number of the arm."""

encode_text = msgspec.json.Encoder().encode
"""A text as JSON with its quotes; a number, or a list of texts, all the same."""


def campaign_prefix(campaign: str) -> bytes:
    """How every row of a campaign begins, up to the end of the campaign's name."""
    return b'{"campaign":' + encode_text(campaign)


def lineage_prefix(campaign: str, lineage: str) -> bytes:
    """How every row of a lineage begins, up to the end of the lineage."""
    return campaign_prefix(campaign) + b',"lineage":' + encode_text(lineage)


def segments_of(plan: Plan, index: int) -> list[bytes]:
    """The fixed pieces of a campaign's rows, in their order; kernel_row_text names what is between.

    A value is served as the expected value, else as the probability; the other of the two is null.
    """
    features = encode_text(plan.features[index])
    prefix = lineage_prefix(plan.campaigns[index], plan.lineages[index])
    values = list(plan.file.campaigns.values())[index].predict == "value"
    return [
        prefix + b',"customer":"',
        b'","event_id":',
        b',"as_of":"',
        b'","closed_at":"',
        b'","source":{"partition":',
        b',"offset":',
        b'},"closed_by":{"offset":',
        b',"index":',
        b'},"label":',
        b',"weight":',
        b',"acted":"none","features":{',
        b'},"probability":null,"expected_value":' if values else b'},"probability":',
        (b"" if values else b',"expected_value":null') + b',"experts":{',
        _learner_segment(plan.lineages[index], CHAMPION),
        b',"features":' + features + b'},"status":"',
        b'"}',
    ]


def _learner_segment(lineage: str, learner: str) -> bytes:
    named = encode_text(lineage), encode_text(learner)
    return b'},"model":{"lineage":%s,"learner":%s,"version":' % named


def of_arm(row: bytes, arm: int, triggered: int) -> bytes:
    """A row that says what is done of no arm, as one of an arm.

    No text in it can hold the same bytes, for in a text a quote is escaped.
    """
    row = row.replace(b'"acted":"none"', b'"acted":"%s"' % ACTED_WORDS[arm], 1)
    return row[:-1] + b',"triggered":true}' if triggered else row


class Table:
    """Pieces of bytes one after the other, with the span of each; it grows at its end."""

    def __init__(self, pieces: Iterable[bytes] = ()) -> None:
        self._text: U1 = np.zeros(256, np.uint8)
        self._spans: Spans = np.zeros((16, 2), np.int64)
        self.count = 0
        self.longest = 0
        self._used = 0
        for piece in pieces:
            self.add(piece)

    def add(self, piece: bytes) -> int:
        """Take a piece in and give its number."""
        stop = self._used + len(piece)
        if stop > len(self._text):
            self._text = np.concatenate([self._text, np.zeros(stop, np.uint8)])
        if self.count == len(self._spans):
            self._spans = np.concatenate([self._spans, np.zeros_like(self._spans)])
        self._text[self._used : stop] = np.frombuffer(piece, np.uint8)
        self._spans[self.count] = self._used, stop
        self._used = stop
        self.longest = max(self.longest, len(piece))
        self.count += 1
        return self.count - 1

    @property
    def text(self) -> U1:
        """All pieces, and room."""
        return self._text

    @property
    def spans(self) -> Spans:
        """Where each piece begins and stops in `text`, and room."""
        return self._spans


def segments_table(plan: Plan) -> Table:
    """The fixed pieces of all campaigns, campaign after campaign."""
    campaigns = range(len(plan.campaigns))
    return Table(piece for index in campaigns for piece in segments_of(plan, index))


def experts_table() -> Table:
    """What names each expert, or learner, before its number."""
    return Table(encode_text(name) + b":" for name in VOICES)


def learners_table(plan: Plan) -> Table:
    """The piece before a model's version: for each campaign, one for each of the LEARNERS."""
    return Table(
        _learner_segment(lineage, learner) for lineage in plan.lineages for learner in LEARNERS
    )


def statuses_table() -> Table:
    """The words of `status`, by their number."""
    return Table(status.encode() for status in STATUSES)
