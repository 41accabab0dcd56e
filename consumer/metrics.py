"""Every metric of the program: its name, kind, unit, labels and meaning.

Owns: the table that telemetry fills and docs/metrics.md is made from.
Never: a value, or the library that exposes it.
Source: https://prometheus.io/docs/practices/naming/
"""

from collections.abc import Mapping
from typing import Final

from consumer.arm_metrics import ARM_CONVERSIONS, ARM_CUSTOMERS, ARMS, UPLIFT, UPLIFT_NEEDED
from consumer.http_metrics import HTTP_DURATION, HTTP_REQUESTS
from consumer.metric import Kind, Metric

LATENCY_BOUNDS_S: Final = (
    *(0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25),
    *(0.5, 1.0, 2.5, 5.0, 10.0, 60.0),
)
PROBABILITY_BOUNDS: Final = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
)
BATCH_BOUNDS: Final = (1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2000.0, 5000.0)

_COUNTER, _GAUGE, _HISTOGRAM = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM
_QUALITY = ("campaign", "learner", "window")


def _quality(figure: str, unit: str, meaning: str) -> Metric:
    return Metric(f"propensity_quality_{figure}", _GAUGE, unit, _QUALITY, meaning)


EVENTS = Metric(
    "propensity_events_total", _COUNTER, "events", ("partition", "outcome"),
    "Events consumed, each under one outcome: `taken`, `duplicate` or `dead_letter`.",
)  # fmt: skip
EVENTS_LATE = Metric(
    "propensity_events_late_total", _COUNTER, "events", ("partition",),
    "Events, among those taken, that came later than `lateness` and were not scored.",
)  # fmt: skip
EVENTS_NOT_SCORED = Metric(
    "propensity_events_not_scored_total", _COUNTER, "events", ("partition",),
    "Events, among those taken, that no campaign wants a score for.",
)  # fmt: skip
EVENTS_NOT_ELIGIBLE = Metric(
    "propensity_events_not_eligible_total", _COUNTER, "events", ("partition",),
    "Events, among those taken, whose customer no campaign that wants a score is `for`.",
)  # fmt: skip
EVENTS_SUPPRESSED = Metric(
    "propensity_events_suppressed_total", _COUNTER, "events", ("partition",),
    "Events, among those taken, that were not scored since their customer is suppressed.",
)  # fmt: skip
CONTROL_FACTS = Metric(
    "propensity_control_facts_total", _COUNTER, "records", ("partition", "type"),
    "Control facts obeyed, among the events taken, by their type without its `$`.",
)  # fmt: skip
NOT_ELIGIBLE = Metric(
    "propensity_scores_not_eligible_total", _COUNTER, "scores", ("campaign", "clause"),
    "Scores not given, by the first clause of `for` that did not hold for the customer.",
)  # fmt: skip
EVENTS_WAITING = Metric(
    "propensity_events_waiting", _GAUGE, "events", ("partition",),
    "Events in the log that were not taken yet; ends of transactions count, too.",
)  # fmt: skip
DEAD_LETTERS = Metric(
    "propensity_dead_letters_total", _COUNTER, "records", ("stage", "field"),
    "Records that could not be read, by what was wrong with them.",
)  # fmt: skip
PROPERTIES_IGNORED = Metric(
    "propensity_properties_ignored_total", _COUNTER, "properties", ("property",),
    "Properties left out because they were nested, not finite, too long or too many.",
)  # fmt: skip
VALUES_CLIPPED = Metric(
    "propensity_values_clipped_total", _COUNTER, "values", (),
    "Numbers that were not finite or beyond `value_max`, and were clipped.",
)  # fmt: skip
SCORED_EVENTS = Metric(
    "propensity_scored_events_total", _COUNTER, "events", ("partition",),
    "Events answered with a record on the score topic.",
)  # fmt: skip
SCORES = Metric(
    "propensity_scores_total", _COUNTER, "scores", ("campaign", "status"),
    "Scores published, by the status they carry.",
)  # fmt: skip
SCORES_UNPUBLISHED = Metric(
    "propensity_scores_unpublished_total", _COUNTER, "scores", ("campaign", "reason"),
    "Scores that were not published: `unchanged` (the campaign has `publish: changed`).",
)  # fmt: skip
SCORE_PROBABILITY = Metric(
    "propensity_score_probability_ratio", _HISTOGRAM, "ratio", ("campaign",),
    "Probabilities published (of a batch, the first 4,096); where values are predicted, none.",
    PROBABILITY_BOUNDS,
)  # fmt: skip
EXAMPLES_OPENED = Metric(
    "propensity_examples_opened_total", _COUNTER, "examples", ("campaign",),
    "Examples that began to wait for their outcome.",
)  # fmt: skip
EXAMPLES_CLOSED = Metric(
    "propensity_examples_closed_total", _COUNTER, "examples", ("campaign", "outcome"),
    "Examples whose outcome is known: `converted` (a label above 0) or `not_converted`.",
)  # fmt: skip
EXAMPLES_LEARNED = Metric(
    "propensity_examples_learned_total", _COUNTER, "examples", ("campaign", "learner"),
    "Matured rows that a learner has learned from.",
)  # fmt: skip
EXAMPLES_DROPPED = Metric(
    "propensity_examples_dropped_total", _COUNTER, "examples", ("campaign", "reason"),
    "Examples not learned: rows that were `repeated`, of a `superseded` lineage, `silent` (no goal "
    "events any more) or `triggered` (counted by arm), and open ones whose customer was "
    "`suppressed` or `forgotten`.",
)  # fmt: skip
EXAMPLES_OPEN = Metric(
    "propensity_examples_open", _GAUGE, "examples", ("partition",),
    "Examples that wait for their outcome.",
)  # fmt: skip
EXAMPLES_OVERDUE = Metric(
    "propensity_examples_overdue", _GAUGE, "examples", ("partition",),
    "Open examples whose time is up by the wall clock while the partition's clock stands still.",
)  # fmt: skip
TIMERS = Metric(
    "propensity_timers_total", _COUNTER, "moments", ("partition", "outcome"),
    "Moments of `score_every`: `fired`, one score of a customer each, or `passed` over by a clock "
    "that went on by more than a period: of those only the last fires.",
)  # fmt: skip
TIMERS_OVERDUE = Metric(
    "propensity_timers_overdue", _GAUGE, "customers", ("partition",),
    "Customers whose timer is due by the wall clock, while the partition's clock stands still or "
    "others are before them.",
)  # fmt: skip
PROFILES = Metric(
    "propensity_profiles", _GAUGE, "customers", ("partition",),
    "Customers whose profile is held.",
)  # fmt: skip
EVICTIONS = Metric(
    "propensity_evictions_total", _COUNTER, "entries", ("limit",),
    "Entries that made room for newer ones because a limit was reached.",
)  # fmt: skip
LIMIT_HITS = Metric(
    "propensity_limit_hits_total", _COUNTER, "times", ("limit",),
    "Times that a limit held something back.",
)  # fmt: skip
SCORE_LATENCY = Metric(
    "propensity_score_latency_seconds", _HISTOGRAM, "seconds", (),
    "From the broker's stamp on an event to its score handed to the broker.", LATENCY_BOUNDS_S,
)  # fmt: skip
HOP_DURATION = Metric(
    "propensity_hop_duration_seconds", _HISTOGRAM, "seconds", ("hop",),
    "Time that one batch spends in one hop.", LATENCY_BOUNDS_S,
)  # fmt: skip
BATCH_SIZE = Metric(
    "propensity_batch_events", _HISTOGRAM, "events", (),
    "Events in one batch.", BATCH_BOUNDS,
)  # fmt: skip
EVENT_CLOCK = Metric(
    "propensity_event_clock_timestamp_seconds", _GAUGE, "seconds since the epoch", ("partition",),
    "The partition's event clock: the latest `occurred_at` accepted.",
)  # fmt: skip
EVENT_FRESHNESS = Metric(
    "propensity_event_freshness_seconds", _GAUGE, "seconds", ("partition",),
    "How far the partition's event clock is behind the wall clock.",
)  # fmt: skip
LAG = Metric(
    "propensity_lag_records", _GAUGE, "records", ("topic", "partition"),
    "Offsets between the end of the partition and the next one to be read.",
)  # fmt: skip
PARTITIONS = Metric(
    "propensity_partitions", _GAUGE, "partitions", ("topic",),
    "Partitions that this worker owns.",
)  # fmt: skip
PARTITION_PAUSED = Metric(
    "propensity_partition_paused", _GAUGE, "0 or 1", ("topic", "partition", "reason"),
    "1 while the partition waits: `recovery`, `snapshot`, `backlog` (of rows to learn), "
    "`dead_letters` (too many), `ahead_of_others` or `unknown_lineage`.",
)  # fmt: skip
PARTITION_STALLED = Metric(
    "propensity_partition_stalled_seconds", _GAUGE, "seconds", ("topic", "partition"),
    "How long the partition has had records to read and read none; 0 while it goes on.",
)  # fmt: skip
REBALANCES = Metric(
    "propensity_rebalances_total", _COUNTER, "times", (),
    "Times that partitions were assigned to this worker or taken from it.",
)  # fmt: skip
RECOVERY_PROGRESS = Metric(
    "propensity_recovery_progress_ratio", _GAUGE, "ratio", ("topic", "partition"),
    "Share of the partition's snapshot, or of its learners' states, that is read; 1 when done.",
)  # fmt: skip
REBUILD_PROGRESS = Metric(
    "propensity_rebuild_progress_ratio", _GAUGE, "ratio", ("partition",),
    "Share of the partition's history that is folded again after a start; 1 when live.",
)  # fmt: skip
SNAPSHOT_TIME = Metric(
    "propensity_snapshot_timestamp_seconds", _GAUGE, "seconds since the epoch", ("partition",),
    "Wall time at which the partition's newest snapshot was complete.",
)  # fmt: skip
SNAPSHOT_BYTES = Metric(
    "propensity_snapshot_bytes", _GAUGE, "bytes", ("partition",),
    "Size of the partition's newest snapshot, compressed.",
)  # fmt: skip
SNAPSHOT_DURATION = Metric(
    "propensity_snapshot_duration_seconds", _HISTOGRAM, "seconds", (),
    "From the first byte copied until a snapshot was complete.", bounds=LATENCY_BOUNDS_S,
)  # fmt: skip
SNAPSHOT_PAUSE = Metric(
    "propensity_snapshot_pause_seconds", _HISTOGRAM, "seconds", (),
    "How long the loop stood still to copy a piece of a state.", bounds=LATENCY_BOUNDS_S,
)  # fmt: skip
SNAPSHOTS_FAILED = Metric(
    "propensity_snapshots_failed_total", _COUNTER, "snapshots", (),
    "Snapshots that could not be written; older ones stay.",
)  # fmt: skip
SERVED_UNKNOWN = Metric(
    "propensity_examples_served_unknown_total", _COUNTER, "examples", (),
    "Examples opened again in a recovery whose score was not found on the score topic.",
)  # fmt: skip
COMMITS_REFUSED = Metric(
    "propensity_commits_refused_total", _COUNTER, "commits", (),
    "Commits that the group refused: the partitions had gone to another worker.",
)  # fmt: skip
COMMITS = Metric(
    "propensity_commits_total", _COUNTER, "commits", (),
    "Commits of outputs and offsets.",
)  # fmt: skip
COMMIT_TIME = Metric(
    "propensity_commit_timestamp_seconds", _GAUGE, "seconds since the epoch", (),
    "Wall time of the last commit; an idle worker has nothing to commit.",
)  # fmt: skip
TRANSACTIONS_ABORTED = Metric(
    "propensity_transactions_aborted_total", _COUNTER, "transactions", ("reason",),
    "Transactions aborted: `again` (the same bytes are produced again), `lost` (the group gave "
    "the partitions away), `fenced` (another producer has our name), `given_back` (partitions, "
    "or the stop) or `failed` (the worker exits).",
)  # fmt: skip
RECORDS_PRODUCED = Metric(
    "propensity_records_produced_total", _COUNTER, "records", ("topic",),
    "Records handed to the broker.",
)  # fmt: skip
WORKER_TURN = Metric(
    "propensity_worker_turn_timestamp_seconds", _GAUGE, "seconds since the epoch", (),
    "Wall time at which the worker's loop last turned.",
)  # fmt: skip
MODEL_VERSION = Metric(
    "propensity_model_version", _GAUGE, "rows learned", ("campaign", "learner"),
    "Version of the model that serves: the rows it has learned from.",
)  # fmt: skip
EXPERT_SHARE = Metric(
    "propensity_expert_share_ratio", _GAUGE, "ratio", ("campaign", "learner", "expert"),
    "Share of an expert in the mixture that serves; they sum to 1. Quicker ones gain by a drift.",
)  # fmt: skip
CHAMPION_CHANGES = Metric(
    "propensity_champion_changes_total", _COUNTER, "changes", ("campaign", "reason"),
    "Times that another learner began to serve: `promoted` (better), `demoted` (the former was "
    "unreliable) or `removed` (the former left the campaign file).",
)  # fmt: skip
CHALLENGER_POSITIVES = Metric(
    "propensity_challenger_positives", _GAUGE, "rows", ("campaign", "learner"),
    "Conversions on which a challenger was compared with the learner that serves.",
)  # fmt: skip
CHALLENGER_GAIN = Metric(
    "propensity_challenger_gain_ratio", _GAUGE, "ratio", ("campaign", "learner"),
    "Share of the log-loss that a challenger would save, when it was looked at last.",
)  # fmt: skip
CHALLENGER_ERROR = Metric(
    "propensity_challenger_gain_error_ratio", _GAUGE, "ratio", ("campaign", "learner"),
    "Standard error of that gain, with customers as blocks.",
)  # fmt: skip
CONTESTS: Final = (CHALLENGER_POSITIVES, CHALLENGER_GAIN, CHALLENGER_ERROR)
MODEL_STATUS = Metric(
    "propensity_model_status", _GAUGE, "0 or 1", ("campaign", "status"),
    "1 at the status that the campaign's model has, 0 at the others.",
)  # fmt: skip
MODEL_INFO = Metric(
    "propensity_model_info", _GAUGE, "1", ("campaign", "learner", "lineage", "features"),
    "Which model serves.",
)  # fmt: skip
DRIFT_ALARMS = Metric(
    "propensity_drift_alarms_total", _COUNTER, "alarms", ("campaign", "learner", "kind"),
    "Times that a change was found since the learner began, as its state has them.",
)  # fmt: skip
STABILITY = Metric(
    "propensity_stability_index_ratio", _GAUGE, "index", ("campaign", "learner", "kind"),
    "Population stability index against the frozen reference (inputs: the greatest); 0.25 alarms.",
)  # fmt: skip
SILENCE = Metric(
    "propensity_silence_log10", _GAUGE, "powers of ten", ("campaign", "learner"),
    "Chance, as predicted, that no goal event came since the last one; below -4 learning pauses.",
)  # fmt: skip
CALIBRATOR_GAIN = Metric(
    "propensity_calibrator_gain_ratio", _GAUGE, "ratio", ("campaign", "learner"),
    "Share of the log-loss of 28 days that a calibrator would save; below 0 it would cost.",
)  # fmt: skip
TRIGGERS = Metric(
    "propensity_triggers_total", _COUNTER, "triggers", ("campaign", "outcome"),
    "Triggers published: `entered`, `held_out` (entered, and nobody acts on them), `exited` or "
    "`converted`.",
)  # fmt: skip
TRIGGERS_WITHHELD = Metric(
    "propensity_triggers_withheld_total", _COUNTER, "times", ("campaign", "reason"),
    "Times that no trigger left for a score that is high enough: the campaign was `not_ready`, "
    "the customer in `cooldown`, or a clause of `unless` held; while a customer waited the goal "
    "was `answered`, a score `cleared` it, or he was `forgotten` or `suppressed`; there is no "
    "`consent`; the `contact_limit` of all campaigns was reached; or the event was `late`.",
)  # fmt: skip
BUILD_INFO = Metric(
    "propensity_build_info", _GAUGE, "1", ("version", "python", "librdkafka"),
    "What is running.",
)  # fmt: skip

