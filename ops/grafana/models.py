"""The dashboard Models: is it any good? For who owns campaigns, and for the morning after an alert.

Owns: which panels there are, and what each asks.
Never: a metric that workers do not have; a test asks a live Prometheus for every one.
Source: docs/quality.md, "Keys".

Every worker shows every campaign's model, so figures of models are asked with `max`, and counters
of what a worker did are added up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from grafana_foundation_sdk.builders.dashboard import CustomVariable
from grafana_foundation_sdk.models import dashboard

from ops.grafana.panels import (
    GRAPH_HEIGHT,
    GRAPH_WIDTH,
    GREEN,
    ORANGE,
    RED,
    Ask,
    Panel,
    Step,
    graph,
    listing,
    page,
    variable,
    with_rows,
)

CHOSEN: Final = 'campaign=~"$campaign"'
RATE: Final = "$__rate_interval"
BELOW_ONE: Final = (Step(None, GREEN), Step(1.0, RED))
WINDOWS: Final = ("7d", "1d", "28d")


def shown(metric: str, *by: str, where: str = CHOSEN) -> str:
    """A figure of models, once however many workers show it."""
    labels = ", ".join(["campaign", "learner", *by])
    return f"max by ({labels}) ({metric}{{{where}}})"


def quality(figure: str, legend: str = "{{campaign}} {{learner}}") -> Ask:
    """A figure of quality over the window that was chosen."""
    metric = f"propensity_quality_{figure}"
    return Ask(shown(metric, where=f'{CHOSEN}, window="$window"'), legend)


def rate(metric: str, *by: str) -> str:
    """What a counter gains in a second, over all workers."""
    return f"sum by ({', '.join(['campaign', *by])}) (rate({metric}{{{CHOSEN}}}[{RATE}]))"


def now() -> Sequence[Panel]:
    """Every campaign in one line."""
    figures = {
        "log-loss / base rate": "normalised_entropy_ratio",
        "predicted / actual": "predicted_to_actual_ratio",
        "AUC": "auc_ratio",
        "lift of the top tenth": "lift_top_tenth_ratio",
        "rows": "rows",
        "conversions": "positives",
    }
    columns = {
        "rows learned": shown("propensity_model_version"),
        **{name: quality(figure).expression for name, figure in figures.items()},
    }
    status = f"max by (campaign, status) (propensity_model_status{{{CHOSEN}}}) == 1"
    return [
        listing("Campaigns", "How each stands over the window that is chosen above. Log-loss below "
                "that of the base rate helps; predicted over actual is right at 1.", columns),
        listing("Status",
                "`warming`: the rate of the campaign file is served. `unreliable`: judged and "
                "found wanting. `paused`: answers have fallen silent.", {"is": status}, height=5),
    ]  # fmt: skip


def how_good() -> Sequence[Panel]:
    """Quality of the scores as they were served."""
    return [
        graph("Log-loss over that of the base rate",
              "Below 1 is better than knowing the rate.", "none",
              quality("normalised_entropy_ratio"), limits=BELOW_ONE, least=None),
        graph("Predicted over actual", "Conversions predicted over conversions seen: 1 is right.",
              "none", quality("predicted_to_actual_ratio"),
              limits=(Step(None, RED), Step(0.8, GREEN), Step(1.25, RED)), least=None),
        graph("Calibration error",
              "Mean gap of predicted and seen over 15 equal bins.", "percentunit",
              quality("calibration_error_ratio")),
        graph("AUC", "Chance that a conversion is scored above another row.", "none",
              quality("auc_ratio"), limits=(Step(None, RED), Step(0.5, GREEN)), least=None),
        graph("Average precision",
              "Mean precision at each conversion, from the top.", "percentunit",
              quality("average_precision_ratio")),
        graph("Lift of the top tenth",
              "Conversions (or value) of the highest tenth of scores over those "
              "of an average tenth.", "none", quality("lift_top_tenth_ratio"),
              limits=(Step(None, RED), Step(1.0, GREEN))),
        graph("Log-loss", "As served, and of one and the same rate for all.", "none",
              quality("log_loss_nats"),
              quality("base_rate_log_loss_nats", "{{campaign}} base rate")),
        graph("Rows judged", "What the figures rest on.", "short",
              quality("rows", "{{campaign}} rows"),
              quality("positives", "{{campaign}} conversions")),
        graph("Values", "For campaigns that predict a value.", "none",
              quality("normalised_error_ratio", "{{campaign}} error / variance"),
              quality("mean_absolute_error", "{{campaign}} mean absolute error"),
              quality("root_mean_squared_error", "{{campaign}} root mean squared error")),
    ]  # fmt: skip


def scores() -> Sequence[Panel]:
    """What is said of customers."""
    buckets = rate("propensity_score_probability_ratio_bucket", "le")
    return [
        graph("Scores by status", "Scores published, by the status they carry.", "cps",
              Ask(rate("propensity_scores_total", "status"), "{{campaign}} {{status}}"),
              stacked=True),
        graph("Not eligible", "Scores not given, by the clause of `for` that did not hold.", "cps",
              Ask(rate("propensity_scores_not_eligible_total", "clause"),
                  "{{campaign}} {{clause}}"), stacked=True),
        graph("Not published", "Scores that say what was said before, of campaigns that publish "
              "changes only.", "cps",
              Ask(rate("propensity_scores_unpublished_total", "reason"), "{{campaign}} {{reason}}"),
              stacked=True),
        graph("Triggers", "Decisions to act, and what became of them.", "cps",
              Ask(rate("propensity_triggers_total", "outcome"), "{{campaign}} {{outcome}}")),
        graph("Triggers withheld", "Scores that were high enough and sent nothing, by reason.",
              "cps", Ask(rate("propensity_triggers_withheld_total", "reason"),
                         "{{campaign}} {{reason}}"), stacked=True),
        graph("Probabilities", "Median and 90 % of what is published.", "percentunit",
              *[Ask(f"histogram_quantile({share}, {buckets})", f"{{{{campaign}}}} {share:.0%}")
                for share in (0.5, 0.9)]),
        graph("Mean probability",
              "Beside the rate of conversions it shows at once what calibration "
              "shows when outcomes are known.", "percentunit",
              Ask(f"{rate('propensity_score_probability_ratio_sum')} / "
                  f"{rate('propensity_score_probability_ratio_count')}", "{{campaign}}")),
    ]  # fmt: skip


def worth() -> Sequence[Panel]:
    """What acting on triggers is worth, of campaigns that hold customers out."""
    return [
        graph("What acting is worth",
              "Conversion of those acted on less that of those held out, and its 95 % interval: "
              "where that holds 0, it may be chance.", "percentunit",
              Ask(shown("propensity_uplift_ratio", "bound"), "{{campaign}} {{bound}}"), least=None),
        graph("Customers of both arms",
              "Those whose first trigger's horizon is over, and who of them reached the goal.",
              "short", Ask(shown("propensity_arm_customers", "arm"), "{{campaign}} {{arm}}"),
              Ask(shown("propensity_arm_conversions", "arm"), "{{campaign}} {{arm}} converted")),
        graph("Customers needed",
              "About how many more would decide what acting is worth; 0 where it is decided.",
              "short", Ask(shown("propensity_uplift_customers_needed"), "{{campaign}}")),
    ]  # fmt: skip


def learning() -> Sequence[Panel]:
    """Whether outcomes come and are learned."""
    held = [("propensity_examples_open", "open"), ("propensity_examples_overdue", "overdue")]
    return [
        graph("Outcomes", "Examples whose outcome has become known.", "cps",
              Ask(rate("propensity_examples_closed_total", "outcome"), "{{campaign}} {{outcome}}")),
        graph("Learned", "Rows learned, and those that were not, by reason.", "cps",
              Ask(rate("propensity_examples_learned_total", "learner"), "{{campaign}} {{learner}}"),
              Ask(rate("propensity_examples_dropped_total", "reason"), "{{campaign}} {{reason}}")),
        graph("Version", "Rows that the model that serves has learned.", "short",
              Ask(shown("propensity_model_version"), "{{campaign}} {{learner}}")),
        graph("Examples opened", "Examples that begin to wait for their outcome.", "cps",
              Ask(rate("propensity_examples_opened_total"), "{{campaign}}")),
        graph("Examples held",
              "Those that wait for their outcome, and those whose time is up while the "
              "partition's clock stands still.", "short",
              *[Ask(f"sum({metric})", legend) for metric, legend in held]),
        graph("Delay of outcomes", "From the score until its conversion could be learned.", "s",
              quality("label_delay_median_seconds", "{{campaign}} median"),
              quality("label_delay_p90_seconds", "{{campaign}} 90 %")),
    ]  # fmt: skip


def change() -> Sequence[Panel]:
    """Whether the world is another than when the model learned."""
    alarms = f"increase(propensity_drift_alarms_total{{{CHOSEN}}}[{RATE}])"
    none_yet = f"0 * {shown('propensity_challenger_positives')}"
    return [
        graph("Stability index",
              "Scores and inputs of the last week against the reference; 0.25 alarms.",
              "none",
              Ask(shown("propensity_stability_index_ratio", "kind"), "{{campaign}} {{kind}}"),
              limits=(Step(None, GREEN), Step(0.1, ORANGE), Step(0.25, RED))),
        graph("Drift alarms", "Changes that were found.", "short",
              Ask(f"max by (campaign, learner, kind) ({alarms})", "{{campaign}} {{kind}}")),
        graph("Silence",
              "Chance, as a power of ten, that no goal event came since the last one; below -4 "
              "learning pauses.", "none",
              Ask(shown("propensity_silence_log10"), "{{campaign}} {{learner}}"),
              limits=(Step(None, RED), Step(-4, GREEN)), least=None),
        graph("Shares of the experts", "The fast and the quick one gain by a drift.", "percentunit",
              Ask(shown("propensity_expert_share_ratio", "expert"), "{{campaign}} {{expert}}")),
        graph("What a calibrator would save",
              "Share of the log-loss of 28 days; below 0 it would cost.",
              "percentunit",
              Ask(shown("propensity_calibrator_gain_ratio"), "{{campaign}} {{learner}}"),
              least=None),
        graph("What challengers would save",
              "Share of the log-loss of who serves, when it was looked at last, and its standard "
              "error; 0 before 500 conversions.", "percentunit",
              Ask(f"{shown('propensity_challenger_gain_ratio')} or {none_yet}",
                  "{{campaign}} {{learner}}"),
              Ask(f"{shown('propensity_challenger_gain_error_ratio')} or {none_yet}",
                  "{{campaign}} {{learner}} error"), least=None),
        graph("Conversions in contests", "Those on which challenger and champion were compared.",
              "short", Ask(shown("propensity_challenger_positives"), "{{campaign}} {{learner}}")),
        graph("Changes of champion", "Times that another learner began to serve.", "short",
              Ask("sum by (campaign, reason) "
                  f"(increase(propensity_champion_changes_total{{{CHOSEN}}}[{RATE}]))",
                  "{{campaign}} {{reason}}")),
        listing("Models", "Which model serves.",
                {"workers": "count by (campaign, learner, lineage, features) "
                 f"(propensity_model_info{{{CHOSEN}}})"}, height=GRAPH_HEIGHT, width=GRAPH_WIDTH),
    ]  # fmt: skip


def models() -> dashboard.Dashboard:
    """The dashboard."""
    meaning = (
        "Is it any good? Quality of the scores as they were served, what is learned, and drift."
    )
    rows: Mapping[str, Sequence[Panel]] = {
        "Now": now(),
        "How good": how_good(),
        "Scores": scores(),
        "What acting is worth": worth(),
        "Learning": learning(),
        "Change": change(),
    }
    campaign = variable("campaign", "Campaign", "label_values(propensity_model_status, campaign)")
    window = (
        CustomVariable("window")
        .label("Window")
        .values(",".join(WINDOWS))
        .current(dashboard.VariableOption(selected=True, text=WINDOWS[0], value=WINDOWS[0]))
        .options(
            [dashboard.VariableOption(selected=w == WINDOWS[0], text=w, value=w) for w in WINDOWS]
        )
    )
    built = page("Models", meaning, "now-7d").with_variable(campaign).with_variable(window)
    return with_rows(built, rows)
