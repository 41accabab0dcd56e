"""`propensity run` on a real Kafka: events in with kcat, scores out with kcat.

Owns: what an operator sees of starting, stopping, sharing, failing and starting again.
Never: how good a score is, or a promise of the transport.
Source: README.md, "With your Kafka".
"""

from __future__ import annotations

import json
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from bench.datasets.__main__ import write_dataset
from bench.datasets.package_files import DatasetMissingError
from consumer.partitioner import partition_of
from consumer.shoppers import DEMO_CAMPAIGNS, encoded_shopper_events
from tests.broker import skip_or_fail
from tests.integration.live import (
    STOP_MAX_S,
    LiveWorker,
    Record,
    Site,
    await_that,
    scored_positions,
)

HOUSEHOLDS = 30
PARTITIONS = 4
SCORED = {"basket", "mailing", "page_view", "cart_add", "email_click", "email_sent"}

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


class Input(NamedTuple):
    """A campaign file, and events in two halves as kcat reads them."""

    campaigns: Path
    first: Path
    second: Path

    def scored(self, *halves: Path) -> Counter[str]:
        """How often each event that asks for a score is there, by its id."""
        events = [
            json.loads(line.partition("\t")[2])
            for half in halves
            for line in half.read_text(encoding="utf-8").splitlines()
        ]
        return Counter(event["event_id"] for event in events if event["type"] in SCORED)


