"""`propensity run` where it cannot run: one sentence, a remedy, exit 2.

Owns: what an operator reads when the world or the configuration is wrong.
Never: needs a broker.
Source: README.md, "Commands".
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from time import monotonic, sleep

import pytest

from tests.broker import free_ports
from tests.integration.live import PROPENSITY

NOBODY = "127.0.0.1:1"
PATIENCE_MAX_S = 15.0
CAMPAIGNS = (
    "version: 1\ncampaigns:\n  a:\n    goal: {event: x}\n    horizon: 7d\n    score_on: [y]\n"
)


def environment(**more: str) -> Mapping[str, str]:
    return {
        **os.environ,
        "PROPENSITY_KAFKA__BOOTSTRAP_SERVERS": NOBODY,
        "PROPENSITY_HTTP__LISTEN": "127.0.0.1:0",
        **more,
    }


def run(folder: Path, **more: str) -> list[str]:
    """Run until it gives up; give its lines on stderr."""
    ended = subprocess.run(
        [PROPENSITY, "run"],
        cwd=folder,
        env=environment(**more),
        check=False,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    return ended.stderr.splitlines()


def await_port(port: int) -> None:
    """Wait until somebody listens."""
    give_up_s = monotonic() + 60
    while monotonic() < give_up_s:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        sleep(0.1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "campaigns.yaml").write_text(CAMPAIGNS, encoding="utf-8")
    return tmp_path


@pytest.mark.slow
def test_a_broker_that_does_not_answer(folder: Path) -> None:
    """It is named, and what to check."""
    begun_s = monotonic()
    lines = run(folder)
    if any("compiling" in line for line in lines):  # Nobody compiles twice.
        begun_s = monotonic()
        lines = run(folder)
    (line,) = lines
    assert line.startswith(f"propensity: No Kafka broker answers at {NOBODY}. Check ")
    assert monotonic() - begun_s < 2 * PATIENCE_MAX_S  # On a machine that does much else.


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_nobody_answers(folder: Path, number: signal.Signals) -> None:
    """A worker that has nothing to finish ends at once."""
    (port,) = free_ports(1)
    told = environment(PROPENSITY_HTTP__LISTEN=f"127.0.0.1:{port}")
    process = subprocess.Popen([PROPENSITY, "run"], cwd=folder, env=told, stderr=subprocess.DEVNULL)
    try:
        await_port(port)
        sleep(2)  # By now it asks for the broker, where nothing is to be compiled.
        begun_s = monotonic()
        process.send_signal(number)
        assert process.wait(30) == 0
        assert monotonic() - begun_s < 5
    finally:
        process.kill()
        process.wait()


def test_a_campaign_file_that_is_not_there(tmp_path: Path) -> None:
    """Its path is named."""
    (line,) = run(tmp_path)
    assert "campaigns.yaml" in line
    assert "No such file" in line


def test_a_broken_campaign_file(folder: Path) -> None:
    """Each mistake has a line: file, line, key, what was found, what is allowed."""
    text = CAMPAIGNS.replace("goal", "gaol").replace("7d", "7 days")
    (folder / "campaigns.yaml").write_text(text, encoding="utf-8")
    goal, horizon = run(folder)
    assert "campaigns.yaml:4: campaigns.a.gaol" in goal
    assert "did you mean `goal`?" in goal
    assert "campaigns.yaml:5: campaigns.a.horizon: found `7 days`" in horizon


def test_a_port_that_is_taken(folder: Path) -> None:
    """The address is named before anything else is begun."""
    (line,) = run(folder, PROPENSITY_HTTP__LISTEN="192.0.2.1:80")
    assert line.startswith("propensity: Cannot listen at 192.0.2.1:80: ")
