"""Scores as a service: who is answered, by whom, and with what.

Owns: statuses and bodies of `/v1/customers`.
Never: the numbers of a score; tests/property/test_portraits.py has those.
Source: docs/contract.md, "HTTP".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest

from consumer.partitioner import partition_of
from consumer.questions import WAITING_MAX
from consumer.web.openapi import document
from tests.asking import Desk, desk, get
from tests.world import BEGIN_MS, PARTITIONS, World, event, shopping

COUNT = 3_000
STEP_MS = 60_000
LAST = BEGIN_MS + 2 * COUNT * STEP_MS


def shop() -> World:
    """A world whose shoppers were scored and learned from."""
    world = World(publish_from="start")
    world.send(shopping(COUNT, step_ms=STEP_MS))
    return world


@pytest.fixture
def asked() -> Iterator[Desk]:
    world = shop()
    worker = world.start()
    world.settle(worker)
    with desk(world, worker) as at:
        yield at


def as_documented(name: str, answer: Any) -> None:
    """The answer is what the OpenAPI document says."""
    whole = document()
    schema = {"$ref": f"#/components/schemas/{name}", "components": whole["components"]}
    jsonschema.validate(answer, schema)


def test_scores_of_a_customer(asked: Desk) -> None:
    """All campaigns answer, at the partition's clock, in the form that the topic has."""
    answer = asked.ask("/v1/customers/c17/scores")
    assert answer.status == 200
    as_documented("CustomerScores", answer.json)
    told = answer.json
    assert told["customer_id"] == "c17"
    index = partition_of(b"c17", PARTITIONS)
    assert told["source"]["partition"] == index
    assert told["source"]["next_offset"] == asked.world.committed("customer-events")[index]
    assert [score["campaign"] for score in told["scores"]] == ["buy-1d", "click-6h"]
    assert all(score["model"]["version"] > 0 for score in told["scores"])


def test_an_explanation_of_a_customer(asked: Desk) -> None:
    """Counters in words, scores with their features, and what is open."""
    answer = asked.ask("/v1/customers/c17/explain")
    assert answer.status == 200
    as_documented("CustomerExplained", answer.json)
    told = answer.json
    assert any("page views, the last" in words for words in told["seen"])
    assert told["caveat"] == "A reason is an association, not a cause."
    (buy,) = [score for score in told["scores"] if score["campaign"] == "buy-1d"]
    assert buy["words"].endswith("for purchase within 1d") or "of recent ones" in buy["words"]
    assert told["open_examples_count"] == len(told["open_examples"]) > 0
    assert all("closes in" in example["words"] for example in told["open_examples"])


def test_asking_leaves_no_trace(asked: Desk) -> None:
    """Nothing is produced, opened or committed for a question."""
    world = asked.world
    before = {name: world.high(name) for name in world.log.topics}
    counts = [scoring.counts for scoring in asked.worker.scoring]
    for customer in range(20):
        assert asked.ask(f"/v1/customers/c{customer}/explain").status == 200
    assert {name: world.high(name) for name in world.log.topics} == before
    assert [scoring.counts for scoring in asked.worker.scoring] == counts


def test_nobody_knows_a_stranger(asked: Desk) -> None:
    """Somebody of whom nothing was read is 404, with the partition that would have them."""
    answer = asked.ask("/v1/customers/stranger/scores")
    assert (answer.status, answer.json["error"]) == (404, "not_found")
    assert answer.json["partition"] == partition_of(b"stranger", PARTITIONS)
    assert "stranger" not in answer.json["message"]


@pytest.mark.parametrize("customer", ["", "x" * 129, "%20" * 129])
def test_no_customer_has_such_an_id(asked: Desk, customer: str) -> None:
    """Nobody looks for an id that no event can have."""
    assert asked.ask(f"/v1/customers/{customer}/scores").status == 404


@pytest.mark.parametrize("customer", ["a/b", "<b>x</b>", "a b", "ü?&=", "c/scores"])
def test_any_id_can_be_asked_for(asked: Desk, customer: str) -> None:
    """An id is taken as it is, whatever signs it has."""
    asked.world.send([event(customer, "page_view", LAST, event_id="odd")])
    asked.world.drain(asked.worker)
    answer = asked.ask(f"/v1/customers/{quote(customer, safe='')}/scores")
    assert (answer.status, answer.json["customer_id"]) == (200, customer)


def test_another_worker_has_the_customer() -> None:
    """Of two workers one answers, and the other one says who does."""
    world = shop()
    workers = [world.start("one"), world.start("two")]
    world.settle(*workers)
    index = partition_of(b"c17", PARTITIONS)
    (mine,) = [w for w in workers if [s.partition.index for s in w.scoring] == [index]]
    (other,) = [w for w in workers if w is not mine]
    with desk(world, mine) as here, desk(world, other, owner_of=lambda _: "one") as there:
        assert here.ask("/v1/customers/c17/scores").status == 200
        answer = there.ask("/v1/customers/c17/scores")
        assert answer.status == 421
        as_documented("Misdirected", answer.json)
        assert (answer.json["partition"], answer.json["owner"]) == (index, "one")
        assert "c17" not in answer.body.decode()


def test_before_there_are_partitions() -> None:
    """A worker that has nothing yet says that it will."""
    world = shop()
    worker = world.worker()
    with desk(world, worker) as at:
        answer = get(at.server.address, "/v1/customers/c17/scores")
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")


def test_a_worker_that_reads_its_history_again_does_not_answer_from_it() -> None:
    """What a fold was in the past is nobody's score."""
    world = World(publish_from="start", limits={"batch_max": 50})
    world.send(shopping(COUNT, step_ms=STEP_MS))
    worker = world.start()
    world.settle(worker)
    world.crash(worker)
    again = world.start()
    index = partition_of(b"c17", PARTITIONS)

    def half_way() -> bool:
        mine = [each for each in again.scoring if each.partition.index == index]
        return any(each.rebuilds and each.counts.profiles > 50 for each in mine)

    while not half_way():
        world.tick(again)
    with desk(world, again) as at, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(get, at.server.address, "/v1/customers/c17/scores")
        while not asked.done():
            again._questions.answer()
        assert asked.result().status == 503
        world.settle(again)
        assert at.ask("/v1/customers/c17/scores").status == 200


def test_a_loop_that_has_no_moment(asked: Desk) -> None:
    """A question waits for a bounded time, and so many questions wait, in a bounded queue."""
    with ThreadPoolExecutor(WAITING_MAX + 8) as pool:
        paths = ["/v1/customers/c17/scores"] * (WAITING_MAX + 8)
        answers = list(pool.map(lambda path: get(asked.server.address, path), paths))
    assert {answer.status for answer in answers} == {503}
    messages = {json.loads(answer.body)["message"] for answer in answers}
    assert messages == {
        "Too many questions wait already",
        "The worker had no moment for an answer",
    }
    asked.world.tick(asked.worker)  # It has one again, and lets go of those whom nobody waits for.
    assert asked.ask("/v1/customers/c17/scores").status == 200
