"""What each label of a metric means.

Owns: the labels' names and meanings; docs/metrics.md is made from them.
Never: a metric.
Source: https://prometheus.io/docs/practices/naming/
"""

from collections.abc import Mapping
from typing import Final

LABELS: Final[Mapping[str, str]] = {
    "arm": "`acted` or `held_out`.",
    "bound": "`estimate`, or the `low` or `high` end of its 95 % interval.",
    "campaign": "A campaign's name in the campaign file.",
    "clause": "A clause of `for`, as `page_view within 60d`.",
    "code": "The status of the answer.",
    "expert": "An expert of a mixture: `slow`, `fast` or `quick`.",
    "features": "Digest of a model's columns.",
    "field": "What the sender got wrong: an envelope field, or `record`.",
    "kind": "What is watched: `residuals` (actual less predicted), `scores` or `inputs`.",
    "hop": "`poll`, `decode`, `score`, `encode`, `publish`, `commit` or `learn`.",
    "learner": "A learner's name: `champion`, or that of a challenger in the campaign file.",
    "librdkafka": "Version of the Kafka client's library.",
    "limit": "The setting that was reached, as it is called under `limits`.",
    "lineage": "Identity of one definition of goal and features.",
    "outcome": "What became of it; the meaning of the metric lists them.",
    "partition": "The partition's number.",
    "property": "A property's name as sent; names beyond the first hundred count as `other`.",
    "python": "Version of the interpreter.",
    "reason": "Why; the meaning of the metric lists them.",
    "route": "A path with the customer left out, as `/v1/customers/…/scores`; all others: `other`.",
    "stage": "What refused the record: `decode`, `key` or `time`.",
    "status": "`warming`, `ready`, `unreliable`, `paused` or `catching_up`.",
    "topic": "A topic's name.",
    "type": "A control fact: `suppress`, `unsuppress`, `consent` or `forget`.",
    "version": "The program's version.",
    "window": "Span of event time that the figure covers: `1d`, `7d` or `28d`.",
}
