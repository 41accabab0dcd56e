"""Metrics of the HTTP port.

Owns: their names, units and meanings.
Never: a value, or a path: it may name a customer.
Source: docs/page.md.
"""

from consumer.metric import Kind, Metric

HTTP_REQUESTS = Metric(
    "propensity_http_requests_total", Kind.COUNTER, "requests", ("route", "code"),
    "Requests that were answered. Those that were refused for too many connections, or were no "
    "HTTP, are not counted.",
)  # fmt: skip
HTTP_DURATION = Metric(
    "propensity_http_request_duration_seconds", Kind.HISTOGRAM, "seconds", ("route",),
    "From a request until its answer begins.",
    (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)  # fmt: skip
