"""Settings: the order of the sources, and whose mistake a mistake is.

Owns: examples of files, variables and flags.
Never: connects to anything.
Source: the contract, "Settings file".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from schemas.errors import SettingsError
from schemas.settings import Settings, load_settings
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own, and no settings from the environment."""
    import os

    for name in list(os.environ):
        if name.upper().startswith("PROPENSITY_"):
            monkeypatch.delenv(name)
    return tmp_path


def write(folder: Path, text: str) -> Path:
    """A settings file."""
    path = folder / "propensity.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def mistakes(path: Path | None, overrides: dict[str, Any] | None = None) -> list[str]:
    """All mistakes, one sentence each."""
    with pytest.raises(SettingsError) as caught:
        load_settings(path, overrides)
    return [str(problem) for problem in caught.value.problems]


def test_defaults(folder: Path) -> None:
    """Without file, variables and flags there are defaults for everything."""
    del folder
    settings = load_settings()
    assert settings.kafka == {"bootstrap.servers": "localhost:9092"}
    assert settings.group == "propensity"
    assert settings.instance
    assert settings.topics.events == "customer-events"
    assert settings.topics.dead_letters == "dead-letters"
    assert (settings.keys, settings.start_from, settings.publish_from) == (
        *("strict", "earliest", "now"),
    )
    assert (settings.delivery, settings.commit_interval_ms) == ("exactly_once", 50)
    assert (settings.http.host, settings.http.port) == ("127.0.0.1", 8080)
    assert settings.limits.record_bytes_max == 65_536
    assert (settings.times.future_max_ms, settings.times.lateness_ms) == (5 * MINUTE_MS, HOUR_MS)
    assert settings.times.learner_interval_ms == 10_000
    assert settings.times.model_refresh_ms == MINUTE_MS
    snapshots = settings.snapshots
    assert (snapshots.url, snapshots.interval_ms, snapshots.generations) == (
        *("./state", 5 * MINUTE_MS, 2),
    )


def test_flags_before_environment_before_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each source gives way to the one before it, key by key."""
    path = write(folder, "limits: {batch_max: 1, profiles_max: 1, seen_ids_max: 1}\ngroup: file\n")
    monkeypatch.setenv("PROPENSITY_LIMITS__BATCH_MAX", "2")
    monkeypatch.setenv("PROPENSITY_LIMITS__PROFILES_MAX", "2")
    settings = load_settings(path, {"limits": {"batch_max": 3}})
    limits = settings.limits
    assert (limits.batch_max, limits.profiles_max, limits.seen_ids_max) == (3, 2, 1)
    assert limits.open_examples_max == 5_000_000
    assert settings.group == "file"
    assert type(settings) is Settings


def test_any_setting_of_kafka(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kafka's own settings pass through; in variables an underscore is a dot."""
    path = write(folder, "kafka: {linger.ms: 5, enable.idempotence: true}\n")
    monkeypatch.setenv("PROPENSITY_KAFKA__BOOTSTRAP_SERVERS", "kafka:9092")
    assert load_settings(path).kafka == {
        "bootstrap.servers": "kafka:9092",
        "linger.ms": 5,
        "enable.idempotence": True,
    }


def test_passwords_are_not_printed(folder: Path) -> None:
    """Settings may be logged: what is given to Kafka is left out."""
    path = write(folder, "kafka: {sasl.password: hunter2}\n")
    assert "hunter2" not in repr(load_settings(path))


def test_durations_and_times(folder: Path) -> None:
    """Durations are written with their unit; start_from is a word or a time."""
    path = write(
        folder, "commit_interval: 1s\ntimes: {lateness: 2d}\nstart_from: 2026-11-23T00:00:00Z\n"
    )
    settings = load_settings(path)
    assert (settings.commit_interval_ms, settings.times.lateness_ms) == (1_000, 2 * DAY_MS)
    assert settings.start_from == 1_795_392_000_000


def test_the_campaign_file_is_beside_the_settings(folder: Path) -> None:
    """A relative path in the file starts at the file; one from a flag where one stands."""
    path = write(folder, "campaigns: mine.yaml\n")
    assert load_settings(path).campaigns == folder / "mine.yaml"
    assert load_settings(path, {"campaigns": "other.yaml"}).campaigns == Path("other.yaml")
    assert load_settings(write(folder, "campaigns: /etc/c.yaml\n")).campaigns == Path("/etc/c.yaml")


