"""Triggers on their way out: as records, in their topics, and counted.

Owns: what a trigger record says of a decision of the fold, and which topic it goes to.
Never: a decision; everything was decided in the fold.
Source: schemas.trigger is the shape.
"""

from __future__ import annotations

import numpy as np

from consumer import metrics
from consumer.telemetry import Telemetry
from consumer.transport import Outgoing
from models.batch import BANDS, LATE, NO_PERCENTILE
from models.folded import Folded
from models.kernel_record import BAND_HIGH_FROM, BAND_MEDIUM_FROM
from models.model_number import LEARNER_SHIFT, VERSION_MASK
from models.plan import Plan
from models.trigger_states import ENTERED, KINDS, REASONS, Fired, policies_of
from models.wire import hash_text
from schemas.campaign import LEARNERS, Campaign
from schemas.score import Band, ModelRef
from schemas.segment_call import encode_segment
from schemas.settings import Topics
from schemas.times import format_time
from schemas.trigger import TriggerRecord, TriggerScore, encode_trigger
from schemas.trigger_policy import TriggerPolicy

HELD_OUT = "held_out"
LATE_EVENT = "late"


class TriggerEncoder:
    """Encodes the triggers of one partition: simple rather than fast, for they are few."""

    def __init__(
        self, plan: Plan, topics: Topics, partition: int, trigger_format: str = "propensity"
    ) -> None:
        self._plan = plan
        self._bytes_of = encode_segment if trigger_format == "segment" else encode_trigger
        self._topics = {False: topics.triggers, True: topics.held_out}
        self._partition = partition
        self._places = policies_of(plan).campaign.tolist()
        self._campaigns = triggered(plan)

    def encode(self, folded: Folded) -> list[Outgoing]:
        """The triggers of a batch in their order, those of held-out customers apart."""
        fired = folded.fired
        apart: dict[bool, tuple[list[bytes | None], list[bytes | None]]] = {
            False: ([], []), True: ([], [])
        }  # fmt: skip
        for index in range(int(fired.total[0])):
            customer = folded.fired_by[index]
            keys, values = apart[bool(fired.held_out[index])]
            keys.append(customer.encode())
            values.append(self._bytes_of(self._record(fired, index, customer)))
        return [
            Outgoing(self._topics[held_out], self._partition, keys, values)
            for held_out, (keys, values) in apart.items()
            if values
        ]

    def _record(self, fired: Fired, index: int, customer: str) -> TriggerRecord:
        campaign = self._campaigns[fired.policy[index]]
        policy = campaign.trigger
        assert isinstance(policy, TriggerPolicy)
        at_ms, kind = int(fired.at_ms[index]), KINDS[fired.kind[index]]
        score = self._score(fired, index)
        return TriggerRecord(
            trigger_id=trigger_id(score.score_id, campaign.name, kind),
            campaign=campaign.name,
            customer_id=customer,
            kind=kind,
            as_of=format_time(at_ms),
            expires_at=format_time(at_ms + policy.expires_after_ms),
            score=score,
            policy=policy.digest,
        )

    def _score(self, fired: Fired, index: int) -> TriggerScore:
        place = self._places[fired.policy[index]]
        is_value = bool(self._plan.arrays.predicts_value[place])
        has_probability = not is_value or bool(self._plan.arrays.is_hurdle[place])
        percentile, number = float(fired.percentile[index]), int(fired.version[index])
        return TriggerScore(
            score_id=f"{int(fired.score_one[index]):016x}{int(fired.score_two[index]):016x}",
            as_of=format_time(int(fired.score_at[index])),
            probability=float(fired.probability[index]) if has_probability else None,
            percentile=None if percentile == NO_PERCENTILE else percentile,
            band=band_of(percentile),
            expected_value=float(fired.served[index]) if is_value else None,
            model=ModelRef(
                lineage=self._plan.lineages[place],
                learner=LEARNERS[number >> LEARNER_SHIFT],
                version=number & VERSION_MASK,
                features=self._plan.features[place],
            ),
        )


class TriggerMeters:
    """Counts what is fired, and what is not, by campaign; all of it begins at 0."""

    def __init__(self, plan: Plan, telemetry: Telemetry) -> None:
        arrays, names = plan.arrays, [campaign.name for campaign in triggered(plan)]
        self._score_mask = arrays.score_mask[policies_of(plan).campaign]
        self._fired = [
            {
                outcome: telemetry.counter(metrics.TRIGGERS, name, outcome)
                for outcome in (*KINDS, HELD_OUT)
            }
            for name in names
        ]
        self._withheld = [
            {
                reason: telemetry.counter(metrics.TRIGGERS_WITHHELD, name, reason)
                for reason in (*REASONS, LATE_EVENT)
            }
            for name in names
        ]

    def count(self, folded: Folded) -> None:
        """Count the triggers of a batch, and what was not sent for which reason."""
        fired = folded.fired
        for index in range(int(fired.total[0])):
            meters, kind = self._fired[fired.policy[index]], fired.kind[index]
            held_out = bool(fired.held_out[index]) and kind == ENTERED
            meters[HELD_OUT if held_out else KINDS[kind]].add()
        for policy, meters in enumerate(self._withheld):
            for reason, amount in zip(REASONS, fired.withheld[policy].tolist(), strict=True):
                meters[reason].add(amount)
            late = folded.batch.columns.mask[folded.scores.outcome == LATE]
            asked = int(np.count_nonzero(late & self._score_mask[policy]))
            meters[LATE_EVENT].add(asked)


def triggered(plan: Plan) -> list[Campaign]:
    """The campaigns with a trigger, in the order of their policies."""
    return [each for each in plan.file.campaigns.values() if each.trigger is not None]


def trigger_id(score_id: str, campaign: str, kind: str) -> str:
    """32 hex digits: a score, which is of a customer and an event, causes one of a kind at most."""
    one, two = hash_text(f"{score_id} {campaign} {kind}")
    return f"{one:016x}{two:016x}"


def band_of(percentile: float) -> Band | None:
    """The band of a percentile, as in the score."""
    low, medium, high = BANDS
    if percentile == NO_PERCENTILE:
        return None
    if percentile < BAND_MEDIUM_FROM:
        return low
    return medium if percentile < BAND_HIGH_FROM else high
