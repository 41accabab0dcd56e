"""`python -m ops.grafana` writes the dashboards' JSON anew; a test holds it to the code.

Owns: where the files are, and how they are written.
Never: a panel.
Source: https://grafana.com/docs/grafana/latest/administration/provisioning/
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from ops.grafana.models import models
from ops.grafana.operations import operations

FOLDER: Final = Path(__file__).parent / "dashboards"


def dashboards() -> Mapping[str, str]:
    """The JSON of each dashboard, by the name of its file."""
    encoder = JSONEncoder(sort_keys=True, indent=2)
    return {
        f"{name}.json": encoder.encode(made) + "\n"
        for name, made in (("operations", operations()), ("models", models()))
    }


if __name__ == "__main__":
    for name, text in dashboards().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