QUALITY: Final[Mapping[str, Metric]] = {
    "rows": _quality("rows", "rows", "Matured rows that the window's figures rest on."),
    "positives": _quality("positives", "rows", "Those that converted, by the weight of each."),
    "log_loss": _quality(
        "log_loss_nats", "nats", "Mean log-loss of the scores as served; lower is better."
    ),
    "base_log_loss": _quality(
        "base_rate_log_loss_nats", "nats", "The same, had everyone been given the window's rate."
    ),
    "normalised_entropy": _quality(
        "normalised_entropy_ratio", "ratio", "Log-loss over that of the base rate; below 1 helps."
    ),
    "auc": _quality(
        "auc_ratio",
        "ratio",
        "Chance that a customer who converted was scored above one who did not.",
    ),
    "average_precision": _quality(
        "average_precision_ratio",
        "ratio",
        "Mean share of conversions among the scores above each conversion.",
    ),
    "lift_10": _quality(
        "lift_top_tenth_ratio",
        "ratio",
        "Conversions (or values) of the highest tenth of scores over those of an average tenth.",
    ),
    "delay_median": _quality(
        "label_delay_median_seconds",
        "seconds",
        "From the score until its conversion was learnable; half take no longer.",
    ),
    "delay_p90": _quality(
        "label_delay_p90_seconds", "seconds", "The same for nine conversions in ten."
    ),
    "predicted_to_actual": _quality(
        "predicted_to_actual_ratio",
        "ratio",
        "Conversions predicted over conversions seen; 1 is right.",
    ),
    "calibration_error": _quality(
        "calibration_error_ratio", "ratio", "Mean gap of predicted and seen over 15 equal bins."
    ),
    "mean_absolute_error": _quality(
        "mean_absolute_error", "the goal's value", "Mean distance of the predicted value."
    ),
    "root_mean_squared_error": _quality(
        "root_mean_squared_error", "the goal's value", "Root of the mean squared distance."
    ),
    "normalised_error": _quality(
        "normalised_error_ratio", "ratio", "Mean squared error over the variance; below 1 helps."
    ),
}
"""By the names that ``models.quality`` gives its figures."""

