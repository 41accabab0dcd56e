"""What the demo shows: a live screen in a terminal, plain lines elsewhere.

Owns: layout and wording.
Never: a measurement; `consumer.demo` has them.
Source: https://rich.readthedocs.io/en/stable/live.html
"""

from __future__ import annotations

from math import isnan

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from consumer.demo import Seen
from consumer.plain_words import percent, score_words
from schemas.model_record import ModelRecord
from schemas.times import format_time

NEXT = """\
What to try next
  your own events, without a broker:
    propensity replay EVENTS.ndjson --campaigns CAMPAIGNS.yaml --out answers
  what a campaign file says:
    propensity check CAMPAIGNS.yaml
  your own Kafka:
    propensity topics create && propensity run
docs/campaigns.md has the grammar of campaigns."""


def _milliseconds(duration_s: float) -> str:
    return "…" if isnan(duration_s) else f"{1000.0 * duration_s:.0f} ms"


def _figure(record: ModelRecord, name: str, digits: int = 3) -> str:
    figure = record.quality.get(f"{name}_7d")
    return "…" if figure is None else f"{figure:.{digits}f}"


def _gain(record: ModelRecord) -> str:
    """By how much the scores beat knowing only the rate."""
    skill = record.quality.get("normalised_entropy_7d")
    if skill is None:
        return "…"
    better = 1.0 - skill
    return f"{percent(better)} better" if better > 0 else f"{percent(-better)} worse"


def head_line(seen: Seen) -> str:
    """The figures of the stream in one line."""
    return (
        f"{format_time(seen.simulated_ms)[:16].replace('T', ' ')}  "
        f"{seen.events:,} events ({seen.events_per_s:,.0f}/s)  "
        f"{seen.scores:,} scores ({seen.scores_per_s:,.0f}/s)  "
        f"event to score {_milliseconds(seen.latency_p50_s)} (99 %: "
        f"{_milliseconds(seen.latency_p99_s)})"
    )


def plain_lines(seen: Seen) -> list[str]:
    """The screen as lines, for a log or a pipe."""
    lines = [head_line(seen)]
    for name, record in sorted(seen.models.items()):
        lines.append(
            f"  {name}: {record.status}, {record.version:,} outcomes learned, "
            f"log-loss {_figure(record, 'log_loss')} against {_figure(record, 'base_log_loss')} "
            f"of the base rate ({_gain(record)}), AUC {_figure(record, 'auc', 2)}"
        )
    for score in seen.recent[-1:]:
        lines += [f"  {score.customer_id} · {score_words(entry)}" for entry in score.scores]
    return lines


def screen(seen: Seen, page: str) -> RenderableType:
    """The live screen."""
    models = Table(expand=True, box=None, pad_edge=False)
    for title in ("campaign", "status", "learned", "log-loss", "base rate", "gain", "AUC",
                  "predicted / actual"):  # fmt: skip
        models.add_column(title, justify="left" if title in ("campaign", "status") else "right")
    for name, record in sorted(seen.models.items()):
        models.add_row(
            Text(name, style="bold"),
            Text(record.status, style="green" if record.status == "ready" else "yellow"),
            f"{record.version:,}",
            _figure(record, "log_loss"),
            _figure(record, "base_log_loss"),
            Text(_gain(record), style="bold"),
            _figure(record, "auc", 2),
            _figure(record, "predicted_to_actual", 2),
        )
    scores = Table(expand=True, box=None, show_header=False, pad_edge=False)
    scores.add_column(no_wrap=True, style="cyan")
    scores.add_column()
    for score in reversed(seen.recent):
        for entry in score.scores:
            scores.add_row(score.customer_id, Text(score_words(entry)))
    note = Text(
        "Reasons say what goes together with the goal, not what causes it. "
        f"Metrics: {page}/metrics  ·  Ctrl-C ends the demo",
        style="dim",
    )
    return Group(
        Panel(Text(head_line(seen)), title="invented shoppers", border_style="blue"),
        Panel(models, title="how good the scores were, last 7 simulated days", border_style="blue"),
        Panel(scores, title="latest scores", border_style="blue"),
        note,
    )
