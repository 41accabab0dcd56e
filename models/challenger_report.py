"""What `quality.json` says of a campaign's challengers: how each contest stands, and decisions.

Owns: the report of contests, and what follows from one that nobody was promoted for.
Never: decides.
Source: docs/quality.md has the keys.
"""

from __future__ import annotations

from dataclasses import asdict

import msgspec

from models.contenders import Contenders
from models.quality_report import Report


def with_challengers(report: Report, contenders: Contenders | None) -> Report:
    """Return a learner's report with its campaign's challengers, decisions and suggestions."""
    if contenders is None:
        return {**report, "challengers": {}, "decisions": []}
    return {
        **report,
        "challengers": {name: _challenger(contenders, name) for name in contenders.contests},
        "decisions": [msgspec.to_builtins(decision) for decision in contenders.decisions],
        "suggestions": [*report["suggestions"], *_suggestions(contenders)],
    }


def _challenger(contenders: Contenders, name: str) -> Report:
    learner, contest = contenders.learners[name], contenders.contests[name]
    look = contenders.looks.get(name)
    return {
        "kind": contenders.campaign.kind_of(name),
        "version": learner.version,
        "status": learner.status,
        "rows": contest.rows,
        "positives": contest.positives,
        "compared": "as scored" if learner.is_linear else "before learning",
        "can_serve": learner.is_linear,
        "last_look": None if look is None else asdict(look),
    }


def _suggestions(contenders: Contenders) -> list[str]:
    found: list[str] = []
    for name, look in contenders.looks.items():
        if look.outcome != "better":
            continue
        saves = f"{name} would save {100.0 * look.gain:.1f} % of the log-loss of the scores"
        if not contenders.learners[name].is_linear:
            found.append(
                f"{saves}, but is not linear and cannot be served: look for what it sees, "
                "such as a cross of two categories."
            )
        elif not contenders.campaign.promote:
            found.append(f"{saves}, and is not promoted because the file says `promote: false`.")
    return found