def test_snapshots_are_beside_the_settings_or_in_a_bucket(folder: Path) -> None:
    """A folder is read as `campaigns` is; a bucket is an address, and left as it is."""
    path = write(folder, "snapshots: {url: ./kept, interval: 0s, generations: 3}\n")
    snapshots = load_settings(path).snapshots
    assert (Path(snapshots.url), snapshots.interval_ms) == (folder / "kept", 0)
    given = load_settings(path, {"snapshots": {"url": "other"}}).snapshots
    assert (given.url, given.generations) == ("other", 3)
    for url in ("/var/kept", "s3://bucket", "s3://bucket/a/b"):
        assert load_settings(write(folder, f"snapshots: {{url: '{url}'}}\n")).snapshots.url == url


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("grup: g", "1: grup: found the unknown key `grup`, allowed: kafka, group"),
        ("\nlimits:\n  batch_mx: 3", "3: limits.batch_mx: found the unknown key `batch_mx`"),
        ("limits: {batch_max: 0}", "1: limits.batch_max: found the number 0, allowed: at least 1"),
        ("limits: {batch_max: many}", 'found the text "many", allowed: a whole number'),
        ("limits: {batch_max: 1.5}", "found the number 1.5, allowed: a whole number"),
        ("limits: {value_max: .inf}", "allowed: a finite number"),
        ("limits: 3", "1: limits: found the number 3, allowed: keys and values"),
        ("commit_interval: 100", "found the number 100, allowed: a duration such as 30s"),
        ("commit_interval: 2h", "allowed: from 1ms to 1m"),
        ("commit_interval: 0s", "allowed: from 1ms to 1m"),
        ("start_from: yesterday", "allowed: earliest, latest, or a time such as"),
        ("publish_from: nw", "allowed: `now` or `start`; did you mean `now`?"),
        ("delivery: twice", "allowed: `exactly_once` or `at_least_once`"),
        ("topics: {events: 'a b'}", "allowed: 1 to 249 of letters"),
        ("http: {listen: '8080'}", "allowed: an address and a port such as 127.0.0.1:8080"),
        ("snapshots: {url: gs://b}", "snapshots.url: found the text"),
        ("snapshots: {url: gs://b}", "allowed: a folder or s3://bucket/prefix"),
        ("snapshots: {url: s3://}", "allowed: a folder or s3://bucket/prefix"),
        ("snapshots: {url: ''}", "allowed: a folder or s3://bucket/prefix"),
        ("snapshots: {url: 3}", "1: snapshots.url: found the number 3"),
        ("snapshots: {generations: 1}", "found the number 1, allowed: at least 2"),
        ("snapshots: {interval: 300}", "found the number 300, allowed: a duration"),
        ("kafka: [a]", "1: kafka: found a list, allowed: keys and values"),
        ("kafka: {a.b: [1]}", "1: kafka.a.b: found a list"),
        ("group: 3", "1: group: found the number 3, allowed: a text"),
        ("group: a\ngroup: b", "2: group: found a second `group`"),
        ("group: [", "allowed: YAML 1.2"),
        ("- a", "found a list"),
    ],
)
def test_mistakes_in_the_file(folder: Path, text: str, message: str) -> None:
    """A mistake in the file names its line, what was found, what is allowed, the word meant."""
    path = write(folder, text)
    (sentence,) = mistakes(path)
    assert sentence.startswith(str(path))
    assert message in sentence


def test_nearest_words(folder: Path) -> None:
    """An unknown key names the nearest one of its section."""
    (sentence,) = mistakes(write(folder, "limits: {batch_mx: 1}"))
    assert sentence.endswith("did you mean `batch_max`?")


def test_mistakes_in_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake in a variable names the variable, not a line of the file."""
    monkeypatch.setenv("PROPENSITY_LIMITS__BATCH_MAX", "many")
    path = write(folder, "limits: {batch_max: 3}")
    (sentence,) = mistakes(path)
    assert sentence == (
        'PROPENSITY_LIMITS__BATCH_MAX: limits.batch_max: found the text "many", '
        "allowed: a whole number"
    )


def test_variables_that_hold_no_json(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole section may be given as JSON; what is none is a mistake, not a crash."""
    monkeypatch.setenv("PROPENSITY_LIMITS", '{"batch_max": 7}')
    assert load_settings().limits.batch_max == 7
    monkeypatch.setenv("PROPENSITY_LIMITS", "{")
    (sentence,) = mistakes(write(folder, ""))
    assert "limits" in sentence


def test_mistakes_in_flags(folder: Path) -> None:
    """A mistake in a flag names the flag."""
    (sentence,) = mistakes(write(folder, ""), {"limits": {"batch_max": 0}})
    assert sentence.startswith("--batch-max: limits.batch_max: found the number 0")


def test_a_missing_file(folder: Path) -> None:
    """A settings file that is not there is one sentence."""
    (sentence,) = mistakes(folder / "nope.yaml")
    assert "no readable file" in sentence


@pytest.mark.parametrize(
    "text",
    ["http: {token: [hush, hush]}", 'http: {token: "hush hush"}',
     "kafka: {sasl.password: [hush]}", "kafka: {ssl.key.pem: {hush: 1}}"],
)  # fmt: skip
def test_a_mistake_does_not_tell_a_secret(tmp_path: Path, text: str) -> None:
    """Where a password or the token is wrong, its place is named and not what it is."""
    path = tmp_path / "propensity.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert "hush" not in str(caught.value)
    assert "propensity.yaml:1" in str(caught.value)


def test_a_token_is_not_shown() -> None:
    """Settings that are printed or dumped hide it."""
    settings = load_settings(None, {"http": {"token": "hush"}})
    assert settings.http.token.get_secret_value() == "hush"
    assert "hush" not in f"{settings!r} {settings} {settings.model_dump()} {settings.http}"
