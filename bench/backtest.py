"""`python -m bench.backtest`: the scores as served, judged on public data beside batch models.

Owns: the split, the rivals, the measures and the table.
Never: lets a rival see a label before it matured, or judges a score other than as served.
Source: test-then-train; logistic regression, Brier score and AUC of scikit-learn.

The rivals are logistic regressions refitted at the start of every month of the test split on all
rows matured by then: one on the very features that we stored, one on hand-made features. How
strongly they are penalised was chosen on the rows before the split.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import click
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score

from bench.datasets.__main__ import write_dataset
from bench.datasets.package_files import DatasetMissingError
from bench.hand_made import hand_made_features
from bench.naive_labels import event_table
from bench.replays import feature_names, read_examples, replay
from consumer.event_files import read_event_files
from schemas.campaign import Campaign
from schemas.campaign_file import load_campaigns
from schemas.times import DAY_MS, parse_time

ECE_BINS = 15
REFIT_INTERVAL_MS = 30 * DAY_MS
PENALTIES = (0.01, 0.1, 1.0)  # Inverse strengths, as scikit-learn takes them.


@dataclass(frozen=True)
class Split:
    """A data set, the campaign it is known for, and when its test rows were scored."""

    dataset: str
    campaign: str
    start_ms: int
    end_ms: int


SPLITS = (
    Split(
        "completejourney",
        "deli-7d",
        parse_time("2017-10-01T00:00:00-04:00"),
        parse_time("2018-01-01T00:00:00-05:00"),
    ),
    # The data set's own 1997-10-01, moved with it.
    Split(
        "cdnow",
        "again-30d",
        parse_time("2014-10-01T00:00:00Z"),
        parse_time("2015-07-01T00:00:00Z"),
    ),
)


@dataclass(frozen=True)
class Verdict:
    """How good one set of probabilities was on the test rows of a campaign."""

    campaign: str
    model: str
    rows: int
    positives: int
    log_loss: float
    auc: float
    calibration_error: float
    predicted_per_actual: float


def judge(
    campaign: str, model: str, label: NDArray[np.float64], probability: NDArray[np.float64]
) -> Verdict:
    """Measure `probability` against `label` (0 or 1), both float64 of one length."""
    bounded = np.clip(probability, 1e-9, 1 - 1e-9)
    one_sided = label.min() == label.max() or bounded.min() == bounded.max()
    return Verdict(
        campaign=campaign,
        model=model,
        rows=len(label),
        positives=int(label.sum()),
        log_loss=float(log_loss(label, bounded, labels=[0, 1])),
        auc=0.5 if one_sided else float(roc_auc_score(label, bounded)),
        calibration_error=calibration_error(label, bounded),
        predicted_per_actual=float(bounded.sum() / max(label.sum(), 1.0)),
    )


def calibration_error(label: NDArray[np.float64], probability: NDArray[np.float64]) -> float:
    """Return the mean gap between predicted and actual rate over 15 bins of equal mass."""
    order = np.argsort(probability, kind="stable")
    gaps = [
        abs(float(label[part].mean() - probability[part].mean())) * len(part)
        for part in np.array_split(order, ECE_BINS)
        if len(part)
    ]
    return sum(gaps) / len(label)


def refitted(
    rows: pd.DataFrame, features: NDArray[np.float64], split: Split
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the rival's probabilities of the test rows, and the base rate known at each.

    At each refit it learns every row that was closed by then, and answers until the next.
    """
    test = in_split(rows, split)
    probability = np.full(len(rows), np.nan)
    base_rate = np.full(len(rows), np.nan)
    as_of, closed_at = rows["as_of_ms"].to_numpy(), rows["closed_at_ms"].to_numpy()
    label = rows["label"].to_numpy()
    penalty = chosen_penalty(features, label, closed_at, split.start_ms)
    for refit_ms in range(split.start_ms, int(as_of[test].max()) + 1, REFIT_INTERVAL_MS):
        known = closed_at <= refit_ms
        asked = test & (as_of >= refit_ms) & (as_of < refit_ms + REFIT_INTERVAL_MS)
        if not asked.any():
            continue
        model = logistic(penalty).fit(features[known], label[known])
        probability[asked] = model.predict_proba(features[asked])[:, 1]
        base_rate[asked] = label[known].mean()
    return probability[test], base_rate[test]


def logistic(penalty: float) -> LogisticRegression:
    """Return the rival; its features are logarithms and flags, so it needs no scaler."""
    return LogisticRegression(C=penalty, solver="newton-cholesky", max_iter=200)


