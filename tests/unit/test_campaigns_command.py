"""`propensity campaigns` over the log in memory, between workers that learn.

Owns: what is listed, what is removed and refused, and that a removed campaign begins anew.
Never: needs a broker; tests/integration has one.
Source: the contract, "Commands".
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from consumer.cli import run
from consumer.commands import campaigns
from consumer.memory_transport import MemoryTransport
from consumer.transport import Outgoing
from schemas.times import DAY_MS
from tests.unit.test_worker_removal import LATER_MS, learned
from tests.world import CAMPAIGNS, World, event


class Shop:
    """A world that has learned, and the command line beside it."""

    def __init__(self, world: World, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self.world = world
        self._capsys = capsys
        self.file = folder / "campaigns.yaml"
        self.write(CAMPAIGNS)

    def write(self, text: str) -> None:
        """Write the campaign file."""
        self.file.write_text(text, encoding="utf-8")

    def run(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        """Run a command; give what it printed and what it said."""
        self._capsys.readouterr()
        assert run(["campaigns", *arguments]) == code
        said = self._capsys.readouterr()
        return said.out, said.err

    def known(self) -> dict[str, dict[str, Any]]:
        """What `list --json` says, by campaign."""
        lines = self.run("list", "--json")[0].splitlines()
        return {each["campaign"]: each for each in map(json.loads, lines)}


@pytest.fixture
def shop(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Shop:
    world = learned()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        campaigns,
        "KafkaTransport",
        lambda *_, group, instance: MemoryTransport(world.log, group=group, instance=instance),
    )
    return Shop(world, capsys, tmp_path)


def test_each_learner_is_listed_with_what_is_known(shop: Shop) -> None:
    """Lineage, version, status and quality of the model, and where its state lies."""
    known = shop.known()
    assert known.keys() == {"buy-1d", "click-6h"}
    for name, model in shop.world.models().items():
        each = known[name]
        assert (each["learner"], each["lineage"]) == (model.learner, model.lineage)
        assert (each["version"], each["status"]) == (model.version, model.status)
        assert each["model"]["quality"] == model.quality
        assert each["state"]["version"] == shop.world.states()[name].version
        assert each["file"] == "same lineage"
    header, *rows = shop.run("list")[0].splitlines()
    assert header.split()[:3] == ["CAMPAIGN", "LEARNER", "LINEAGE"]
    assert [row.split()[0] for row in rows] == ["buy-1d", "click-6h"]


def test_the_list_compares_with_the_file(shop: Shop) -> None:
    """Another goal is another lineage, absence is named, and no file is no error."""
    shop.write(CAMPAIGNS.replace("horizon: 1d", "horizon: 2d").partition("  click-6h:")[0])
    known = shop.known()
    assert known["buy-1d"]["file"] == "another lineage"
    assert known["click-6h"]["file"] == "not in the file"
    shop.file.unlink()
    assert {each["file"] for each in shop.known().values()} == {"no file"}


def test_what_cannot_be_read_is_listed(shop: Shop) -> None:
    """Records of another version or of somebody else stop nobody, and can be removed."""
    shop.world.log.append(Outgoing("campaign-models", 0, [b"odd", None], [b"\xff", b"{}"]))
    shop.world.log.append(Outgoing("learner-states", 3, [b"new/x\x1b"], [b'{"format":9}']))
    known = shop.known()
    assert (known["odd"]["readable"], known["odd"]["learner"]) == (False, "?")
    assert (known["new"]["readable"], known["new"]["version"]) == (True, None)
    out, _ = shop.run("list")
    assert "unreadable" in out
    assert "\x1b" not in out
    shop.run("remove", "odd", "--yes")
    assert "odd" not in shop.known()


def test_a_campaign_in_the_file_is_not_removed(shop: Shop) -> None:
    """A worker that has it would publish it again; `--force` says that none does."""
    _, said = shop.run("remove", "buy-1d", "--yes", code=1)
    assert said.startswith("buy-1d is in campaigns.yaml: a worker that has it would publish")
    assert "buy-1d" in shop.known()
    shop.run("remove", "buy-1d", "--yes", "--force")
    assert shop.known().keys() == {"click-6h"}
    shop.file.unlink()
    _, said = shop.run("remove", "click-6h", "--yes", code=2)
    assert "There is no campaign file campaigns.yaml" in said


def test_nothing_to_remove_is_said(shop: Shop) -> None:
    """A name that no topic knows, and a learner that the campaign does not have."""
    _, said = shop.run("remove", "by-1d", "--yes", code=1)
    assert said == (
        "campaign-models and learner-states hold nothing of campaign 'by-1d'; they know buy-1d, "
        "click-6h.\n"
    )
    _, said = shop.run("remove", "buy-1d", "--learner", "other", "--yes", "--force", code=1)
    assert "hold nothing of learner 'other' of campaign 'buy-1d'" in said


def test_without_a_terminal_a_yes_is_needed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was learned for weeks does not go by accident."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    _, said = shop.run("remove", "buy-1d", "--force", code=2)
    assert "What was learned for buy-1d would be lost" in said
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.confirm", lambda *_, **__: False)
    _, said = shop.run("remove", "buy-1d", "--force")
    assert said.endswith("Nothing was removed.\n")
    assert "buy-1d" in shop.known()
    monkeypatch.setattr("click.confirm", lambda *_, **__: True)
    shop.run("remove", "buy-1d", "--force")
    assert "buy-1d" not in shop.known()


def test_one_learner_can_be_removed(shop: Shop) -> None:
    """The state of another learner of the campaign stays where it is."""
    shop.world.log.append(Outgoing("learner-states", 5, [b"buy-1d/other"], [b'{"version":3}']))
    out, _ = shop.run("remove", "buy-1d", "--learner", "other", "--force", "--yes")
    assert out == "removed buy-1d/other from learner-states[5]\n"
    assert shop.known()["buy-1d"]["learner"] == "champion"


def test_a_removed_campaign_begins_from_nothing(shop: Shop) -> None:
    """Taken out, removed and put back, it learns only what comes from then on."""
    world, before = shop.world, shop.world.states()["buy-1d"].version
    shop.write(CAMPAIGNS.replace("  buy-1d:", "  others:"))
    out, _ = shop.run("remove", "buy-1d", "--yes")
    assert [line.split()[1] for line in out.splitlines()] == ["buy-1d", "buy-1d/champion"]
    rows = sum(row.campaign == "buy-1d" for row in world.rows())
    assert rows == before

    worker = world.start()
    assert "buy-1d" not in worker.models
    world.send([event("c1", "page_view", LATER_MS + DAY_MS, event_id="again")])
    world.send([event(f"c{n}", "x", LATER_MS + 9 * DAY_MS, event_id=f"e-{n}") for n in range(20)])
    world.settle(worker)
    worker.stop()
    later = sum(row.campaign == "buy-1d" for row in world.rows()) - rows
    assert shop.known()["buy-1d"]["version"] == world.states()["buy-1d"].version == later > 0
