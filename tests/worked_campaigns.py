"""The worked campaigns of docs/campaigns: each page's file, replayed on its seeded log.

Owns: the figures that a page shows. `python -m tests.worked_campaigns` writes them into the pages.
Never: what is good or bad about a figure; tests/integration/test_worked_campaigns.py says that.
Source: docs/campaigns.md.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import exp
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from consumer.clock import FixedClock
from consumer.event_files import EventFile
from consumer.replay import Replay
from consumer.replay_files import ReplayFiles
from consumer.score_words import goal_in_words, percent
from consumer.warm_up import plan_of
from schemas.campaign import Campaign, CampaignFile
from schemas.campaign_file import load_campaigns
from schemas.campaign_warnings import SeenEvents, warnings_of
from schemas.score import ScoreEntry, ScoreRecord, decode_score
from schemas.settings import load_settings
from schemas.times import format_time
from schemas.trigger import TriggerRecord, decode_trigger
from tests.test_tidy import ROOT
from tests.worked_logs import OFFER_KINDS, Arrival, accounts, mailings, shop, streaming

FOLDER = ROOT / "docs" / "campaigns"
SEED = 7
FILE = re.compile(r"<!-- campaigns -->\n```yaml\n(.*?)```", re.DOTALL)
FIGURES = re.compile(r"(?<=<!-- figures -->\n```text\n).*?(?=```)", re.DOTALL)
SHOWN_MAX = 3  # Reasons of a score.


@dataclass(frozen=True)
class Replayed:
    """What a replay left; `events` are in the order in which they came."""

    file: CampaignFile
    events: Sequence[Arrival]
    quality: Mapping[str, Any]
    scores: Sequence[ScoreRecord]
    triggers: Sequence[TriggerRecord]
    held_out: Sequence[TriggerRecord]
    examples: pd.DataFrame
    counted: Mapping[str, int]

    @cached_property
    def campaign(self) -> Campaign:
        """The only campaign of the file."""
        (campaign,) = self.file.campaigns.values()
        return campaign

    @property
    def figures(self) -> Mapping[str, Any]:
        """What `quality.json` says of it."""
        found: Mapping[str, Any] = self.quality["campaigns"][self.campaign.name]
        return found

    @cached_property
    def ready(self) -> list[tuple[ScoreRecord, ScoreEntry]]:
        """The scores that say `ready`."""
        return [(each, s) for each in self.scores for s in each.scores if s.status == "ready"]


def page(name: str) -> str:
    """The text of a page."""
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8")


def replayed(
    name: str, arrivals: list[Arrival], *, without: str | None = None, **times: str
) -> Replayed:
    """Replay a log, in the order in which it came, under a page's file, or all but some of it."""
    (text,) = FILE.findall(page(name))
    if without is not None:
        assert without in text
        text = text.replace(without, "")
    with TemporaryDirectory() as folder:
        campaigns = Path(folder) / "campaigns.yaml"
        campaigns.write_text(text, encoding="utf-8")
        settings = load_settings(None, {"times": {"model_refresh": "1h", **times}})
        file = load_campaigns(campaigns)
        out = Path(folder) / "answers"
        with ReplayFiles(out) as files:
            events = _as_file(arrivals)
            replay = Replay(events, files, plan_of(file, settings), settings, FixedClock())
            replay.run()
        return Replayed(
            file,
            arrivals,
            json.loads((out / "quality.json").read_bytes()),
            [decode_score(line) for line in _lines(out / "scores.ndjson")],
            [decode_trigger(line) for line in _lines(out / "triggers.ndjson")],
            [decode_trigger(line) for line in _lines(out / "triggers-held-out.ndjson")],
            pd.read_parquet(out / "examples.parquet"),
            _counted(replay.telemetry.exposition()[0].decode()),
        )


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def _as_file(arrivals: list[Arrival]) -> EventFile:
    count = len(arrivals)
    times_ms = np.array([each.at_ms for each in arrivals], np.int64)
    lines = np.arange(1, count + 1, dtype=np.int64)
    values = [each.value for each in arrivals]
    return EventFile(values, times_ms, np.zeros(count, np.int32), lines, ("events.ndjson",))


