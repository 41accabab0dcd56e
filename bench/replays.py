"""`propensity replay` as another program would run it.

Owns: the command line of a replay, and reading the examples it leaves.
Never: imports the loop.
Source: the contract, commands and files.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd

ENVELOPE = (
    "campaign",
    "customer_id",
    "event_id",
    "as_of_ms",
    "closed_at_ms",
    "label",
    "weight",
    "probability",
    "expected_value",
    "model_version",
)


def replay(
    events: Path, campaigns: Path, out: Path, *flags: str, model_refresh: str = "1m"
) -> None:
    """Run a replay in a process of its own; its words go where ours go.

    `model_refresh` is the step of event time after which new models serve; `1m` is the default
    of the program, and what takes the time in a year of events.

    Raises
    ------
    CalledProcessError: it did not end well.
    """
    command = [sys.executable, "-m", "consumer", "--campaigns", str(campaigns)]
    command += ["replay", str(events), "--out", str(out), *flags]
    environment = {**os.environ, "PROPENSITY_TIMES__MODEL_REFRESH": model_refresh}
    subprocess.run(command, check=True, env=environment)


def read_examples(out: Path, campaign: str) -> pd.DataFrame:
    """Return a campaign's matured rows with the feature columns that it has."""
    rows = pd.read_parquet(out / "examples.parquet", filters=[("campaign", "==", campaign)])
    rows = rows.drop(
        columns=[name for name in rows if name not in ENVELOPE and rows[name].isna().all()]
    )
    return rows.reset_index(drop=True)


def feature_names(examples: pd.DataFrame) -> list[str]:
    """Return the names of a table's feature columns."""
    return [name for name in examples.columns if name not in ENVELOPE]
