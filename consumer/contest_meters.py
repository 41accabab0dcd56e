"""How the contests of campaigns stand, as metrics.

Owns: which figures of a contest are shown, and until when.
Never: decides one.
Source: docs/learners.md, "Champion and challengers".
"""

from __future__ import annotations

from consumer import metrics
from consumer.metric import Metric
from consumer.telemetry import Telemetry
from models.contenders import Contenders
from schemas.decision import CHANGES


def show_contests(telemetry: Telemetry, contenders: Contenders) -> None:
    """Say how the contests of a campaign with challengers stand."""
    campaign = contenders.campaign.name
    for reason in CHANGES:
        telemetry.counter(metrics.CHAMPION_CHANGES, campaign, reason)  # They begin at 0.
    for name in contenders.campaign.learners:
        contest, look = contenders.contests.get(name), contenders.looks.get(name)
        figures: tuple[tuple[Metric, float | None], ...] = (
            (metrics.CHALLENGER_POSITIVES, None if contest is None else contest.positives),
            (metrics.CHALLENGER_GAIN, None if look is None else look.gain),
            (metrics.CHALLENGER_ERROR, None if look is None else look.error),
        )
        for metric, known in figures:
            if known is None:
                telemetry.forget_gauge(metric, campaign, name)
            else:
                telemetry.gauge(metric, campaign, name).set(known)