def _counted(exposition: str) -> dict[str, int]:
    """The counters that a page speaks of, by their last label's value or their name."""
    found: dict[str, int] = {}
    for line in exposition.splitlines():
        name, _, amount = line.rpartition(" ")
        if name.startswith("propensity_triggers_withheld_total"):
            found[name.split('reason="')[1].split('"')[0]] = int(float(amount))
        elif name.startswith(("propensity_events_late_total", "propensity_timers_total")):
            key = name.split('outcome="')[1].split('"')[0] if "outcome" in name else "late"
            found[key] = found.get(key, 0) + int(float(amount))
    return found


def warned(replay: Replayed) -> list[str]:
    """What `propensity check --events` says of the page's file, with its own log."""
    seen = SeenEvents()
    for arrival in replay.events:
        event = msgspec.json.decode(arrival.value)
        seen.add(event["type"], event.get("properties", {}))
    return [str(each) for each in warnings_of(replay.file, seen)]


def _of_all(replay: Replayed) -> Iterator[str]:
    """What every page shows: how much was scored, and how well."""
    customers = {json.loads(each.value)["customer_id"] for each in replay.events}
    days = (replay.events[-1].at_ms - replay.events[0].at_ms) / 86_400_000
    yield f"{len(replay.events):,} events of {len(customers)} customers in {days:.0f} days"
    causes = Counter(each.cause for each in replay.scores)
    said = ", ".join(f"{count:,} on {_CAUSES[cause]}" for cause, count in sorted(causes.items()))
    yield f"{len(replay.scores):,} scores: {said}; {len(replay.ready):,} say `ready`"
    judged = replay.figures
    rows, actual = int(judged["rows_28d"]), judged["positives_28d"] / judged["weight_28d"]
    yield f"the last 28 days: {rows:,} scores judged, {percent(actual)} reached the goal"
    yield (
        f"log-loss {judged['log_loss_28d']:.3f}, of the rate {judged['base_log_loss_28d']:.3f}"
        f"; AUC {judged['auc_28d']:.2f}; best tenth {judged['lift_10_28d']:.1f} times the average"
        f"\n  predicted were {judged['predicted_to_actual_28d']:.2f} times as many as came"
    )


_CAUSES = {"event": "events", "timer": "the timer"}


def _of_triggers(replay: Replayed) -> Iterator[str]:
    """Whom to act on, who is held out, why others were not sent, and what acting is worth."""
    for name, records in (("acted on", replay.triggers), ("held out", replay.held_out)):
        kinds = Counter[str](each.kind for each in records)
        yield f"{name}: " + ", ".join(f"{kinds[kind]} {kind}" for kind in _KINDS if kinds[kind])
    reasons = {name: count for name, count in replay.counted.items() if name in _WITHHELD}
    said = ", ".join(f"{count:,} {name}" for name, count in sorted(reasons.items()) if count)
    yield f"not sent: {said}"
    yield replay.figures["uplift"]["words"].replace(", which", ",\n  which")


_KINDS = ("entered", "exited", "converted")
_WITHHELD = ("not_ready", "cooldown", "unless", "answered", "cleared", "forgotten", "late")


