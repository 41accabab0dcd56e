"""What all tests share: the real Kafka, Hypothesis's profiles, and honesty about skipping.

Owns: the session's broker, and the rule that CI skips nothing.
Never: a fixture that only one folder needs.
Source: https://docs.pytest.org/en/stable/reference/reference.html#hooks
"""

import os
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

from consumer.logs import forget_libraries
from tests.broker import NoBrokerError, kafka_broker, skip_or_fail

IN_CI = os.environ.get("CI") == "true"

# A shared machine makes single examples slow, which says nothing about the code.
settings.register_profile(
    "here", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "ci", settings.get_profile("here"), derandomize=True, max_examples=100, print_blob=True
)
settings.register_profile("long", settings.get_profile("here"), max_examples=5_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if IN_CI else "here"))


@pytest.fixture(scope="session")
def kafka_bootstrap() -> Iterator[str]:
    """Address of a real Kafka that the whole session shares; skips aloud, and fails in CI."""
    broker = kafka_broker()
    try:
        bootstrap = broker.__enter__()
    except NoBrokerError as error:
        skip_or_fail(str(error))
        return
    try:
        yield bootstrap
    finally:
        broker.__exit__(None, None, None)


@pytest.fixture(autouse=True)
def logs_of_its_own() -> Iterator[None]:
    """What a test set up for logs ends with it: the stream that they went to is closed."""
    yield
    structlog.reset_defaults()
    forget_libraries()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test is a failed run: a green one must mean that all of it ran."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if IN_CI and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say aloud what was not tested."""
    skipped = terminalreporter.stats.get("skipped", [])
    if any("no real Kafka" in str(report.longrepr) for report in skipped):
        terminalreporter.section("THE REAL-KAFKA SUITE DID NOT RUN", sep="!", red=True, bold=True)
        terminalreporter.line("Install Java and Maven, or set KAFKA_BOOTSTRAP, and run it again.")
    if IN_CI and skipped:
        terminalreporter.line(f"CI skips nothing, and {len(skipped)} were skipped.", red=True)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Names what failed once more, last of all: long comparisons bury the summary."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if IN_CI and reporter is not None:
        for outcome in ("failed", "error"):
            for report in reporter.stats.get(outcome, []):
                reporter.write_line(f"{outcome}: {report.nodeid}")