WATCHED: Final[Mapping[str, tuple[Metric, *tuple[str, ...]]]] = {
    **{f"alarms_{kind}": (DRIFT_ALARMS, kind) for kind in ("residuals", "scores", "inputs")},
    **{f"stability_{kind}": (STABILITY, kind) for kind in ("scores", "inputs")},
    "silence_log10": (SILENCE,),
    "calibrator_gain": (CALIBRATOR_GAIN,),
    **{f"{arm}_customers": (ARM_CUSTOMERS, arm) for arm in ("acted", "held_out")},
    **{f"{arm}_conversions": (ARM_CONVERSIONS, arm) for arm in ("acted", "held_out")},
    "uplift": (UPLIFT, "estimate"),
    **{f"uplift_{bound}": (UPLIFT, bound) for bound in ("low", "high")},
    "uplift_customers_needed": (UPLIFT_NEEDED,),
}
"""By the names that ``models.judgement`` and ``models.uplift`` give; the metric, and its kind."""

QUALITY_LEFT_OUT: Final = frozenset({"weight", "predicted", "actual"})
"""Figures that only make up others."""

METRICS: Final[tuple[Metric, ...]] = (
    *(EVENTS, EVENTS_LATE, EVENTS_NOT_SCORED, EVENTS_NOT_ELIGIBLE, EVENTS_SUPPRESSED),
    *(EVENTS_WAITING, CONTROL_FACTS),
    *(DEAD_LETTERS, PROPERTIES_IGNORED, VALUES_CLIPPED),
    *(SCORED_EVENTS, SCORES, SCORES_UNPUBLISHED, NOT_ELIGIBLE, SCORE_PROBABILITY),
    *(SCORE_LATENCY, HOP_DURATION, BATCH_SIZE),
    *(EVENT_CLOCK, EVENT_FRESHNESS, LAG, PARTITIONS),
    *(PARTITION_PAUSED, PARTITION_STALLED, REBALANCES),
    *(SNAPSHOT_TIME, SNAPSHOT_BYTES, SNAPSHOT_DURATION, SNAPSHOT_PAUSE, SNAPSHOTS_FAILED),
    *(COMMITS, COMMIT_TIME, COMMITS_REFUSED, TRANSACTIONS_ABORTED, SERVED_UNKNOWN),
    *(RECOVERY_PROGRESS, REBUILD_PROGRESS, RECORDS_PRODUCED, WORKER_TURN),
    *(EXAMPLES_OPENED, EXAMPLES_CLOSED, EXAMPLES_LEARNED, EXAMPLES_DROPPED),
    *(EXAMPLES_OPEN, EXAMPLES_OVERDUE, TIMERS, TIMERS_OVERDUE),
    *(PROFILES, EVICTIONS, LIMIT_HITS),
    *(MODEL_VERSION, MODEL_STATUS, MODEL_INFO, EXPERT_SHARE, *QUALITY.values()),
    *(CHAMPION_CHANGES, *CONTESTS, TRIGGERS, TRIGGERS_WITHHELD),
    *(DRIFT_ALARMS, STABILITY, SILENCE, CALIBRATOR_GAIN),
    *(HTTP_REQUESTS, HTTP_DURATION),
    *ARMS,
    BUILD_INFO,
)
