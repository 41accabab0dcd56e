"""Snapshots in S3: against a server that speaks it, on this machine.

Owns: the whole way of a snapshot through fsspec, and what its client's errors become.
Never: leaves this machine.
Source: https://docs.getmoto.org/en/latest/docs/server_mode.html
"""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPConnection

import pytest
from moto.server import ThreadedMotoServer

from consumer.clock import FixedClock
from consumer.snapshots.beside import SideThread
from consumer.snapshots.names import partition_prefix
from consumer.snapshots.snapshots import Sizes, Snapshots
from consumer.snapshots.store import SnapshotStore, open_store
from consumer.snapshots.writing import NotWritten, Written
from tests.lifted_states import GROUP, TOPIC, Kept, generation, moment, same, state

URL = "s3://kept/by/propensity"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server on a free port of the loopback."""
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


@pytest.fixture
def store(server: str, monkeypatch: pytest.MonkeyPatch) -> SnapshotStore:
    """An empty bucket; where it is, and who we are, is in the usual variables."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for method, path in [("POST", "/moto-api/reset"), ("PUT", "/kept")]:
        connection = HTTPConnection(server.removeprefix("http://"), timeout=30)
        connection.request(method, path)
        assert connection.getresponse().status == 200
        connection.close()
    return open_store(URL)


def test_snapshots_live_in_a_bucket(store: SnapshotStore) -> None:
    """Written beside the loop, found by another worker, loaded, pruned: as in a folder."""
    sizes = Sizes(chunk_bytes=1_024, part_bytes=4_096)
    snapshots = Snapshots(store, GROUP, SideThread(), FixedClock(), sizes=sizes)
    for offset in (1, 2, 3):
        snapshots.begin(moment(offset), state(offset, rows=300))
        assert isinstance(snapshots.finish(), Written)
    snapshots.close()
    other = Kept(open_store(URL))
    assert other.offsets() == [3, 2]
    assert same(other.load(3), state(3, rows=300))
    names = store.list(partition_prefix(GROUP, TOPIC, 0))
    assert names[0] == generation(2) + "manifest.json"
    assert not any(name.startswith(generation(1)) for name in names)


def test_the_promises_of_a_store(store: SnapshotStore) -> None:
    """List, read, write and delete do in a bucket what they do in a folder."""
    assert store.list("a/") == []
    store.write("a/b/c", [b"1", b"", b"2"])
    store.write("a/b/c", [b"34"])
    store.write("ab/c", [])
    assert store.list("a/") == ["a/b/c"]
    assert store.read("a/b/c") == b"34"
    assert store.read("ab/c") == b""
    with pytest.raises(FileNotFoundError):
        store.read("a/b")
    store.delete("a/b/c")
    store.delete("a/b/c")
    assert store.list("a/") == []


def test_a_bucket_that_is_not_there(store: SnapshotStore) -> None:
    """It is an outcome and a report, not an exception."""
    del store
    kept = Kept(open_store("s3://nobody/by/us"))
    outcome = kept.write(1)
    assert isinstance(outcome, NotWritten)
    assert outcome.problem
    assert kept.offsets() == []


@pytest.mark.slow
def test_a_server_that_is_not_there(store: SnapshotStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the client raises for a broken connection is the world's fault as well."""
    del store
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    kept = Kept(open_store(URL))
    outcome = kept.write(1)
    assert isinstance(outcome, NotWritten)
    assert "127.0.0.1:9" in outcome.problem
    assert kept.offsets() == []
    assert "cannot be listed" in str(kept.reported[0])


def test_nobody_without_credentials(store: SnapshotStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that has forgotten its keys is told so."""
    del store
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    outcome = Kept(open_store(URL)).write(1)
    assert isinstance(outcome, NotWritten)
    assert "credentials" in outcome.problem.lower()
