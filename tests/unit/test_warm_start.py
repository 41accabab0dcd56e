"""A campaign that begins with the rows of a replay: what it knows, and how workers go on from it.

Owns: the state and the model that `propensity campaigns warm-start` publishes.
Never: needs a broker; the log is in memory.
Source: the contract, "Commands".
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consumer.cli import run
from consumer.commands import campaigns
from consumer.example_table import ExampleTable
from consumer.memory_transport import MemoryTransport
from consumer.warm_start import rows_of
from models.campaign_learner import CampaignLearner
from models.rows import customer_hash
from models.scorer import HASH_KEY
from tests.unit.test_worker_removal import learned
from tests.world import CAMPAIGNS, World, plan, shopping

LATER = shopping(7_000, seed=5)


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """What a replay would have written of a world that has learned."""
    path = tmp_path / "examples.parquet"
    table = ExampleTable(path)
    for row in learned().rows():
        table.add(row, row.customer)
    table.close()
    return path


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    """A world in which nobody has learned, with a command line beside it."""
    made = World(publish_from="start", times={"learner_interval": "1s"})
    monkeypatch.chdir(tmp_path)
    (tmp_path / "campaigns.yaml").write_text(CAMPAIGNS, encoding="utf-8")
    monkeypatch.setattr(
        campaigns,
        "KafkaTransport",
        lambda *_, group, instance: MemoryTransport(made.log, group=group, instance=instance),
    )
    return made


def warm_start(*arguments: object) -> int:
    """Run the command."""
    return run(["campaigns", "warm-start", *map(str, arguments)])


def test_workers_go_on_from_what_a_replay_has_learned(
    world: World, examples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first score is the model's, and further rows are learned on top."""
    rows = [row for row in learned().rows() if row.campaign == "buy-1d"]
    assert warm_start("buy-1d", "--examples", examples) == 0
    assert f"begins with {len(rows)} rows" in capsys.readouterr().out
    state, model = world.states()["buy-1d"], world.models()["buy-1d"]
    assert state.version == model.version == len(rows)
    index = plan().campaigns.index("buy-1d")
    learner = CampaignLearner(plan(), index)
    for row in rows:
        learner.learn(msgspec.structs.replace(row, status="catching_up", experts={}))
    expected = learner.record()
    assert model.status == expected.status
    weights, wanted = (
        dict(zip(each.columns, each.weights, strict=True)) for each in (model, expected)
    )
    assert weights == pytest.approx(wanted, abs=1e-4), "features are float32 there"

    world.send(LATER)
    worker = world.start(given=plan())
    world.settle(worker)
    entries = [entry for score in world.scores() for entry in score.scores]
    assert all(e.model.version >= len(rows) for e in entries if e.campaign == "buy-1d")
    assert {e.status for e in entries if e.campaign == "click-6h"} >= {"warming"}
    more = sum(row.campaign == "buy-1d" for row in world.rows())
    assert world.states()["buy-1d"].version == len(rows) + more > len(rows)


def test_rows_of_another_campaign_can_be_learned(world: World, examples: Path) -> None:
    """What was asked before is a beginning for a question like it."""
    assert warm_start("buy-1d", "--examples", examples, "--rows-of", "click-6h") == 0
    rows = sum(row.campaign == "click-6h" for row in learned().rows())
    assert world.states()["buy-1d"].version == rows
    assert world.states()["buy-1d"].lineage == plan().lineages[plan().campaigns.index("buy-1d")]


def test_what_was_learned_is_not_overwritten(
    world: World, examples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A campaign that has learned must be removed first."""
    assert warm_start("buy-1d", "--examples", examples) == 0
    before = world.states()["buy-1d"]
    assert warm_start("buy-1d", "--examples", examples) == 2
    assert "rows already" in capsys.readouterr().err
    assert world.states()["buy-1d"] == before


@pytest.mark.parametrize(
    ("name", "rows_of", "said", "code"),
    [
        ("bye-1d", "buy-1d", "is not in", 1),
        ("buy-1d", "click", "holds no row of click; it has buy-1d, click-6h", 2),
    ],
)
def test_a_wrong_name_is_said_with_those_that_there_are(
    world: World, examples: Path, capsys: pytest.CaptureFixture[str],
    name: str, rows_of: str, said: str, code: int,
) -> None:  # fmt: skip
    """Nothing is published then."""
    assert warm_start(name, "--examples", examples, "--rows-of", rows_of) == code
    assert said in capsys.readouterr().err
    assert not world.states()


@pytest.mark.parametrize("harm", ["text", "columns", "label"])
def test_a_file_that_is_none_of_ours_is_refused(
    world: World, examples: Path, capsys: pytest.CaptureFixture[str], harm: str
) -> None:
    """No half of it is learned."""
    table = pq.read_table(examples)
    if harm == "text":
        examples.write_text("no table", encoding="utf-8")
    elif harm == "columns":
        pq.write_table(table.drop_columns(["label"]), examples)
    else:
        wrong = pa.array([1e300] * table.num_rows)
        place = table.schema.get_field_index("label")
        pq.write_table(table.set_column(place, "label", wrong), examples)
    assert warm_start("buy-1d", "--examples", examples) == 2
    said = capsys.readouterr().err
    assert {"text": "cannot be read", "columns": "lacks label", "label": "label: expected"}[
        harm
    ] in said
    assert not world.states()


def test_a_customer_is_the_same_one_as_in_the_rows_of_workers(tmp_path: Path) -> None:
    """Who is in the replay and comes again is not counted twice."""
    row = next(row for row in learned().rows() if row.campaign == "buy-1d")
    table = ExampleTable(tmp_path / "examples.parquet")
    table.add(row, "c7")
    table.close()
    (again,) = rows_of(tmp_path / "examples.parquet", plan(), "buy-1d", "buy-1d")
    assert again.customer == customer_hash(HASH_KEY, "c7")
