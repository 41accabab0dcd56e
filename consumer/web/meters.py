"""Requests in metrics: how many, how answered, how quickly.

Owns: which route a path counts for; there are ten, whatever is asked for.
Never: a path as a label: it may name a customer.
Source: consumer/metrics.py.
"""

from __future__ import annotations

from typing import Final

from consumer import http_metrics
from consumer.telemetry import Telemetry

ROUTES: Final = ("/", "/metrics", "/healthz", "/readyz", "/stream", "/v1/openapi.json")
FILES: Final = "/page/"
CUSTOMERS: Final = "/v1/customers/"
ANSWERS: Final = ("/scores", "/explain")
OTHER: Final = "other"


class HttpMeters:
    """Counts answers; called in the server's thread alone."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def answered(self, path: str, status: int, seconds: float) -> None:
        """An answer begins, so long after its request."""
        route = route_of(path)
        self._telemetry.counter(http_metrics.HTTP_REQUESTS, route, str(status)).add()
        self._telemetry.histogram(http_metrics.HTTP_DURATION, route).observe(seconds)


def route_of(path: str) -> str:
    """What a path is counted as.

    Examples
    --------
    >>> route_of("/healthz"), route_of("/v1/customers/c17/scores"), route_of("/c17")
    ('/healthz', '/v1/customers/…/scores', 'other')
    """
    if path in ROUTES:
        return path
    if path.startswith(FILES):
        return f"{FILES}…"
    if path.startswith(CUSTOMERS):
        for answer in ANSWERS:
            if path.endswith(answer):
                return f"{CUSTOMERS}…{answer}"
    return OTHER
