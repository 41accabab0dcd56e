"""The synthetic streams have the truth that they claim, and the measures see what is wrong.

Owns: the generator of the drifting stream, and its measures on answers made by hand.
Never: a replay; `tests/integration/test_synthetic_replay.py` has one.
Source: bench/README.md, "Synthetic streams".
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench import clickstream
from bench.datasets.event_log import ordered
from bench.delayed_stream import CAMPAIGNS, START_MS, Stream, facts, make_stream
from bench.stream_measures import days_behind, expected_loss, late_verdict, refit, weekly
from bench.synthetic import SIZE, Line, table
from bench.verdicts import Floats
from consumer import shoppers
from schemas.campaign_file import parse_campaigns
from schemas.times import DAY_MS


def test_the_stream_has_its_rate_its_drift_and_its_delays() -> None:
    """3 % before and after, other effects after, and every answer within its horizon."""
    stream = make_stream(1, days=20, visits_per_day=2_000)
    drifted = stream.at_ms >= START_MS + 10 * DAY_MS
    for part in (drifted, ~drifted):
        assert stream.truth[part].mean() == pytest.approx(0.03, abs=1e-6)
    logit = np.log(stream.truth / (1.0 - stream.truth))
    slopes = [
        np.linalg.lstsq(np.c_[stream.numbers[part], np.ones(part.sum())], logit[part])[0]
        for part in (drifted, ~drifted)
    ]
    assert np.abs(slopes[0] - slopes[1]).max() > 0.1
    assert stream.converts.mean() == pytest.approx(0.03, abs=0.004)
    visited = {f"c{number}": at_ms for number, at_ms in enumerate(stream.at_ms.tolist())}
    late = [f.at_ms - visited[f.customer_id] for f in facts(stream) if f.type == "bought_3d"]
    assert len(late) == stream.converts.sum()
    assert 0 <= min(late) < DAY_MS / 4
    assert 2.5 * DAY_MS < max(late) <= 3 * DAY_MS


def test_a_seed_gives_the_same_bytes() -> None:
    """Two streams of one seed are equal, of two seeds different."""
    one, same, other = (list(facts(make_stream(seed, 4, 20))) for seed in (1, 1, 2))
    assert one == same != other
    assert [fact.at_ms for fact in ordered(one)] == sorted(fact.at_ms for fact in one)


def test_campaigns_of_a_stream_differ_in_one_thing() -> None:
    """The answers of one stream, the interval of the other."""
    late = parse_campaigns(CAMPAIGNS).campaigns
    assert len({campaign.features for campaign in late.values()}) == 1
    assert [campaign.horizon_ms // DAY_MS for campaign in late.values()] == [0, 3, 14]
    shopping = parse_campaigns(clickstream.CAMPAIGNS).campaigns
    one, every = shopping[clickstream.SAMPLE], shopping[clickstream.EVERY]
    assert one.features == every.features
    assert (one.example_interval_ms, every.example_interval_ms) == (DAY_MS, 0)


def answers(stream: Stream, probability: Floats, late_days: int) -> pd.DataFrame:
    """Return the rows of a campaign that said `probability` of each visit."""
    return pd.DataFrame(
        {
            "as_of_ms": stream.at_ms,
            "closed_at_ms": stream.at_ms + late_days * DAY_MS,
            "label": stream.converts * 1.0,
            "probability": probability,
            "number": stream.numbers[:, 0],
            "day": (stream.at_ms - START_MS) // DAY_MS,
            "truth": stream.truth,
        }
    )


def test_the_truth_has_the_least_loss_and_a_blind_model_is_seen() -> None:
    """Whoever says the truth is not worse than the oracle; whoever says the rate is."""
    stream = make_stream(2, days=60, visits_per_day=200)
    truth = answers(stream, stream.truth, 3)
    blind = answers(stream, np.full(len(stream.truth), 0.03), 3)
    fine = late_verdict(stream, {"at-once": truth, "late-3d": truth}, "late-3d")
    assert (fine.worse, fine.worse_before_drift, fine.days_behind) == (0.0, 0.0, 0)
    worse = late_verdict(stream, {"at-once": truth, "late-3d": blind}, "late-3d")
    assert worse.worse > 0.02 < worse.worse_before_drift
    blind_days = truth.assign(
        probability=np.where(truth["day"].between(30, 32), 0.03, truth["probability"])
    )
    stale = late_verdict(stream, {"at-once": truth, "late-3d": blind_days}, "late-3d")
    assert (stale.worse_before_drift, stale.worse_when_known) == (0.0, 0.0) < (stale.worse,)
    assert stale.drift_cost > 0.02
    assert fine.drift_cost == 0.0
    assert stale.unavoidable == stale.worse  # The truth on all days but those.
    assert fine.unavoidable == 0.0
    counted, wanted = truth["label"].cumsum(), truth["truth"].cumsum()
    assert fine.rate_alone[-1] == pytest.approx(counted.iloc[-1] / wanted.iloc[-1])
    assert worse.days_behind > 3
    assert worse.worst_day > 0.02


def test_a_model_that_says_too_little_is_seen_in_every_week() -> None:
    """Over the truth, the share is what it is; over the outcomes, chance comes in between."""
    stream = make_stream(2, days=30, visits_per_day=3_000)
    found = weekly(answers(stream, stream.truth * 0.9, 3))
    assert len(found["predicted_per_actual"]) == 24
    assert found["predicted_per_expected"] == pytest.approx(0.9)
    assert found["predicted_per_actual"] == pytest.approx(0.9 * found["truth_per_actual"])
    assert found["truth_per_actual"] == pytest.approx(1.0, abs=0.15)
    assert found["truth_per_actual"].std() > 0.0


def test_a_refit_learns_only_what_had_matured_by_midnight() -> None:
    """Turning around the labels that close later changes nothing."""
    stream = make_stream(3, days=30, visits_per_day=200)
    rows = answers(stream, stream.truth, 3)
    day, x = 20, stream.numbers[:, :1]
    later = (rows["closed_at_ms"] > START_MS + day * DAY_MS).to_numpy()
    turned = rows.assign(label=np.where(later, 1.0 - rows["label"], rows["label"]))
    for span in (7, 30):
        assert np.array_equal(refit(rows, x, day, span)(x), refit(turned, x, day, span)(x))
    assert not np.array_equal(refit(rows, x, day, 30)(x), refit(rows, x, day, 7)(x))


def test_a_model_is_behind_until_it_stays_within_one_percent() -> None:
    """A lucky day in between does not count as having caught up."""
    assert days_behind(np.array([0.2, 0.1, 0.0, 0.02, 0.0, 0.01])) == 4
    assert days_behind(np.zeros(5)) == 0


def test_only_weeks_with_enough_positives_are_judged() -> None:
    """500 positives in seven days, and not 490."""
    days = np.repeat(np.arange(8), 100)
    rows = pd.DataFrame({"day": days, "probability": 0.7, "truth": 0.7, "label": 0.7})
    assert weekly(rows)["predicted_per_actual"].tolist() == []
    more = rows.assign(label=np.where(days == 7, 1.0, 0.7))
    assert weekly(more)["predicted_per_actual"] == pytest.approx([490 / 520])


def test_the_expected_loss_is_least_at_the_truth() -> None:
    """Gibbs' inequality, and the entropy at the truth itself."""
    said = np.linspace(0.01, 0.2, 200)
    losses = expected_loss(np.full(200, 0.05), said)
    assert said[losses.argmin()] == pytest.approx(0.05, abs=1e-3)
    assert losses.min() == pytest.approx(-0.05 * np.log(0.05) - 0.95 * np.log(0.95), abs=1e-4)


