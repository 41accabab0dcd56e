"""`python -m bench.backtest`: the scores as served, judged on public data beside their rivals.

Owns: the command: which tasks, the replays, and who is judged beside whom.
Never: judges a score other than as served.
Source: bench/README.md, "Quality".
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Collection
from dataclasses import asdict
from functools import partial
from pathlib import Path
from time import perf_counter

import click
import numpy as np
import pandas as pd

from bench import rivals, synthetic
from bench.datasets.__main__ import write_dataset
from bench.datasets.package_files import DatasetMissingError
from bench.hand_made import hand_made_features
from bench.naive_labels import answer_times, event_table
from bench.replays import feature_names, read_examples, replay
from bench.river_rival import as_it_comes
from bench.tasks import TASKS, Task, in_split
from bench.verdicts import BATCH, Verdict, judge, judge_value, table
from consumer.event_files import read_event_files
from schemas.campaign import Campaign
from schemas.campaign_file import load_campaigns

SYNTHETIC = "synthetic"
CHOICES = (*(task.campaign for task in TASKS), SYNTHETIC)


def verdicts(
    events: pd.DataFrame, campaign: Campaign, rows: pd.DataFrame, task: Task
) -> list[Verdict]:
    """Judge the predictions as served and those of the rivals on the same test rows."""
    test = in_split(rows, task)
    label = rows["label"].to_numpy(np.float64)[test]
    stored = rows[feature_names(rows)].astype(np.float64)
    predicts_value = campaign.predict == "value"
    regression = rivals.linear_regression if predicts_value else rivals.logistic_regression
    batch = partial(regression, rows, task)
    answered_ms = np.asarray(answer_times(events, campaign).loc[rows["event_id"]], np.float64)
    assert predicts_value or np.array_equal(rows["label"] > 0.0, ~np.isnan(answered_ms))
    river = as_it_comes(rows, stored, answered_ms, predicts_value=predicts_value)
    served = rows["expected_value" if predicts_value else "probability"].to_numpy(np.float64)
    predictions = {
        "base rate": rivals.base_rate(rows, task),
        "River out of the box": river[test],
        f"{BATCH}, hand-made features": batch(
            hand_made_features(events, campaign, rows["event_id"])
        ),
        f"{BATCH}, same features": batch(stored.to_numpy()),
        f"as served, {campaign.learner}": served[test],
    }
    measure = judge_value if predicts_value else judge
    return [measure(campaign.name, model, label, found) for model, found in predictions.items()]


def backtest(
    dataset: str, only: Collection[str], folder: Path, *, reuse: bool, model_refresh: str
) -> list[Verdict]:
    """Replay one data set and judge the campaigns of `only` that it is asked."""
    tasks = [task for task in TASKS if task.dataset == dataset and task.campaign in only]
    if not tasks:
        return []
    out = folder / "replay"
    if not (reuse and (out / "examples.parquet").exists()):
        shutil.rmtree(folder, ignore_errors=True)
        write_dataset(dataset, folder)
        started = perf_counter()
        replay(
            folder / "events.ndjson", folder / "campaigns.yaml", out, model_refresh=model_refresh
        )
        click.echo(f"replayed {dataset} in {perf_counter() - started:.1f} s", err=True)
    events = event_table(read_event_files([folder / "events.ndjson"]).values)
    campaigns = load_campaigns(folder / "campaigns.yaml").campaigns
    found: list[Verdict] = []
    for task in tasks:
        started = perf_counter()
        campaign = campaigns[task.campaign]
        found += verdicts(events, campaign, read_examples(out, task.campaign), task)
        click.echo(f"judged {task.campaign} in {perf_counter() - started:.1f} s", err=True)
    return found


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default="out/backtest")
@click.option("--only", multiple=True, type=click.Choice(CHOICES), help="May be given repeatedly.")
@click.option("--reuse", is_flag=True, help="Judge the replays that are already in --out.")
@click.option(
    "--model-refresh",
    default="1h",
    show_default=True,
    help="1m, as the program has it, takes twice as long.",
)
@click.option("--json", "as_json", is_flag=True, help="The verdicts on public data as JSON.")
def main(
    out: Path, only: tuple[str, ...], *, reuse: bool, model_refresh: str, as_json: bool
) -> None:
    """Judge what was served, on public data and on synthetic streams."""
    chosen = only or CHOICES
    found: list[Verdict] = []
    try:
        for dataset in dict.fromkeys(task.dataset for task in TASKS):
            found += backtest(
                dataset, chosen, out / dataset, reuse=reuse, model_refresh=model_refresh
            )
    except DatasetMissingError as error:
        click.echo(f"{error}.", err=True)
        sys.exit(2)
    if as_json:
        click.echo(json.dumps([asdict(verdict) for verdict in found], indent=2))
        return
    if found:
        click.echo(table(found, {task.campaign: task.asks for task in TASKS}) + "\n")
    if SYNTHETIC in chosen:
        click.echo(synthetic.report(out / SYNTHETIC, synthetic.SIZE, reuse=reuse))


if __name__ == "__main__":
    main()
