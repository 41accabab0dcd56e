"""docs/metrics.md, made from the table of metrics.

Owns: the document's words around the table.
Never: a metric.
Source: consumer/metrics.py.
"""

import sys

from consumer.metric import Kind
from consumer.metrics import LABELS, METRICS


def document() -> str:
    """Write docs/metrics.md."""
    lines = [
        "# Metrics",
        "",
        "What the worker shows on `/metrics`, made from `consumer/metrics.py` by `make docs`; a",
        "test holds the two equal. The usual `process_*` and `python_*` metrics of the Prometheus",
        "library stand beside these. `ops/prometheus/rules` and the dashboards ask for them, and",
        "[runbook.md](runbook.md) says what to do when they are not as they should be.",
        "",
        "| name | kind | unit | labels | meaning |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| `{metric.name}` | {metric.kind} | {metric.unit} "
        f"| {', '.join(f'`{label}`' for label in metric.labels)} | {metric.meaning} |"
        for metric in METRICS
    ]
    lines += ["", "## Labels", "", "| label | is |", "|---|---|"]
    lines += [f"| `{label}` | {meaning} |" for label, meaning in LABELS.items()]
    lines += ["", "## Buckets", ""]
    lines += [
        f"- `{metric.name}`: {', '.join(f'{bound:g}' for bound in metric.bounds)}"
        for metric in METRICS
        if metric.kind is Kind.HISTOGRAM
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
