"""What the program says on stderr: coloured lines to a person, JSON to a machine.

Owns: the one set-up of structlog and of the libraries' logging; what is held back or hidden.
Never: stdout, which belongs to results; a line that `consumer.log_lines` does not have.
Source: https://www.structlog.org/en/stable/
"""

import logging
import sys
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, TextIO

import structlog
from structlog.typing import Processor

from consumer.clock import SystemClock
from consumer.log_lines import LOG_LINES, Level

LEVELS: Mapping[str, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
WINDOW_S: Final = 60.0
LINES_MAX: Final = 20
"""So many lines of one name are said within a window; those beyond are counted."""

_SECRET_WORDS = ("password", "secret", "token", "sasl.jaas", "ssl.key.pem")
_HIDDEN = "********"
_KAFKA: Final = "kafka"  # How the client's own log is called.

Hash = Callable[[str], str]


def configure_logs(
    level: str = "info",
    stream: TextIO | None = None,
    *,
    customer: Hash = lambda _customer: _HIDDEN,
    now_s: Callable[[], float] | None = None,
) -> None:
    """Say everything from ``level`` up on ``stream``, stderr by default.

    A terminal gets aligned lines with the time of day; anything else one JSON object a line
    with ``timestamp`` (RFC 3339, UTC), ``level``, ``event`` and ``message``. A field called
    ``customer`` is shown as ``customer`` gives it. More than `LINES_MAX` lines of one name within
    `WINDOW_S` are held back, and the next one says how many were.
    """
    assert level in LEVELS, level
    target = sys.stderr if stream is None else stream
    shared: list[Processor] = [
        _customers(customer),
        _hide_secrets,
        _Repeats(now_s or SystemClock().monotonic_s),
        structlog.processors.add_log_level,
    ]
    tail: list[Processor]
    if target.isatty():
        tail = [
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            _in_a_sentence,
            structlog.dev.ConsoleRenderer(),
        ]
    else:
        tail = [
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(default=str),
        ]
    structlog.configure(
        processors=[*shared, *tail],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *_args: structlog.PrintLogger(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )
    forget_libraries()
    logging.getLogger().addHandler(_Libraries(logging.WARNING))


def say(event: str, **fields: object) -> None:
    """Say a line of the table, with its fields; from any thread."""
    line = LOG_LINES[event]
    _say(line.level, event, fields)


def say_held_back() -> None:
    """Say of which lines some were held back, so that none vanishes uncounted; at the end."""
    for repeats in _repeats():
        for name, suppressed in repeats.held_back().items():
            say("lines_held_back", name=name, suppressed=suppressed)


def forget_libraries() -> None:
    """Take what the libraries log no longer."""
    root = logging.getLogger()
    for handler in [each for each in root.handlers if isinstance(each, _Libraries)]:
        root.removeHandler(handler)


def _say(level: Level, event: str, fields: Mapping[str, object]) -> None:
    if not structlog.is_configured():
        configure_logs("warning")
    logger = structlog.get_logger()
    try:
        getattr(logger, level)(event, message=LOG_LINES[event].says, **fields)
    except OSError:  # The disk is full, or nobody reads any more: no reason to stop scoring.
        for repeats in _repeats():
            repeats.lost(event)


@dataclass(slots=True)
class _Window:
    """How often a line was said since when, and how often held back."""

    since_s: float
    said: int = 0
    suppressed: int = 0
    told: int = 0  # How many the last line said were held back.


class _Repeats:
    """Holds back what is said too often, name by name, and says how often in the next line."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._lock = Lock()
        self._windows: dict[str, _Window] = {}  # As many as the table has lines.

    def __call__(
        self, _logger: object, _method: str, entry: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        now_s = self._now_s()
        with self._lock:
            window = self._windows.setdefault(entry["event"], _Window(now_s))
            if now_s - window.since_s >= WINDOW_S:
                window.since_s, window.said = now_s, 0
            if window.said >= LINES_MAX:
                window.suppressed += 1
                raise structlog.DropEvent
            window.said += 1
            window.told, window.suppressed = window.suppressed, 0
            if window.told:
                entry["suppressed"] = window.told
        return entry

    def lost(self, name: str) -> None:
        """Count a line that could not be written to those held back."""
        with self._lock:
            window = self._windows[name]
            window.suppressed += 1 + window.told

    def held_back(self) -> dict[str, int]:
        """How many of each name were held back since the last that was said."""
        with self._lock:
            found = {name: each.suppressed for name, each in self._windows.items()}
            for each in self._windows.values():
                each.suppressed = 0
        return {name: suppressed for name, suppressed in found.items() if suppressed}


def _repeats() -> list[_Repeats]:
    processors = structlog.get_config()["processors"]
    return [each for each in processors if isinstance(each, _Repeats)]


class _Libraries(logging.Handler):
    """What libraries log, as lines of ours.

    Of an exception that they caught its kind is said, and where it was, and not its text: that may
    hold anything, a customer's id as well.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Say it; what cannot be said is a matter of the log, and not of who wanted to say it."""
        try:
            self._say(record)
        except (TypeError, ValueError):  # Its text and what belongs into it do not fit together.
            self.handleError(record)

    @staticmethod
    def _say(record: logging.LogRecord) -> None:
        level: Level = "error" if record.levelno >= logging.ERROR else "warning"
        if record.name == _KAFKA:
            facility = record.args[0] if isinstance(record.args, tuple) and record.args else ""
            _say(level, "kafka_client", {"facility": facility, "text": record.getMessage()})
            return
        first, *_ = record.getMessage().splitlines() or [""]
        fields: dict[str, object] = {"logger": record.name, "text": first}
        kind, _, trace = record.exc_info or (None, None, None)
        if kind is not None:
            frames = traceback.extract_tb(trace)
            fields["error"] = kind.__name__
            fields["at"] = [f"{each.filename}:{each.lineno} {each.name}" for each in frames]
        _say(level, "library_failed", fields)


def _customers(shown: Hash) -> Processor:
    """Name customers only as it is allowed."""

    def name(
        _logger: object, _method: str, entry: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        if entry.get("customer") is not None:
            entry["customer"] = shown(str(entry["customer"]))
        return entry

    return name


def _in_a_sentence(
    _logger: object, _method: str, entry: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A person reads the sentence, and not the name."""
    entry["event"] = entry.pop("message", entry["event"])
    return entry


def _hide_secrets(
    _logger: object, _method: str, entry: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Print no password, at any depth of a logged mapping."""
    return {key: _without_secrets(key, value) for key, value in entry.items()}


def _without_secrets(key: str, value: object) -> object:
    if any(word in key.lower() for word in _SECRET_WORDS):
        return _HIDDEN
    if isinstance(value, Mapping):
        return {str(name): _without_secrets(str(name), inner) for name, inner in value.items()}
    return value
