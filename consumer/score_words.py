"""Scores in plain words, for people who never heard of a logit.

Owns: how a probability and its reasons are said to a person.
Never: a cause: what goes together need not bring about.
Source: a contribution c to the logit multiplies the odds by exp(c).
"""

from __future__ import annotations

from math import exp

from models.layout import OTHER
from schemas.score import Reason, ScoreEntry

ODDS_SAID_MIN = 0.05  # What moves the odds by less than 5 % is not worth a word.


def percent(share: float) -> str:
    """A share as people write it.

    Examples
    --------
    >>> percent(0.0312), percent(0.0004), percent(0.5)
    ('3.1 %', '0.04 %', '50 %')
    """
    hundred = 100.0 * share
    if hundred >= 10.0:
        return f"{hundred:.0f} %"
    return f"{hundred:.1f} %" if hundred >= 1.0 else f"{hundred:.2g} %"


def reason_words(reason: Reason) -> str:
    """One reason: what it does to the odds.

    Examples
    --------
    >>> reason_words(Reason("cart_add", 0.7)), reason_words(Reason("tenure", -0.7))
    ('cart_add (odds ×2.0)', 'tenure (odds ÷2.0)')
    """
    factor = exp(min(abs(reason.contribution), 20.0))
    source = "other events" if reason.source == OTHER else reason.source
    return f"{source} (odds {'×' if reason.contribution > 0 else '÷'}{factor:.1f})"


def score_words(entry: ScoreEntry) -> str:
    """One campaign's score as a sentence.

    Examples
    --------
    >>> from schemas.score import ModelRef
    >>> model = ModelRef("l", "champion", 9, "f")
    >>> reasons = [Reason("cart_add", 0.7), Reason("tenure", -0.7)]
    >>> score_words(
    ...     ScoreEntry("buy", 1, 0.25, 91.0, "high", None, "ready", reasons, 0.0, -1.1, model)
    ... )
    'buy: 25 % (high): for it cart_add (odds ×2.0); against it tenure (odds ÷2.0)'
    """
    if entry.probability is None:
        said = "no value yet" if entry.expected_value is None else f"{entry.expected_value:.2f}"
    else:
        said = percent(entry.probability)
    if entry.status == "warming":
        return f"{entry.campaign}: {said}, the usual rate: too little is known yet"
    worth = [r for r in entry.reasons if abs(r.contribution) >= ODDS_SAID_MIN]
    up = ", ".join(reason_words(r) for r in worth if r.contribution > 0)
    down = ", ".join(reason_words(r) for r in worth if r.contribution < 0)
    parts = [text for text in (up and f"for it {up}", down and f"against it {down}") if text]
    band = f" ({entry.band})" if entry.band else ""
    return f"{entry.campaign}: {said}{band}: {'; '.join(parts) or 'nothing stands out'}"
