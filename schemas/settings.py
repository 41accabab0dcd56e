"""Settings: where the Kafka is, what is called what, and every limit.

Owns: names, defaults and bounds of the settings.
Never: reads campaigns, opens connections; `settings_source` finds the values.
Source: the contract, "Settings file".
"""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas import durations
from schemas.event import RECORD_BYTES_MAX
from schemas.event_values import VALUE_MAX
from schemas.settings_source import read_settings
from schemas.times import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    SECOND_MS,
    TIME_MAX_MS,
    TIME_MIN_MS,
    parse_time,
)

Scalar = str | int | float | bool

DEFAULT_SERVERS = "localhost:9092"
START_FROM = "earliest, latest, or a time such as 2026-11-23T00:00:00Z"


def _duration(min_ms: int = 0, max_ms: int = 3_660 * DAY_MS) -> BeforeValidator:
    """Reads `5m` as milliseconds, within bounds that are named as durations too."""

    def read(raw: object) -> int:
        try:
            duration_ms = durations.parse_duration(raw) if isinstance(raw, str) else -1
        except ValueError:
            duration_ms = -1
        if duration_ms < 0:
            raise PydanticCustomError("duration", durations.ALLOWED)
        if not min_ms <= duration_ms <= max_ms:
            least, most = durations.format_duration(min_ms), durations.format_duration(max_ms)
            raise PydanticCustomError("duration", f"from {least} to {most}")
        return duration_ms

    return BeforeValidator(read, json_schema_input_type=str)


def _scalar(raw: object) -> object:
    """What librdkafka takes as a setting's value."""
    if not isinstance(raw, str | int | float):
        raise PydanticCustomError("scalar", "a text, a number, true or false")
    return raw


def _start_from(raw: object) -> str | int:
    """`earliest`, `latest`, or a time in milliseconds since the epoch."""
    if raw in {"earliest", "latest"}:
        return str(raw)
    try:
        time_ms = parse_time(raw) if isinstance(raw, str) else -1
    except ValueError:
        time_ms = -1
    if not TIME_MIN_MS <= time_ms <= TIME_MAX_MS:
        raise PydanticCustomError("start_from", START_FROM)
    return time_ms


def _kafka(raw: object) -> object:
    """Names of librdkafka (`BOOTSTRAP_SERVERS` of the environment is one), with a broker."""
    if not isinstance(raw, dict):
        return raw
    named = {
        name.replace("_", ".") if isinstance(name, str) and "." not in name else name: value
        for name, value in raw.items()
    }
    if "metadata.broker.list" in named:
        return named
    return {"bootstrap.servers": DEFAULT_SERVERS, **named}


def _listen(raw: object) -> object:
    host, colon, port = raw.rpartition(":") if isinstance(raw, str) else ("", "", "")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise PydanticCustomError("listen", "an address and a port such as 127.0.0.1:8080")
    return raw


def _url(raw: object) -> object:
    """A folder, or a bucket with or without a prefix."""
    scheme, colon, rest = raw.partition("://") if isinstance(raw, str) else ("", "", "")
    if not isinstance(raw, str) or not raw or (colon and (scheme != "s3" or not rest.strip("/"))):
        raise PydanticCustomError("url", "a folder or s3://bucket/prefix")
    return raw


Duration = Annotated[int, _duration()]
"""Milliseconds, written as `5m`."""

TopicName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)


class Topics(_Section):
    """Names of the topics."""

    events: TopicName = "customer-events"
    scores: TopicName = "propensity-scores"
    triggers: TopicName = "campaign-triggers"
    held_out: TopicName = "campaign-triggers-held-out"
    examples: TopicName = "training-examples"
    states: TopicName = "learner-states"
    models: TopicName = "campaign-models"
    dead_letters: TopicName = "dead-letters"


class Limits(_Section):
    """What everything is bounded by."""

    profiles_max: Annotated[int, Field(ge=1, le=100_000_000)] = 5_000_000
    open_examples_max: Annotated[int, Field(ge=1, le=100_000_000)] = 5_000_000
    seen_ids_max: Annotated[int, Field(ge=1, le=100_000_000)] = 1_000_000
    record_bytes_max: Annotated[int, Field(ge=256, le=16_777_216)] = RECORD_BYTES_MAX
    batch_max: Annotated[int, Field(ge=1, le=100_000)] = 2_000
    value_max: Annotated[float, Field(gt=0, le=1e15, allow_inf_nan=False)] = VALUE_MAX
    served_again_max: Annotated[int, Field(ge=1, le=1_000_000_000)] = 50_000_000
    closes_per_event_max: Annotated[int, Field(ge=1, le=10_000)] = 64
    timers_per_event_max: Annotated[int, Field(ge=1, le=10_000)] = 64
    # Above these a partition has too many dead letters: models.letter_limits.
    dead_letters_consecutive_max: Annotated[int, Field(ge=1, le=1_000_000_000)] = 100
    dead_letters_window: Annotated[int, Field(ge=1, le=1_000_000)] = 1_000
    dead_letters_share_max: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.5


