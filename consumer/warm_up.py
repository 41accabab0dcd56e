"""What happens before the first record: the plan, and compiled code.

Owns: saying what takes so long at the very first start.
Never: folds anything that counts.
Source: numba compiles a function at its first call and keeps the result on disk.
"""

from __future__ import annotations

from consumer.logs import log
from models.compiled import cache_folder, is_cached
from models.plan import Limits, Plan, compile_plan
from models.scorer import Scorer
from schemas.campaign import CampaignFile
from schemas.settings import Settings


def limits_of(settings: Settings) -> Limits:
    """The bounds of a fold, as the settings have them."""
    return Limits(
        profiles_max=settings.limits.profiles_max,
        open_examples_max=settings.limits.open_examples_max,
        seen_ids_max=settings.limits.seen_ids_max,
        closes_per_event_max=settings.limits.closes_per_event_max,
        value_max=settings.limits.value_max,
        lateness_ms=settings.times.lateness_ms,
        future_max_ms=settings.times.future_max_ms,
    )


def plan_of(campaigns: CampaignFile, settings: Settings) -> Plan:
    """Compile the campaign file under the limits of the settings."""
    return compile_plan(campaigns, limits_of(settings))


def compile_kernels(plan: Plan) -> None:
    """Compile what the loop needs, or load it; says so where it takes long."""
    if not is_cached():
        log().info("compiling for this machine, once: this takes half a minute",
                   folder=str(cache_folder()))  # fmt: skip
    Scorer(plan).fold([], [], [], [])
