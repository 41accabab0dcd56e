"""A replay of real customers: the labels are right, and the batch size changes no byte.

Owns: the whole replay command against a naive recomputation, on 150 households.
Never: judges how good a score is; `make backtest` does.
Source: the laws "batches don't matter" and "each example gets one label".
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

from bench.datasets.__main__ import write_dataset
from bench.datasets.package_files import DatasetMissingError
from bench.naive_labels import compare, event_table, naive_labels
from bench.replays import read_examples, replay
from consumer.event_files import read_event_files
from schemas.campaign import Campaign
from schemas.campaign_file import load_campaigns

HOUSEHOLDS = 150
HOUSEHOLDS_CUT = 60  # Replayed three times.
FILES = (
    "scores.ndjson",
    "triggers.ndjson",
    "triggers-held-out.ndjson",
    "dead-letters.ndjson",
    "examples.parquet",
    "quality.json",
)
CAMPAIGNS = (
    "deli-7d",
    "drug-gm-7d",
    "cosmetics-7d",
    "any-basket-7d",
    "redeem-7d",
    "redeem-mailing",
)

pytestmark = pytest.mark.slow


class Replayed(NamedTuple):
    """A replay's folder, the events that went in and the campaigns asked of them."""

    out: Path
    events_file: Path
    events: pd.DataFrame
    campaigns: dict[str, Campaign]


def dataset(folder: Path, households: int) -> tuple[Path, Path]:
    """Write the events of so many households; skip aloud without the package, but not in CI."""
    try:
        return write_dataset("completejourney", folder, households=households)
    except DatasetMissingError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    """Return a replay of 150 households; labels do not depend on how often models change."""
    folder = tmp_path_factory.mktemp("completejourney")
    events, campaigns = dataset(folder, HOUSEHOLDS)
    replay(events, campaigns, folder / "out", model_refresh="1h")
    table = event_table(read_event_files([events]).values)
    return Replayed(folder / "out", events, table, dict(load_campaigns(campaigns).campaigns))


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_every_label_equals_the_naive_recomputation(replayed: Replayed, name: str) -> None:
    """No label differs, none is missing but the censored, none is there twice or too many."""
    examples = read_examples(replayed.out, name)
    expected = naive_labels(replayed.events, replayed.campaigns[name])
    assert examples["event_id"].is_unique
    assert compare(expected, examples)[:10] == []
    assert 0 < examples["label"].sum() < len(examples)


def test_every_campaign_is_tested(replayed: Replayed) -> None:
    """The list above is the campaign file's."""
    assert set(replayed.campaigns) == set(CAMPAIGNS)


def test_rows_name_the_customer_and_the_time_of_the_event(replayed: Replayed) -> None:
    """Customer, time and closing of each row are the scored event's own."""
    examples = read_examples(replayed.out, "deli-7d")
    events = replayed.events.set_index("event_id").loc[examples["event_id"]]
    assert (examples["customer_id"].to_numpy() == events["customer_id"].to_numpy()).all()
    assert (examples["as_of_ms"].to_numpy() == events["at_ms"].to_numpy()).all()
    horizon_ms = replayed.campaigns["deli-7d"].horizon_ms
    assert (examples["closed_at_ms"] > examples["as_of_ms"] + horizon_ms).all()
    assert examples["probability"].between(0.0, 1.0).all()


def test_the_batch_size_changes_no_byte(tmp_path: Path) -> None:
    """Batches of 7 and of 20,000 leave the same files as the default.

    New models serve once a day only, so that a step holds many batches of 7, and places of closed
    examples are taken again by other campaigns.
    """
    events, campaigns = dataset(tmp_path, HOUSEHOLDS_CUT)
    replay(events, campaigns, tmp_path / "default", model_refresh="1d")
    for batch_max in (7, 20_000):
        out = tmp_path / str(batch_max)
        replay(events, campaigns, out, "--batch-max", str(batch_max), model_refresh="1d")
        for name in FILES:
            assert (out / name).read_bytes() == (tmp_path / "default" / name).read_bytes(), name
    assert (tmp_path / "default" / "scores.ndjson").stat().st_size > 1_000_000
    assert read_examples(tmp_path / "default", "any-basket-7d")["model_version"].max() > 1000
    for name in CAMPAIGNS:
        assert "" not in read_examples(tmp_path / "default", name).columns
