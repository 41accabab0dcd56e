"""What the program says on stderr: coloured lines to a person, JSON to a machine.

Owns: the one set-up of structlog.
Never: stdout, which belongs to results.
Source: https://www.structlog.org/en/stable/
"""

import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import structlog
from structlog.typing import FilteringBoundLogger, Processor

LEVELS: Mapping[str, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}

_SECRET_WORDS = ("password", "secret", "token", "sasl.jaas", "ssl.key.pem")


def configure_logs(level: str = "info", stream: TextIO | None = None) -> None:
    """Say everything from ``level`` up on ``stream``, stderr by default.

    A terminal gets aligned lines with the time of day; anything else one JSON object a line
    with ``timestamp`` (RFC 3339, UTC), ``level`` and ``event``.
    """
    assert level in LEVELS, level
    target = sys.stderr if stream is None else stream
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _hide_secrets,
    ]
    tail: list[Processor]
    if target.isatty():
        tail = [
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(),
        ]
    else:
        tail = [
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(default=str),
        ]
    structlog.configure(
        processors=[*shared, *tail],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(target),
        cache_logger_on_first_use=False,
    )


def log() -> FilteringBoundLogger:
    """Give the program's logger."""
    logger: FilteringBoundLogger = structlog.get_logger()
    return logger


def _hide_secrets(
    _logger: object, _method: str, entry: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Print no password, at any depth of a logged mapping."""
    return {key: _without_secrets(key, value) for key, value in entry.items()}


def _without_secrets(key: str, value: object) -> object:
    if any(word in key.lower() for word in _SECRET_WORDS):
        return "********"
    if isinstance(value, Mapping):
        return {str(name): _without_secrets(str(name), inner) for name, inner in value.items()}
    return value
