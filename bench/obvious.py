"""The obvious way to write it: pydantic, features in dictionaries, River one by one, json.

Owns: the function that the obvious loop calls and that Quix Streams is wrapped around.
Never: anything of this project's own code, which does not stand in Quix's environment.
Source: what a good engineer writes in a day; it opens and closes the same examples as we do.
"""

from __future__ import annotations

import json
import math
from collections import deque
from datetime import datetime

from pydantic import BaseModel
from river import compose, linear_model, optim, preprocessing

TYPES = ("page_view", "search", "cart_add", "purchase", "email_open", "email_click")
HALF_LIVES_MS = {"1d": 86_400_000, "7d": 604_800_000, "30d": 2_592_000_000}
DAY_MS = 86_400_000


class Event(BaseModel):
    """What a customer did."""

    event_id: str
    customer_id: str
    type: str
    occurred_at: datetime
    value: float | None = None
    properties: dict[str, str | float | bool] = {}


class Profile:
    """What is kept of one customer."""

    def __init__(self, first_ms: int) -> None:
        self.first_ms = first_ms
        self.counts: dict[str, dict[str, float]] = {}
        self.last_ms: dict[str, int] = {}
        self.spent = 0.0
        self.spent_ms = first_ms


class ObviousScorer:
    """Scores every event and learns each example when its horizon has passed."""

    def __init__(self, goal: str, horizon_ms: int, lateness_ms: int, rate: float) -> None:
        self.goal = goal
        self.horizon_ms = horizon_ms
        self.lateness_ms = lateness_ms
        self.profiles: dict[str, Profile] = {}
        self.waiting: deque[tuple[int, str, dict[str, float]]] = deque()
        self.answers: dict[str, list[int]] = {}  # customer -> [as_of_ms, label]
        self.learned = 0
        self.positives = 0
        self.clock_ms = 0
        self.model = compose.Pipeline(
            preprocessing.StandardScaler(),
            linear_model.LogisticRegression(
                optim.SGD(0.01), intercept_init=math.log(rate / (1 - rate))
            ),
        )

    def score(self, value: bytes) -> bytes:
        """Return the score, as JSON, that this event causes."""
        event = Event.model_validate_json(value)
        at_ms = int(event.occurred_at.timestamp() * 1000)
        self.clock_ms = max(self.clock_ms, at_ms)
        self.learn_due()
        answer = self.answers.get(event.customer_id)
        if answer and event.type == self.goal and at_ms <= answer[0] + self.horizon_ms:
            answer[1] = 1
        profile = self.profiles.get(event.customer_id)
        if profile is None:
            profile = self.profiles[event.customer_id] = Profile(at_ms)
        self.update(profile, event, at_ms)
        features = self.features(profile, at_ms)
        probability = self.model.predict_proba_one(features)[True]
        if answer is None:
            self.answers[event.customer_id] = [at_ms, 0]
            self.waiting.append((at_ms, event.customer_id, features))
        return json.dumps(
            {
                "customer_id": event.customer_id,
                "event_id": event.event_id,
                "as_of": event.occurred_at.isoformat(),
                "scores": [{"campaign": "buy-3d", "probability": probability}],
                "model": {"version": self.learned},
            }
        ).encode()

    def learn_due(self) -> None:
        """Learn the examples whose horizon the clock has passed."""
        while self.waiting:
            as_of_ms, customer_id, features = self.waiting[0]
            if as_of_ms + self.horizon_ms + self.lateness_ms >= self.clock_ms:
                return
            self.waiting.popleft()
            label = self.answers.pop(customer_id)[1]
            self.model.learn_one(features, bool(label))
            self.learned += 1
            self.positives += label

    def update(self, profile: Profile, event: Event, at_ms: int) -> None:
        """Count the event in its customer's profile."""
        counts = profile.counts.setdefault(event.type, dict.fromkeys(HALF_LIVES_MS, 0.0))
        last_ms = profile.last_ms.get(event.type, at_ms)
        for name, half_life_ms in HALF_LIVES_MS.items():
            counts[name] = counts[name] * 2.0 ** ((last_ms - at_ms) / half_life_ms) + 1.0
        profile.last_ms[event.type] = at_ms
        if event.value is not None:
            faded = 2.0 ** ((profile.spent_ms - at_ms) / HALF_LIVES_MS["30d"])
            profile.spent = profile.spent * faded + event.value
            profile.spent_ms = at_ms

    def features(self, profile: Profile, at_ms: int) -> dict[str, float]:
        """Return the 27 features of a customer at a time."""
        features: dict[str, float] = {}
        for kind in TYPES:
            counts = profile.counts.get(kind)
            last_ms = profile.last_ms.get(kind, at_ms - 400 * DAY_MS)
            for name, half_life_ms in HALF_LIVES_MS.items():
                faded = 2.0 ** ((last_ms - at_ms) / half_life_ms)
                features[f"{kind} {name}"] = math.log1p(counts[name] * faded) if counts else 0.0
            features[f"{kind} recency"] = math.log1p((at_ms - last_ms) / DAY_MS)
        features["spent"] = math.log1p(profile.spent)
        features["tenure"] = math.log1p((at_ms - profile.first_ms) / DAY_MS)
        features["hour"] = math.sin(2 * math.pi * (at_ms % DAY_MS) / DAY_MS)
        return features