def shoppers(folder: Path) -> tuple[Path, Path]:
    """The demo's stream, where the public data is not installed."""
    keyed, campaigns = folder / "events.keyed", folder / "campaigns.yaml"
    with keyed.open("wb") as file:
        for _, key, value in islice(encoded_shopper_events(7, shoppers_count=200), 8_000):
            file.write(b"%s\t%s\n" % (key, value))
    campaigns.write_text(DEMO_CAMPAIGNS, encoding="utf-8")
    return keyed, campaigns


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Input:
    if shutil.which("kcat") is None:
        skip_or_fail("kcat is not installed")
    folder = tmp_path_factory.mktemp("input")
    try:
        _, campaigns = write_dataset("completejourney", folder, households=HOUSEHOLDS, keyed=True)
        keyed = folder / "events.keyed"
    except DatasetMissingError:
        keyed, campaigns = shoppers(folder)
    lines = keyed.read_bytes().splitlines(keepends=True)
    first, second = folder / "first.keyed", folder / "second.keyed"
    first.write_bytes(b"".join(lines[: len(lines) // 2]))
    second.write_bytes(b"".join(lines[len(lines) // 2 :]))
    return Input(campaigns, first, second)


@pytest.fixture
def site(
    request: pytest.FixtureRequest, kafka_bootstrap: str, tmp_path: Path, given: Input
) -> Iterator[Site]:
    made = Site(kafka_bootstrap, tmp_path, given.campaigns, request.node.name)
    created = made.propensity("topics", "create", "--partitions", str(PARTITIONS))
    assert created.returncode == 0, created.stderr
    yield made
    made.close()


def each_once(scores: list[Record], expected: Counter[str]) -> None:
    """Every event that asks for a score has exactly one, where and when it should be."""
    assert Counter(json.loads(record.value)["event_id"] for record in scores) == expected
    positions = scored_positions(scores)
    assert len(set(positions)) == len(positions)
    for index in range(PARTITIONS):
        mine = [record for record in scores if record.partition == index]
        sources = scored_positions(mine)
        assert {partition for partition, _ in sources} <= {index}
        assert [offset for _, offset in sources] == sorted(offset for _, offset in sources)
        for record in mine:
            assert json.loads(record.value)["customer_id"] == record.key


def await_shared(workers: list[LiveWorker]) -> None:
    """Wait until each of the workers holds as many partitions of the events."""
    share = PARTITIONS / len(workers)
    for worker in workers:
        held = await_that(
            lambda worker=worker: worker.metrics("propensity_partitions"),  # type: ignore[misc]
            lambda found: any("events" in k and v == share for k, v in found.items()),
        )
        assert any("events" in labels and v == share for labels, v in held.items()), held


def test_events_in_scores_out_and_in_again(site: Site, given: Input) -> None:
    """Each event is answered once; a restart says what it does, and repeats nothing.

    run ── first half ── SIGINT ─ second half comes ─ run ── rebuild ── SIGTERM

    What was learned is no beginning for another group on a topic that was made anew.
    """
    worker = site.worker()
    worker.await_ready()
    assert worker.get("/healthz") == (200, "ok\n")
    site.produce(given.first)
    expected = given.scored(given.first)
    each_once(site.await_records("SCORES", expected.total()), expected)
    scored = worker.metrics("propensity_scored_events_total")
    assert sum(scored.values()) == expected.total()
    assert worker.get("/nothing")[0] == 404
    assert worker.stop(signal.SIGINT)[0] == 0
    assert worker.said()[-1] == "stopped"

    site.produce(given.second)
    again = site.worker()
    again.await_ready()
    expected = given.scored(given.first, given.second)
    each_once(site.await_records("SCORES", expected.total()), expected)
    assert "partition_restored" in again.said()
    code, duration_s = again.stop()
    assert code == 0
    assert duration_s < STOP_MAX_S
    each_once(site.consume("SCORES"), expected)
    assert site.consume("DEAD_LETTERS") == []
    rows = [json.loads(record.value) for record in site.consume("EXAMPLES")]
    identities = [
        (row["campaign"], row["source"]["partition"], row["source"]["offset"]) for row in rows
    ]
    assert len(identities) == len(set(identities)) > 100
    models = {json.loads(record.value)["campaign"] for record in site.consume("MODELS")}
    assert models == {row["campaign"] for row in rows}

    site.make_anew("EVENTS", PARTITIONS)
    refused = site.propensity("run", PROPENSITY_GROUP=f"{site.topic('EVENTS')}-others")
    assert refused.returncode == 2
    assert (
        f"The topic {site.topic('EVENTS')} was made anew since the learner state" in refused.stderr
    )
    assert "Start a new `group` with `topics` of its own" in refused.stderr


def ask_both(workers: list[LiveWorker], scores: list[dict[str, Any]]) -> None:
    """The worker that scored a customer answers for it; the other one says who that is.

    It knows by Java's default partitioner, which is not kcat's: they agree on some customers.
    """
    score = next(
        each for each in scores
        if partition_of(each["customer_id"].encode(), PARTITIONS) == each["source"]["partition"]
    )  # fmt: skip
    path = f"/v1/customers/{quote(score['customer_id'], safe='')}/scores"
    statuses = [worker.get(path)[0] for worker in workers]
    assert sorted(statuses) == [200, 421]
    owner, other = workers[statuses.index(200)], workers[statuses.index(421)]
    assert json.loads(owner.get(path)[1])["customer_id"] == score["customer_id"]
    # The other one learns from the broker who it is, and says nobody until then.
    said = await_that(lambda: json.loads(other.get(path)[1]), lambda found: found["owner"])
    assert (said["owner"], said["partition"]) == (owner.instance, score["source"]["partition"])


def test_two_workers_and_one_leaves(site: Site, given: Input) -> None:
    """Each event is scored by exactly one; when one has gone, the other does it all."""
    workers = [site.worker("one"), site.worker("two")]
    await_shared(workers)
    site.produce(given.first)
    expected = given.scored(given.first)
    each_once(site.await_records("SCORES", expected.total()), expected)
    done = [sum(each.metrics("propensity_scored_events_total").values()) for each in workers]
    assert sum(done) == expected.total()
    assert min(done) > 0
    ask_both(workers, [json.loads(record.value) for record in site.consume("SCORES")])
    code, duration_s = workers[0].stop()
    assert code == 0
    assert duration_s < STOP_MAX_S
    site.produce(given.second)
    expected = given.scored(given.first, given.second)
    each_once(site.await_records("SCORES", expected.total()), expected)
    await_shared(workers[1:])
    assert workers[1].stop()[0] == 0
    each_once(site.consume("SCORES"), expected)


def test_killed_in_the_middle(site: Site, given: Input) -> None:
    """After SIGKILL nothing is missing, and what is there twice carries the same id."""
    worker = site.worker()
    worker.await_ready()
    site.produce(given.first)
    site.await_records("SCORES", 1)
    worker.kill()
    site.produce(given.second)
    again = site.worker()
    expected = given.scored(given.first, given.second)

    def answered() -> dict[str, str]:
        scores = [json.loads(record.value) for record in site.consume("SCORES")]
        return {score["event_id"]: score["score_id"] for score in scores}

    found = await_that(answered, lambda found: len(found) >= expected.total())
    assert found.keys() == expected.keys()
    scores = site.consume("SCORES")
    assert len({json.loads(record.value)["score_id"] for record in scores}) == len(found)
    assert again.stop()[0] == 0


def test_nonsense_is_answered_with_dead_letters(site: Site, tmp_path: Path) -> None:
    """What cannot be read comes back whole, with the reason; what follows is scored."""
    worker = site.worker()
    worker.await_ready()
    lines = tmp_path / "nonsense.keyed"
    good = '{"customer_id":"a","type":"%s","occurred_at":"2017-05-05T10:00:00Z","event_id":"%s"}'
    lines.write_text(
        "a\tnonsense\na\t{}\n"
        + "".join(f"a\t{good % (kind, f'e-{kind}')}\n" for kind in sorted(SCORED)),
        encoding="utf-8",
    )
    site.produce(lines)
    letters = site.await_records("DEAD_LETTERS", 2)
    assert [(letter.key, letter.value) for letter in letters] == [("a", "nonsense"), ("a", "{}")]
    assert len(site.await_records("SCORES", 1)) >= 1
    assert worker.stop()[0] == 0


def test_topics_that_are_not_there(kafka_bootstrap: str, tmp_path: Path, given: Input) -> None:
    """One sentence names the topic and the command, and the exit code is 2."""
    bare = Site(kafka_bootstrap, tmp_path, given.campaigns, "bare")
    ended = bare.propensity("run")
    assert ended.returncode == 2
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert bare.topic("EVENTS") in line
    assert "`propensity topics create`" in line