def _explained(replay: Replayed, chosen: tuple[ScoreRecord, ScoreEntry] | None = None) -> str:
    """One score, and by what each reason multiplies its odds: the highest of the last."""
    last = replay.ready[-len(replay.ready) // 10 :]
    record, entry = chosen or max(last, key=lambda pair: (pair[1].probability, pair[0].score_id))
    moved = ", ".join(
        f"{reason.source} × {exp(reason.contribution):.2g}" for reason in entry.reasons[:SHOWN_MAX]
    )
    usual = percent(1.0 / (1.0 + exp(-entry.baseline)))
    probability = percent(entry.probability or 0.0)
    return (
        f"one score: {record.customer_id}, {probability} for {goal_in_words(replay.campaign)}; "
        f"usual are {usual}, and the odds are\n  multiplied: {moved}, all others "
        f"× {exp(entry.other_reasons):.2g}"
    )


def cart(arrivals: list[Arrival] | None = None) -> tuple[Replayed, list[str]]:
    """Purchase within a week, and a reminder of the cart."""
    replay = replayed("cart", arrivals or shop(SEED))
    return replay, [*_of_all(replay), *_of_triggers(replay), _explained(replay)]


def lapse(arrivals: list[Arrival] | None = None) -> tuple[Replayed, list[str]]:
    """Thirty silent days, asked on a timer."""
    replay = replayed("lapse", arrivals or streaming(SEED))
    begun, first = format_time(replay.events[0].at_ms), min(each.as_of for each, _ in replay.ready)
    since = f"the first event: {begun[:10]}; the first score that is `ready`: {first[:10]}"
    return replay, [*_of_all(replay), since, *_of_triggers(replay), _explained(replay)]


def offer(arrivals: list[Arrival] | None = None) -> tuple[Replayed, list[str]]:
    """Which of three offers to send."""
    replay = replayed("offer", arrivals or mailings(SEED))
    cross = "      crosses: [[kind, clicked_kind]]\n"
    plain = replayed("offer", list(replay.events), without=cross)
    (best, others), (worse, rest) = map(clicked_by_rank, (replay, plain))
    choice = [
        f"sent was the highest of three: {percent(best)} clicked; another one: {percent(others)}",
        f"the same without the cross: {percent(worse)} and {percent(rest)}",
    ]
    return replay, [*_of_all(replay), *choice, _explained(replay)]


def clicked_by_rank(replay: Replayed) -> tuple[float, float]:
    """The share that was clicked of the offers that scored highest, and of all others."""
    events = [json.loads(each.value) for each in replay.events]
    kinds = {each["event_id"]: (each["type"], each["properties"]) for each in events}
    clicks = {
        (e["customer_id"], e["properties"]["offer"]) for e in events if e["type"] == "email_click"
    }
    asked: dict[str, list[tuple[float, str]]] = {}
    outcomes: dict[bool, list[bool]] = {True: [], False: []}
    for record, entry in replay.ready:
        kind, properties = kinds[record.event_id or ""]
        told = asked.setdefault(record.customer_id, [])
        if kind == "offer_considered":
            told.append((entry.probability or 0.0, properties["offer"]))
        elif len(told) >= len(OFFER_KINDS):
            best = max(told[-len(OFFER_KINDS) :])[1]
            sent = properties["offer"]
            outcomes[sent == best].append((record.customer_id, sent) in clicks)
    return float(np.mean(outcomes[True])), float(np.mean(outcomes[False]))


def lead(arrivals: list[Arrival] | None = None) -> tuple[Replayed, list[str]]:
    """Accounts that ask for a demo or a quote, with facts that come the night after."""
    events = arrivals or accounts(SEED)
    replay = replayed("lead", events, lateness="36h")
    short = replayed("lead", events)
    by_time = sorted(events, key=lambda each: json.loads(each.value)["occurred_at"])
    tidy = replayed("lead", [_as_it_happened(each) for each in by_time], lateness="36h")
    reached = [int(each.examples["label"].sum()) for each in (short, replay)]
    aucs = [each.figures["auc_28d"] for each in (short, tidy)]
    late = [
        f"with 36 h, as here: {replay.counted['late']} late events, {reached[1]} rows with a goal",
        f"with 1 h, the default: {short.counted['late']:,} and {reached[0]:,}; AUC {aucs[0]:.2f}",
        f"in the order in which all happened, as a file is replayed: AUC {aucs[1]:.2f}",
    ]
    return replay, [*_of_all(replay), *late, _explained(replay)]


def _as_it_happened(arrival: Arrival) -> Arrival:
    return arrival._replace(at_ms=json.loads(arrival.value)["occurred_at"])


PAGES: Mapping[str, Callable[[], tuple[Replayed, list[str]]]] = {
    "cart": cart,
    "lapse": lapse,
    "offer": offer,
    "lead": lead,
}


def shown(lines: Iterable[str]) -> str:
    """The figures as they stand in a page."""
    return "".join(f"{line}\n" for line in lines)


def write(name: str) -> None:
    """Put the figures into a page."""
    told = shown(PAGES[name]()[1])
    text = FIGURES.sub(lambda _found: told, page(name))
    (FOLDER / f"{name}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for title in PAGES:
        write(title)
