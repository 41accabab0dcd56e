"""No log names a customer, whatever goes wrong, unless somebody asked for it.

Owns: a worker's life with all that can lead an id into a log, and the search for it.
Never: the form of a line; tests/unit/test_logs.py has that.
Source: docs/security.md, "Secrets and customers".
"""

from __future__ import annotations

import io
import json
import socket
from base64 import b64encode
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest

from consumer.logs import configure_logs
from consumer.partitioner import partition_of
from consumer.snapshots.memory_store import MemoryStore
from consumer.transport import Outgoing
from models.rows import customer_hash
from models.scorer import HASH_KEY
from tests.asking import Desk, desk
from tests.world import BEGIN_MS, PARTITIONS, Offered, World, event, shopping

WHO = "Kunigunde+4711@example.org"
OFTEN: dict[str, Any] = {
    "publish_from": "start",
    "snapshots": {"interval": "1s"},
    "limits": {"dead_letters_consecutive_max": 12},
}
HOURS_MS = 3_600_000


def lived(count: int, begin_ms: int) -> list[Offered]:
    """Events of the customer that are read, scored and learned, between those of others."""
    own = [
        event(WHO, kind, begin_ms + n * HOURS_MS, event_id=f"{WHO}-{begin_ms}-{n}", channel=WHO)
        for n, kind in enumerate(["page_view", "cart_add", "purchase"] * (count // 3))
    ]
    return [*shopping(200), *own]


def unreadable() -> list[Offered]:
    """Records of the customer with all kinds of faults, each of which holds the id."""
    key, good = event(WHO, "page_view", BEGIN_MS, event_id="e")
    assert good is not None
    said = json.loads(good)
    wrong = [
        {**said, "occurred_at": WHO}, {**said, "occurred_at": None}, {**said, "type": [WHO]},
        {**said, "customer_id": [WHO]}, {**said, "customer_id": WHO * 20}, {WHO: WHO},
        {**said, "customer_id": f"{WHO}'s sister"}, {**said, "event_id": {WHO: WHO}},
        {**said, "occurred_at": "2999-01-01T00:00:00Z"},
    ]  # fmt: skip
    values = [json.dumps(each).encode() for each in wrong]
    return [(key, value) for value in [*values, good[:-5], WHO.encode(), good + b"\xff", b""]]


def ask_all(at: Desk) -> None:
    """Ask for the customer in ways that are answered, refused and not understood."""
    for customer in (quote(WHO), WHO, quote(f"{WHO}/{WHO}"), quote(WHO * 30)):
        for path in ("scores", "explain", WHO):
            at.ask(f"/v1/customers/{customer}/{path}")
    at.ask(f"/v1/customers/{quote(WHO)}/scores", method="POST")
    at.ask(f"/{WHO}", headers={"X-Customer": WHO, "Authorization": WHO})
    for request in (f"GET /v1/customers/{WHO} HTTP/9\r\n\r\n", f"{WHO}\r\n\r\n"):
        with socket.create_connection(at.server.address, 10) as sent:
            sent.sendall(request.encode())
            sent.recv(4_096)


def live() -> None:
    """One worker and its successor: refused records, requests, harmed snapshots, a restart."""
    world = World(store=(store := MemoryStore()), **OFTEN)
    world.send(lived(30, BEGIN_MS))
    first = world.start("one")
    world.settle(first)
    for key, value in unreadable()[:6]:
        index = partition_of(WHO.encode(), PARTITIONS)
        world.log.append(Outgoing("customer-events", index, [key], [value]))
        world.tick(first)
    world.settle(first)
    with desk(world, first) as at:
        ask_all(at)
    world.crash(first)
    for name in [name for name in store.files if name.endswith("manifest.json")]:
        store.files[name] = store.files[name][:-9]
    second = world.start("two")
    world.send(lived(30, BEGIN_MS + 1_000 * HOURS_MS))
    world.settle(second)
    world.send(unreadable())
    world.settle(second)
    with desk(world, second) as at:
        ask_all(at)
    second.stop()


@pytest.mark.parametrize("asked", [False, True])
def test_a_customer_is_in_no_line_unless_asked_for(
    asked: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither as such nor quoted or encoded, in no line and in nothing that others print."""
    stream = io.StringIO()
    shown = str if asked else partial(customer_hash, HASH_KEY)
    configure_logs("debug", stream, customer=shown)
    live()
    names = {json.loads(line)["event"] for line in stream.getvalue().splitlines()}
    assert names >= {
        *("partitions_assigned", "partition_first_read", "partition_goes_on", "model_served"),
        *("snapshot_written", "snapshot_unusable", "partition_without_snapshot"),
        *("records_refused", "too_many_dead_letters", "partition_paused", "learners_restored"),
    }
    printed = capfd.readouterr()
    said = stream.getvalue() + printed.out + printed.err
    forms = [WHO, quote(WHO), WHO.encode().hex(), b64encode(WHO.encode()).decode(), "Kunigunde"]
    assert any(form in said for form in forms) == asked
    assert (customer_hash(HASH_KEY, WHO) in said) != asked