class Times(_Section):
    """Durations of event time; `learner_interval` and `recovery_max` are of the worker's own."""

    future_max: Duration = 5 * MINUTE_MS
    lateness: Duration = HOUR_MS
    learner_interval: Duration = 10 * SECOND_MS
    recovery_max: Annotated[int, _duration(SECOND_MS)] = HOUR_MS
    skew_max: Duration = HOUR_MS
    model_refresh: Annotated[int, _duration(SECOND_MS)] = MINUTE_MS

    @property
    def future_max_ms(self) -> int:
        """How far a record's time may be ahead of its Kafka timestamp."""
        return self.future_max

    @property
    def lateness_ms(self) -> int:
        """How far behind the partition's clock an event is still scored."""
        return self.lateness

    @property
    def learner_interval_ms(self) -> int:
        """How often states and models are published."""
        return self.learner_interval

    @property
    def skew_max_ms(self) -> int:
        """How far a partition may be ahead of others that catch up."""
        return self.skew_max

    @property
    def recovery_max_ms(self) -> int:
        """How long the recovery of what we were given may take, before the worker gives up."""
        return self.recovery_max

    @property
    def model_refresh_ms(self) -> int:
        """The step of event time at which a replay hands new models to its scorer."""
        return self.model_refresh


def _token(raw: object) -> object:
    if not isinstance(raw, str) or not (raw.isascii() and raw.isprintable()) or " " in raw:
        raise PydanticCustomError("token", "a text of ASCII letters, digits and signs")
    return raw


class Http(_Section):
    """Where metrics, health, the page and scores are served, and to whom.

    Without a `token`, customers are shown only where `listen` is an address of this machine alone.
    """

    listen: Annotated[str, BeforeValidator(_listen)] = "127.0.0.1:8080"
    token: Annotated[SecretStr, BeforeValidator(_token)] = SecretStr("")
    page: bool = True

    @property
    def host(self) -> str:
        """The address to listen on, without brackets."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port to listen on; 0 is any."""
        return int(self.listen.rpartition(":")[2])


class Logs(_Section):
    """What is said on stderr: from which level up, and whether customers are named there.

    Without `customer_ids` a customer is the keyed hash that training rows carry.
    """

    level: Literal["debug", "info", "warning", "error"] = "info"
    customer_ids: bool = False


class Snapshots(_Section):
    """Where the folds' state is kept, how often (the worker's own time) and how much of it."""

    url: Annotated[str, BeforeValidator(_url)] = "./state"
    interval: Duration = 5 * MINUTE_MS
    generations: Annotated[int, Field(ge=2, le=100)] = 2

    @property
    def interval_ms(self) -> int:
        """How often the state of a partition is kept; 0 is only at the stop."""
        return self.interval


class Settings(BaseSettings):
    """All settings; flags before environment before file before defaults."""

    model_config = SettingsConfigDict(
        env_prefix="PROPENSITY_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        validate_default=False,
    )

    kafka: Annotated[
        dict[str, Annotated[Scalar, BeforeValidator(_scalar)]], BeforeValidator(_kafka)
    ] = Field(
        default_factory=lambda: dict[str, Scalar]({"bootstrap.servers": DEFAULT_SERVERS}),
        repr=False,  # It may hold passwords.
    )
    group: Annotated[str, Field(min_length=1, max_length=249)] = "propensity"
    instance: Annotated[str, Field(min_length=1, max_length=249)] = Field(
        default_factory=lambda: platform.node() or "worker"
    )
    topics: Topics = Topics()
    campaigns: Path = Path("campaigns.yaml")
    keys: Literal["strict", "partitioned"] = "strict"
    start_from: Annotated[
        Literal["earliest", "latest"] | int,
        BeforeValidator(_start_from, json_schema_input_type=str),
    ] = "earliest"
    publish_from: Literal["now", "start"] = "now"
    score_key: Literal["customer", "campaign"] = "customer"
    trigger_format: Literal["propensity", "segment"] = "propensity"
    delivery: Literal["exactly_once", "at_least_once"] = "exactly_once"
    commit_interval: Annotated[int, _duration(1, MINUTE_MS)] = 50
    http: Http = Http()
    logs: Logs = Logs()
    snapshots: Snapshots = Snapshots()
    limits: Limits = Limits()
    times: Times = Times()

    @property
    def commit_interval_ms(self) -> int:
        """How often positions are committed."""
        return self.commit_interval


def load_settings(path: Path | None = None, overrides: dict[str, Any] | None = None) -> Settings:
    """The settings of a file (or none), the environment and the flags.

    Parameters
    ----------
    path: the settings file; relative paths in it are relative to its folder.
    overrides: values from flags, nested as in the file: `{"limits": {"batch_max": 37}}`.

    Raises
    ------
    SettingsError: with every mistake; each names its file and line, its variable or its flag.
    """
    return read_settings(Settings, path, overrides or {})
