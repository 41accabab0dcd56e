"""The grammar of the campaign file: which keys there are, and how many of anything.

Owns: the tables of keys, of keys that are not there yet, and of limits.
Never: reads a file.
Source: the contract, "Campaign file".
"""

from __future__ import annotations

from typing import Literal

Section = Literal[
    "file",
    "input",
    "events",
    "campaign",
    "goal",
    "features",
    "clause",
    "condition",
    "customer",
    "count_by",
    "challenger",
    "trigger",
    "level",
    "publish",
    "contact_limit",
]

KEYS: dict[Section, tuple[str, ...]] = {
    "file": ("version", "time_zone", "input", "events", "contact_limit", "campaigns"),
    "input": ("format", "customer_id", "type", "occurred_at", "event_id", "value", "properties"),
    "events": ("count", "remember", "ignore"),
    "campaign": (
        "for",
        "goal",
        "horizon",
        "rate",
        "predict",
        "score_on",
        "score_every",
        "idle_max",
        "learn_on",
        "example_interval",
        "features",
        "learner",
        "challengers",
        "promote",
        "trigger",
        "publish",
    ),
    "goal": ("event", "where", "any_of", "none_of", "match", "after", "not_same", "lost", "until"),
    "features": ("half_lives", "count_by", "categories", "crosses", "numbers"),
    "clause": ("event", "where"),
    "condition": ("gte", "gt", "lte", "lt"),
    "customer": ("last", "is", "event", "where", "within", "never"),
    "count_by": ("event", "by"),
    "challenger": ("onnx", "sha256"),
    "trigger": ("when", "clear", "wait", "unless", "cooldown", "hold_out", "expires_after"),
    "level": ("percentile", "probability", "expected_value"),
    "publish": ("changed",),
    "contact_limit": ("triggers", "within"),
}

NOT_YET: dict[Section, tuple[str, ...]] = {
    "events": ("money", "contacts"),
    "features": ("vectors",),
}
"""Words of the grammar that this release refuses by name; each moves to KEYS when it is built."""

LEARNERS = ("hedged_logistic", "bayesian_logistic", "river_logistic", "river_ftrl")
LEARNERS_OF_VALUES = ("hurdle", "bayesian_linear")
CHALLENGERS = (*LEARNERS, "kernel_svm", "fresh")
"""Those that are one word; a model trained elsewhere is `{onnx: path, sha256: digest}`."""
CHALLENGERS_MAX = 4
PREDICTS = ("conversion", "value")
PUBLISH = ("every", "changed")

CAMPAIGNS_MAX = 16
CLAUSES_MAX = 64
CUSTOMER_CLAUSES_MAX = 64
EVENT_TYPES_MAX = 64
LIST_MAX = 32
VALUES_MAX = 256
CONTACTS_MAX = 32
HALF_LIVES_MAX = 8
CROSSED = 2
NAME_CHARACTERS_MAX = 64
TYPE_CHARACTERS_MAX = 64
PROPERTY_CHARACTERS_MAX = 128
HORIZON_MAX_MS = 731 * 86_400_000
SCORE_EVERY_MIN_MS = 60_000
RATE_MIN = 1e-6
VALUE_LEVEL_MAX = 1e12
RATE_MAX = 0.999
