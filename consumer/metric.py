"""What a metric is.

Owns: the shape of a row of the table.
Never: a metric.
Source: https://prometheus.io/docs/practices/naming/
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a metric does over time."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of the table.

    Parameters
    ----------
    name
        As scraped; a counter ends in ``_total``, a unit stands last before that.
    unit
        The base unit in words.
    labels
        Their names, in order.
    meaning
        One sentence for the person who is looking at a graph at night.
    bounds
        A histogram's upper bounds, ascending, without infinity.
    """

    name: str
    kind: Kind
    unit: str
    labels: tuple[str, ...]
    meaning: str
    bounds: tuple[float, ...] = ()