def test_a_sample_is_judged_on_every_row_that_was_served(tmp_path: Path) -> None:
    """The rows are those of the campaign that learns all, the probabilities those of the other.

    day    0 (not yet)   1      2
    every  0.5           0.5    0.5
    one    0.5           0.9    0.1
    label  1             1      0
    """
    said = {"e0": 0.5, "e1": 0.9, "e2": 0.1}
    rows = pd.DataFrame(
        {
            "campaign": clickstream.EVERY,
            "customer_id": "a",
            "event_id": list(said),
            "as_of_ms": [shoppers.START_MS + day * DAY_MS for day in range(3)],
            "label": [1.0, 1.0, 0.0],
            "probability": 0.5,
        }
    )
    rows.to_parquet(tmp_path / "examples.parquet")
    records = [
        {
            "score_id": event, "customer_id": "a", "event_id": event, "cause": "event",
            "as_of": "", "source": {"topic": "t", "partition": 0, "offset": 0},
            "scores": [
                {
                    "campaign": campaign, "horizon_ms": 1, "probability": probability,
                    "percentile": None, "band": None, "expected_value": None, "status": "ready",
                    "reasons": [], "other_reasons": 0.0, "baseline": 0.0,
                    "model": {"lineage": "l", "learner": "c", "version": 1, "features": "f"},
                }
                for campaign, probability in [(clickstream.EVERY, 0.5), (clickstream.SAMPLE, one)]
            ],
        }
        for event, one in said.items()
    ]  # fmt: skip
    lines = [json.dumps(record) for record in records]
    (tmp_path / "scores.ndjson").write_text("\n".join(lines), encoding="utf-8")
    found = clickstream.judged(tmp_path, days=4)
    assert found.worse == pytest.approx(np.log(0.9) / np.log(0.5) - 1.0)
    assert found.predicted_per_actual == pytest.approx(1.0)


def test_a_missed_bar_says_so() -> None:
    """The table does not leave it to the reader."""
    lines = [
        Line("asked", "≤ 1%", "+2%", holds=False),
        Line("asked", "≤ 1%", "+0%", holds=True),
        Line("seen", "–", "1.0", holds=None),
    ]
    text = table(lines, "bayesian_logistic", SIZE).splitlines()
    assert text[0].startswith("Learner: bayesian_logistic")
    assert text[4:] == [
        "| asked | ≤ 1% | +2% | **missed** |",
        "| asked | ≤ 1% | +0% | yes |",
        "| seen | – | 1.0 |  |",
    ]
