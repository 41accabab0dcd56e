"""`propensity explain`, from snapshots and from a worker, on the log in memory.

Owns: what is printed, the exit codes, and that both ways tell the same.
Never: the numbers; tests/property/test_portraits.py has those.
Source: docs/contract.md, "Commands".
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from consumer.cli import run
from consumer.commands import explain
from consumer.memory_transport import MemoryTransport
from consumer.snapshots.store import open_store
from consumer.transport import Outgoing
from schemas.model_record import encode_model_record
from tests.asking import Desk, desk
from tests.random_models import random_model
from tests.world import BEGIN_MS, CAMPAIGNS, World, event, plan, shopping

COUNT = 3_000
STEP_MS = 60_000
ESCAPE = "\x1b[2J"


class Office(NamedTuple):
    """A command line beside a world whose worker was stopped, and a worker that goes on."""

    world: World
    capsys: pytest.CaptureFixture[str]

    def explain(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        """Run the command; give what it printed and what it said."""
        self.capsys.readouterr()
        assert run(["explain", *arguments]) == code
        said = self.capsys.readouterr()
        return said.out, said.err

    def explain_at(self, at: Desk, *arguments: str, code: int = 0) -> tuple[str, str]:
        """The same of a worker, which turns meanwhile."""
        address = "http://{}:{}".format(*at.server.address)
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(self.explain, "--worker", address, *arguments, code=code)
            while not asked.done():
                self.world.tick(at.worker)
            return asked.result()


@pytest.fixture
def office(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Office:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "campaigns.yaml").write_text(CAMPAIGNS, encoding="utf-8")
    world = World(store=open_store(str(tmp_path / "state")), publish_from="start")
    world.send(shopping(COUNT, step_ms=STEP_MS))
    world.send([event(f"odd{ESCAPE}", "page_view", BEGIN_MS + 2 * COUNT * STEP_MS, event_id="odd")])
    worker = world.start()
    world.settle(worker)
    worker.stop()
    monkeypatch.setattr(
        explain,
        "KafkaTransport",
        lambda *_, group, instance: MemoryTransport(world.log, group=group, instance=instance),
    )
    return Office(world, capsys)


def test_snapshots_and_a_worker_tell_the_same(office: Office) -> None:
    """What a stopped worker has kept is what the next one answers."""
    kept = json.loads(office.explain("--customer", "c17", "--json")[0])
    worker = office.world.start()
    office.world.settle(worker)
    with desk(office.world, worker) as at:
        live = json.loads(office.explain_at(at, "--customer", "c17", "--json")[0])
    assert kept == live
    assert all(score["model"]["version"] > 0 for score in kept["scores"])


def test_it_is_told_in_plain_words(office: Office) -> None:
    """Counters, scores, contributions by feature, and open examples with their end."""
    model = replace(random_model(plan(), "buy-1d", 1), status="ready")
    topic = office.world.settings.topics.models
    office.world.log.append(Outgoing(topic, 0, [b"buy-1d"], [encode_model_record(model)]))
    out, err = office.explain("--customer", "c17")
    assert err == ""
    assert out.startswith("c17, known since 2025-11-")
    for said in (
        "page views, the last",
        "for purchase within 1d",
        "contribution",
        "Open examples",
        "waits for purchase within 1d, and closes in",
        "an association, not a cause",
    ):
        assert said in out, out


def test_nobody_is_found(office: Office) -> None:
    """A stranger is exit 1, and nothing on stdout."""
    out, err = office.explain("--customer", "stranger", code=1)
    assert (out, "Nobody of this id" in err) == ("", True)


def test_a_terminal_is_not_written_to_by_senders(office: Office) -> None:
    """What an id holds for a terminal is escaped."""
    out, _ = office.explain("--customer", f"odd{ESCAPE}")
    assert "\x1b" not in out
    assert r"odd\x1b[2J" in out


def test_without_snapshots_it_cannot_say(office: Office, tmp_path: Path) -> None:
    """An empty store is exit 2, with what to do."""
    (tmp_path / "propensity.yaml").write_text("snapshots: {url: ./empty}", encoding="utf-8")
    _, err = office.explain("--customer", "c17", code=2)
    assert "--worker" in err


def test_a_worker_may_want_its_token(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, exit 2 and how to bring it; the setting brings it."""
    worker = office.world.start()
    office.world.settle(worker)
    with desk(office.world, worker, token="badge") as at:  # noqa: S106 - of this test
        _, err = office.explain_at(at, "--customer", "c17", code=2)
        assert "PROPENSITY_HTTP__TOKEN" in err
        monkeypatch.setenv("PROPENSITY_HTTP__TOKEN", "badge")
        out, _ = office.explain_at(at, "--customer", "c17")
        assert out.startswith("c17")


@pytest.mark.parametrize("worker", ["localhost:8080", "file:///etc/passwd", "http://127.0.0.1:9"])
def test_who_is_no_worker(office: Office, worker: str) -> None:
    """Only HTTP is spoken, and one who does not answer is the world's fault."""
    _, err = office.explain("--customer", "c17", "--worker", worker, code=2)
    assert worker in err


def test_another_worker_has_the_customer(office: Office) -> None:
    """It says which one to ask, and does not name the customer."""
    workers = [office.world.start("one"), office.world.start("two")]
    office.world.settle(*workers)
    said = []
    for worker in workers:
        with desk(office.world, worker, owner_of=lambda _: "the-other") as at:
            code = 0 if at.ask("/v1/customers/c17/scores").status == 200 else 2
            said.append(office.explain_at(at, "--customer", "c17", code=code))
    (refused,) = [err for out, err in said if not out]
    assert "the worker the-other has that partition. Ask that worker" in refused
    assert "c17" not in refused
