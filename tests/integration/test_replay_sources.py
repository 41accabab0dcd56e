"""A replay takes logs as they are: daily, in several forms, with records that cannot be read.

Owns: the replay command on small logs made here.
Never: judges a score.
Source: the contract's replay and its files.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pytest

from bench.naive_labels import compare, event_table, naive_labels
from bench.replays import read_examples
from consumer import worker
from consumer.cli import run
from consumer.event_files import read_event_files
from schemas.campaign_file import load_campaigns
from schemas.times import DAY_MS, HOUR_MS, format_time, parse_time

START_MS = parse_time("2026-01-01T00:00:00Z")
CAMPAIGNS = """
version: 1
campaigns:
  again:
    goal: {event: purchase, where: {new: [true], price: {gte: 2}}, not_same: [order]}
    horizon: 1d
    score_on: [purchase]
    example_interval: 0s
    features: {categories: [channel, new], numbers: [value, price]}
"""


def purchases(customers: int, days: int, spread_ms: int = 0) -> list[dict[str, Any]]:
    """Return a purchase for three customers in four each day, `spread_ms` apart."""
    return [
        {
            "customer_id": f"c{customer}",
            "type": "purchase",
            "event_id": f"{day}-{customer}",
            "occurred_at": format_time(START_MS + day * DAY_MS + customer * spread_ms),
            "value": 1.5 * (customer % 7) or None,
            "properties": {
                "channel": ("app", "web")[customer % 2],
                "new": (customer + day) % 3 > 0,
                "price": (customer + 2 * day) % 5 + 0.5,
                "order": f"o{customer + day}",
            },
        }
        for day in range(days)
        for customer in range(customers)
        if (customer * 7 + day * 3) % 4
    ]


def write_ndjson(folder: Path, events: list[dict[str, Any]]) -> Path:
    """Write events as lines."""
    path = folder / "events.ndjson"
    path.write_bytes(b"".join(msgspec.json.encode(event) + b"\n" for event in events))
    return path


def write_csv(folder: Path, events: list[dict[str, Any]]) -> Path:
    """Write events as rows of text: true and false in lower case, nothing for absent."""
    path = folder / "events.csv"
    names = ["customer_id", "type", "event_id", "occurred_at", "value", *events[0]["properties"]]
    with path.open("w", newline="") as file:
        rows = csv.DictWriter(file, names)
        rows.writeheader()
        for event in events:
            row = {name: event.get(name) for name in names[:5]} | event["properties"]
            rows.writerow(row | {"new": json.dumps(row["new"])})
    return path


def write_parquet(folder: Path, events: list[dict[str, Any]]) -> Path:
    """Write events as typed columns."""
    path = folder / "events.parquet"
    rows = [{**event, **event["properties"]} for event in events]
    table = pd.DataFrame(rows).drop(columns="properties")
    table["occurred_at"] = pd.to_datetime(table["occurred_at"])
    table.to_parquet(path)
    return path


def replayed(folder: Path, source: Path, *flags: str) -> Path:
    """Replay a source in this process and return the folder of its files."""
    campaigns = folder / "campaigns.yaml"
    campaigns.write_text(CAMPAIGNS)
    out = folder / f"out{''.join(flags)}"
    command = ["replay", str(source), "--campaigns", str(campaigns), "--out", str(out)]
    assert run([*command, *flags]) == 0
    return out


def test_a_day_that_closes_more_rows_than_may_wait_is_learned_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a log of daily resolution a midnight closes a day of rows within one step.

    The limit on waiting rows is lowered to 50; 150 or so close at once.
    """
    monkeypatch.setattr(worker, "ROWS_WAITING_MAX", 50)
    source = write_ndjson(tmp_path, purchases(200, 8))
    out = replayed(tmp_path, source)
    events = event_table(read_event_files([source]).values)
    campaign = load_campaigns(tmp_path / "campaigns.yaml").campaigns["again"]
    examples = read_examples(out, "again")
    assert compare(naive_labels(events, campaign), examples) == []
    quality = json.loads((out / "quality.json").read_text())
    assert quality["campaigns"]["again"]["version"] == len(examples) > 500
    small = replayed(tmp_path, source, "--batch-max", "7")
    for name in ("scores.ndjson", "examples.parquet", "quality.json"):
        assert (small / name).read_bytes() == (out / name).read_bytes(), name


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_every_form_of_a_log_gives_the_same_scores(tmp_path: Path, write: Any) -> None:
    """The same events as NDJSON, CSV and Parquet: the same scores, rows and labels."""
    events = purchases(40, 12, spread_ms=HOUR_MS // 7)
    lines, table = tmp_path / "lines", tmp_path / "table"
    lines.mkdir()
    table.mkdir()
    expected = replayed(lines, write_ndjson(lines, events))
    found = replayed(table, write(table, events))
    for name in ("scores.ndjson", "examples.parquet", "quality.json"):
        assert (found / name).read_bytes() == (expected / name).read_bytes(), name
    assert 0 < read_examples(found, "again")["label"].mean() < 1


def test_a_record_that_cannot_be_read_is_a_dead_letter_with_file_and_line(tmp_path: Path) -> None:
    """Line 2 is garbage and line 4 has no customer: both are named, the others are scored."""
    good = [msgspec.json.encode(event) for event in purchases(4, 1, spread_ms=1000)]
    lines = [good[0], b"{garbage", good[1], b'{"type":"purchase"}', good[2]]
    source = tmp_path / "events.ndjson"
    source.write_bytes(b"\n".join(lines))
    out = replayed(tmp_path, source)
    letters = [json.loads(line) for line in (out / "dead-letters.ndjson").read_text().splitlines()]
    assert [(letter["file"], letter["line"]) for letter in letters] == [
        (str(source), 2),
        (str(source), 4),
    ]
    assert letters[1]["value"] == '{"type":"purchase"}'
    message = letters[1]["headers"]["__connect.errors.exception.message"]
    assert message.startswith("customer_id: found nothing")
    assert len((out / "scores.ndjson").read_text().splitlines()) == 3


def test_a_missing_file_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, the file, and what to do."""
    campaigns = tmp_path / "campaigns.yaml"
    campaigns.write_text(CAMPAIGNS)
    missing = tmp_path / "missing.ndjson"
    command = ["replay", str(missing), "--campaigns", str(campaigns), "--out", str(tmp_path / "o")]
    assert run(command) == 2
    said = capsys.readouterr().err
    assert str(missing) in said
    assert len(said.strip().splitlines()) == 1


def test_a_replay_of_nonsense_ends_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a worker's partition would wait for somebody to look, nobody waits for ever."""
    source = tmp_path / "events.ndjson"
    source.write_text("nonsense\n" * 3_000, encoding="utf-8")
    campaigns = tmp_path / "campaigns.yaml"
    campaigns.write_text(CAMPAIGNS, encoding="utf-8")
    out = tmp_path / "out"
    assert run(["--campaigns", str(campaigns), "replay", str(source), "--out", str(out)]) == 2
    assert "cannot be read" in capsys.readouterr().err