def chosen_penalty(
    features: NDArray[np.float64],
    label: NDArray[np.float64],
    closed_at: NDArray[np.int64],
    start_ms: int,
) -> float:
    """Return the penalty that did best before the test split, on the last quarter of its rows."""
    known = np.flatnonzero(closed_at <= start_ms)
    known = known[np.argsort(closed_at[known], kind="stable")]
    fitted, asked = np.split(known, [len(known) * 3 // 4])
    losses = [
        log_loss(
            label[asked],
            logistic(penalty).fit(features[fitted], label[fitted]).predict_proba(features[asked]),
            labels=[0, 1],
        )
        for penalty in PENALTIES
    ]
    return PENALTIES[int(np.argmin(losses))]


def in_split(rows: pd.DataFrame, split: Split) -> NDArray[np.bool_]:
    """Return which rows were scored within the test split."""
    as_of = rows["as_of_ms"].to_numpy()
    chosen: NDArray[np.bool_] = (as_of >= split.start_ms) & (as_of < split.end_ms)
    return chosen


def verdicts(
    events: pd.DataFrame, campaign: Campaign, rows: pd.DataFrame, split: Split
) -> list[Verdict]:
    """Judge the scores as served and the three rivals on the same test rows."""
    test = in_split(rows, split)
    label = rows["label"].to_numpy(np.float64)[test]
    stored = rows[feature_names(rows)].to_numpy(np.float64)
    same, base_rate = refitted(rows, stored, split)
    own, _ = refitted(rows, hand_made_features(events, campaign, rows["event_id"]), split)
    served = rows["probability"].to_numpy(np.float64)[test]
    return [
        judge(campaign.name, "base rate", label, base_rate),
        judge(campaign.name, "batch, hand-made features", label, own),
        judge(campaign.name, "batch, same features", label, same),
        judge(campaign.name, "as served", label, served),
    ]


def table(found: list[Verdict]) -> str:
    """Return the verdicts as text; `ratio` compares log-loss with the better batch model."""
    head = f"{'campaign':<16}{'model':<28}{'rows':>8}{'positives':>11}{'log-loss':>10}{'ratio':>7}"
    lines = [head + f"{'AUC':>7}{'ECE':>7}{'pred/act':>10}"]
    rival: dict[str, float] = {}
    for v in found:
        if v.model.startswith("batch"):
            rival[v.campaign] = min(v.log_loss, rival.get(v.campaign, v.log_loss))
    for v in found:
        ratio = v.log_loss / rival[v.campaign]
        lines.append(
            f"{v.campaign:<16}{v.model:<28}{v.rows:>8,}{v.positives:>11,}{v.log_loss:>10.4f}"
            f"{ratio:>7.3f}{v.auc:>7.3f}{v.calibration_error:>7.3f}{v.predicted_per_actual:>10.3f}"
        )
    return "\n".join(lines)


def backtest(
    split: Split, folder: Path, *, every: bool, reuse: bool, model_refresh: str
) -> list[Verdict]:
    """Replay one data set and judge its campaign, or every campaign of its file."""
    out = folder / "replay"
    if not (reuse and (out / "examples.parquet").exists()):
        shutil.rmtree(folder, ignore_errors=True)
        write_dataset(split.dataset, folder)
        started = perf_counter()
        campaigns_file = folder / "campaigns.yaml"
        replay(folder / "events.ndjson", campaigns_file, out, model_refresh=model_refresh)
        click.echo(f"replayed {split.dataset} in {perf_counter() - started:.1f} s", err=True)
    events = event_table(read_event_files([folder / "events.ndjson"]).values)
    campaigns = load_campaigns(folder / "campaigns.yaml").campaigns
    found: list[Verdict] = []
    for name, campaign in campaigns.items():
        if every or name == split.campaign:
            started = perf_counter()
            found += verdicts(events, campaign, read_examples(out, name), split)
            click.echo(f"judged {name} in {perf_counter() - started:.1f} s", err=True)
    return found


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default="out/backtest")
@click.option("--every", is_flag=True, help="Every campaign, not only DELI and CDNOW.")
@click.option("--reuse", is_flag=True, help="Judge the replays that are already in --out.")
@click.option(
    "--model-refresh",
    default="1h",
    show_default=True,
    help="1m, as the program has it, takes twice as long.",
)
@click.option("--json", "as_json", is_flag=True, help="Verdicts as JSON.")
def main(out: Path, *, every: bool, reuse: bool, model_refresh: str, as_json: bool) -> None:
    """Replay the public data sets and judge what was served beside batch models."""
    found: list[Verdict] = []
    try:
        for split in SPLITS:
            folder = out / split.dataset
            found += backtest(split, folder, every=every, reuse=reuse, model_refresh=model_refresh)
    except DatasetMissingError as error:
        click.echo(f"{error}.", err=True)
        sys.exit(2)
    text = json.dumps([asdict(verdict) for verdict in found], indent=2) if as_json else table(found)
    click.echo(text)


if __name__ == "__main__":
    main()
