"""Metrics of the two arms of a campaign: those acted on, and those held out.

Owns: their names, units and meanings.
Never: a value.
Source: docs/campaigns.md, "What acting is worth".
"""

from typing import Final

from consumer.metric import Kind, Metric

_GAUGE = Kind.GAUGE

ARM_CUSTOMERS = Metric(
    "propensity_arm_customers", _GAUGE, "customers", ("campaign", "learner", "arm"),
    "Customers whose first trigger's horizon is over, by arm: `acted` or `held_out`.",
)  # fmt: skip
ARM_CONVERSIONS = Metric(
    "propensity_arm_conversions", _GAUGE, "customers", ("campaign", "learner", "arm"),
    "Those of them who reached the goal within the horizon of their first trigger.",
)  # fmt: skip
UPLIFT = Metric(
    "propensity_uplift_ratio", _GAUGE, "ratio", ("campaign", "learner", "bound"),
    "Conversion of those acted on less that of those held out: the `estimate`, and the `low` and "
    "`high` end of its 95 % interval.",
)  # fmt: skip
UPLIFT_NEEDED = Metric(
    "propensity_uplift_customers_needed", _GAUGE, "customers", ("campaign", "learner"),
    "About how many customers more would decide, with 80 % power; 0 where the interval does.",
)  # fmt: skip
ARMS: Final[tuple[Metric, ...]] = (ARM_CUSTOMERS, ARM_CONVERSIONS, UPLIFT, UPLIFT_NEEDED)
