"""How the demo looks: a screen that redraws itself, or plain lines where nobody could see it.

Owns: layout, colours, and how often something is said.
Never: computes what it shows.
Source: https://rich.readthedocs.io/en/stable/live.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol, Self

import click
from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from consumer.demo import CampaignView, View
from consumer.score_words import CAVEAT
from schemas.times import format_time

SCREEN_EVERY_S: Final = 0.25
LINES_EVERY_S: Final = 2.0
TREND_MAX: Final = 8
TREND_WIDE_MAX: Final = 24
WIDE_MIN: Final = 100  # Columns of the terminal from which there is room.
NOTHING: Final = "–"

_BARS: Final = "▁▂▃▄▅▆▇█"
_GAIN_FULL: Final = 0.3  # The highest bar: so much below the base rate's log-loss, and more.
_COLOURS: Final = {"ready": "green", "warming": "yellow", "unreliable": "red"}


class Display(Protocol):
    """Where views are shown."""

    every_s: float

    def show(self, view: View) -> None:
        """Show one moment."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *details: object) -> None: ...


def display(console: Console, where: str) -> Display:
    """The display that fits the console; `where` is said at its foot."""
    return Screen(console, where) if console.is_terminal else Lines(console)


class Screen:
    """Redraws itself in a terminal; the last picture stays."""

    every_s = SCREEN_EVERY_S

    def __init__(self, console: Console, where: str) -> None:
        self._console = console
        self._where = where
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")

    def show(self, view: View) -> None:
        self._live.update(self.picture(view), refresh=True)

    def picture(self, view: View) -> RenderableType:
        """One moment, in as many lines as the terminal has."""
        wide = self._console.width >= WIDE_MIN
        table = _table(view.campaigns, wide=wide)
        head: list[RenderableType] = [_heading(view), _figures(view), table]
        # Above the scores: heading, figures, a table with four lines of its own, a title.
        used = 7 + len(view.campaigns)
        room = max(1, (self._console.height - used - 3) // 2)
        scores = [_score_lines(words.headline, words.reasons) for words in view.recent[-room:]]
        if not scores:
            scores = [Text("the worker joins its group; in a few seconds there are some", "dim")]
        foot = Text(f"{self._where} · Ctrl-C ends", style="dim", no_wrap=True, overflow="ellipsis")
        title = Text.assemble(("Scores just read", "bold"), (f"  {CAVEAT}", "dim"))
        return Group(*head, title, *scores, Text(), foot)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._live.stop()


class Lines:
    """A few lines every two seconds: for files, pipes and logs."""

    every_s = LINES_EVERY_S

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told = 0

    def show(self, view: View) -> None:
        lines = [f"[{view.elapsed_s:5.1f} s] {_plain_figures(view)}"]
        lines += [f"  {_plain_campaign(campaign)}" for campaign in view.campaigns]
        for words in view.recent[-len(view.campaigns) :]:
            lines += [f"  {words.headline}", f"      {words.reasons}"]
        if view.recent:
            lines.append(f"  ({CAVEAT})")
        for line in lines:
            # Rich would turn a closed pipe into exit code 1; to us it is no news.
            click.echo(line, file=self._console.file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        """Nothing is to be put back."""


def date_of(at_ms: int) -> str:
    """The shoppers' date and hour."""
    return f"{format_time(at_ms)[:10]} {format_time(at_ms)[11:16]}"


def trend(history: Sequence[float], bars_max: int = TREND_MAX) -> str:
    """The last gains over the base rate as bars; below the base rate the lowest.

    Examples
    --------
    >>> trend([-0.1, 0.0, 0.1, 0.2, 0.5])
    '▁▁▃▆█'
    """
    top = len(_BARS) - 1
    heights = [min(top, max(0, round(gain / _GAIN_FULL * top))) for gain in history[-bars_max:]]
    return "".join(_BARS[height] for height in heights)


def _heading(view: View) -> Text:
    return Text.assemble(
        ("propensity demo", "bold"),
        (f"  {date_of(view.at_ms)}", "cyan"),
        (f"  {view.events:,} events, {view.scores:,} scores, {view.triggers:,} triggers", "dim"),
        no_wrap=True,
        overflow="ellipsis",
    )


def _figures(view: View) -> Text:
    said = Text(no_wrap=True, overflow="ellipsis")
    for number, unit in _rates(view):
        said.append(number, "bold")
        said.append(f" {unit}   ")
    return said


def _rates(view: View) -> list[tuple[str, str]]:
    rates = [(f"{view.events_per_s:,.0f}", "events/s"), (f"{view.scores_per_s:,.0f}", "scores/s")]
    if view.latency_ms is not None:
        p50, p99 = view.latency_ms
        rates.append((f"{p50:.0f} ms", f"from event to score (99 %: {p99:.0f} ms)"))
    return rates


def _table(campaigns: Sequence[CampaignView], *, wide: bool) -> Table:
    bars_max = TREND_WIDE_MAX if wide else TREND_MAX
    table = Table(box=box.SIMPLE_HEAD, padding=(0, int(wide), 0, 0), pad_edge=False)
    for name, justify in (
        ("campaign", "left"), ("learned", "right"), ("status", "left"), ("log-loss", "right"),
        ("base rate", "right"), ("better by", "left"), ("AUC", "right"), ("pred/act", "right"),
    ):  # fmt: skip
        right = justify == "right"
        table.add_column(name, justify="right" if right else "left", no_wrap=True)
    for campaign in campaigns:
        gain = campaign.gain
        bars = f"{'' if gain is None else f'{gain:4.0%}':4} {trend(campaign.history, bars_max)}"
        table.add_row(
            campaign.name,
            f"{campaign.version:,}",
            Text(campaign.status, _COLOURS.get(campaign.status, "")),
            _number(campaign.figure("log_loss"), 3),
            _number(campaign.figure("base_log_loss"), 3),
            Text(bars.ljust(bars_max + 5), "green"),
            _number(campaign.figure("auc"), 2),
            _number(campaign.figure("predicted_to_actual"), 2),
        )
    return table


def _score_lines(headline: str, reasons: str) -> Text:
    return Text.assemble(headline, (f"\n    {reasons}", "dim"), no_wrap=True, overflow="ellipsis")


def _plain_figures(view: View) -> str:
    rates = ", ".join(" ".join(pair) for pair in _rates(view))
    return f"{date_of(view.at_ms)}  {rates}"


def _plain_campaign(campaign: CampaignView) -> str:
    return (
        f"{campaign.name}: {campaign.status}, {campaign.version:,} outcomes learned, "
        f"log-loss {_number(campaign.figure('log_loss'), 3)} "
        f"(base rate {_number(campaign.figure('base_log_loss'), 3)}), "
        f"AUC {_number(campaign.figure('auc'), 2)}, "
        f"predicted/actual {_number(campaign.figure('predicted_to_actual'), 2)}"
    )


def _number(figure: float | None, digits: int) -> str:
    return NOTHING if figure is None else f"{figure:.{digits}f}"
