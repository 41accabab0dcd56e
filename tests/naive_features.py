"""The features of a scored event, recomputed from the whole history of its customer.

Owns: each feature's definition, in plain sums over a list of events.
Never: a state between two events.
Source: docs/campaigns.md, "Features"; names as the rows carry them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from models.layout import half_life_name
from schemas.campaign import Campaign
from schemas.clauses import Clause, clause_name
from schemas.times import DAY_MS
from tests.naive_folds import NaiveFold, NaiveRow, days_of, decayed, log_of, text_of

VALUES_MAX = 64


class NaiveFeatures:
    """Features of scored events, by name; those that are 0 may be missing."""

    def __init__(self, fold: NaiveFold, rows: Sequence[NaiveRow]) -> None:
        self.fold, self.rows = fold, rows

    def of(self, campaign: Campaign, i: int) -> dict[str, float]:
        """The features of event `i` under a campaign."""
        fold, event = self.fold, self.fold.events[i]
        history = fold.history(i)
        features: dict[str, float] = {}
        for name, clauses in self._streams(campaign).items():
            if clauses:
                members = [k for k in history if fold.meets(clauses, k)]
            else:
                named = self._named()
                members = [k for k in history if fold.events[k].type not in named]
            features |= self._stream(name, campaign, members, event.at_ms)
        features |= self._context(campaign, history, event.at_ms)
        features |= self._numbers(campaign, i)
        features |= self._answers(campaign, i)
        features |= self._count_by(campaign, history, event.at_ms)
        return features | self._categories(campaign, i)

    def _named(self) -> set[str]:
        """Event types with counters of their own."""
        file = self.fold.file
        named = set(file.events.count)
        for campaign in file.campaigns.values():
            named |= {clause.event for clause in campaign.clauses}
            named |= {group.event for group in campaign.features.count_by}
        return named - set(file.events.ignore)

    def _streams(self, campaign: Campaign) -> dict[str, list[Clause]]:
        streams = {name: [Clause(name)] for name in self._named()}
        goal = list(campaign.goal.clauses)
        streams[" or ".join(clause_name(clause) for clause in goal)] = goal
        return {**streams, "other": []}

    def _stream(
        self, name: str, campaign: Campaign, members: Sequence[int], at_ms: int
    ) -> dict[str, float]:
        if not members:
            return {}
        times = sorted(self.fold.events[k].at_ms for k in members)
        now_ms = max(at_ms, times[-1])
        features = {f"{name} recency": days_of(now_ms - times[-1]), f"{name} seen": 1.0}
        if len(times) > 1:
            features[f"{name} gap"] = days_of(times[-1] - times[-2])
        for age in campaign.features.half_lives_ms:
            kept = [(decayed(now_ms - self.fold.events[k].at_ms, age), k) for k in members]
            count = math.fsum(weight for weight, _ in kept)
            total = math.fsum(weight * (self.fold.events[k].value or 0.0) for weight, k in kept)
            features[f"{name} {half_life_name(age)}"] = log_of(count)
            features[f"{name} value {half_life_name(age)}"] = log_of(total)
        return features

    def _context(self, campaign: Campaign, history: Sequence[int], at_ms: int) -> dict[str, float]:
        first_ms = min((self.fold.events[k].at_ms for k in history), default=at_ms)
        local = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(campaign.time_zone))
        midnight = local.replace(tzinfo=UTC, hour=0, minute=0, second=0, microsecond=0)
        day = (local.replace(tzinfo=UTC) - midnight) / timedelta(days=1)
        week = local.weekday() / 7
        return {
            "tenure": math.log1p((at_ms - first_ms) / DAY_MS),
            "hour sin": math.sin(math.tau * day),
            "hour cos": math.cos(math.tau * day),
            "weekday sin": math.sin(math.tau * week),
            "weekday cos": math.cos(math.tau * week),
        }

    def _numbers(self, campaign: Campaign, i: int) -> dict[str, float]:
        event, features = self.fold.events[i], {}
        for name in campaign.features.numbers:
            found = event.value if name == "value" else event.properties.get(name)
            try:
                features[name] = log_of(float(found))  # type: ignore[arg-type]
            except (TypeError, ValueError):
                features[f"{name} absent"] = 1.0
        return features

    def _answers(self, campaign: Campaign, i: int) -> dict[str, float]:
        """Answers of rows that had left when the event came."""
        customer, clock = self.fold.events[i].customer, self.fold.clock
        mine = [
            row
            for row in self.rows
            if row.campaign == campaign.name
            and self.fold.controls.forgotten_before(i) < row.closed <= i
            and self.fold.events[row.event].customer == customer
        ]
        if not mine:
            return {}
        now_ms = max(self.fold.events[i].at_ms, *(clock[row.closed] for row in mine))
        features: dict[str, float] = {}
        for name, rows in (
            ("hits", [row for row in mine if row.label > 0]),
            ("misses", [row for row in mine if row.label <= 0]),
        ):
            ages = [now_ms - clock[row.closed] for row in rows]
            features[name] = math.log1p(len(rows))
            faded = math.fsum(decayed(age, 30 * DAY_MS) for age in ages)
            features[f"{name} 30d"] = math.log1p(faded)
        return features

    def _count_by(self, campaign: Campaign, history: Sequence[int], at_ms: int) -> dict[str, float]:
        """Counters by value, of what came when the value was no longer new to the partition."""
        features: dict[str, float] = {}
        events = self.fold.events
        for group in campaign.features.count_by:
            texts = [
                text_of(event.properties.get(group.by)) if event.type == group.event else None
                for event in events
            ]
            known = list(dict.fromkeys(t for k, t in enumerate(texts) if t and t in texts[:k]))
            counted = [k for k in history if texts[k] in known[:VALUES_MAX]]
            counted = [k for k in counted if texts[k] in texts[:k]]
            if not counted:
                continue
            now_ms = max(at_ms, *(events[k].at_ms for k in counted), 0)
            for text in {texts[k] for k in counted}:
                ages = [now_ms - events[k].at_ms for k in counted if texts[k] == text]
                count = math.fsum(decayed(age, 90 * DAY_MS) for age in ages)
                features[f"{group.event} by {group.by}={text} 90d"] = math.log1p(count)
        return features

    def _category(self, name: str, i: int) -> str | None:
        events = self.fold.events
        own = text_of(events[i].properties.get(name))
        if own or name not in self.fold.file.events.remember:
            return own
        return self.fold.last_known(name, i)

    def _categories(self, campaign: Campaign, i: int) -> dict[str, float]:
        features: dict[str, float] = {}
        for parts in [*((name,) for name in campaign.features.categories),
                      *campaign.features.crosses]:  # fmt: skip
            texts = [self._category(name, i) for name in parts]
            if all(texts):
                features[f"{'×'.join(parts)}={'×'.join(text or '' for text in texts)}"] = 1.0
        return features
