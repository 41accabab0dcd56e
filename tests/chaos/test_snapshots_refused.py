"""The folder of snapshots refuses or vanishes under a running worker.

Owns: that scoring goes on, failures are counted, and snapshots come again afterwards.
Never: a snapshot that was harmed after it was written.
Source: ARCHITECTURE.md, "Snapshots", "Failing".
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.chaos.conftest import MakeScene
from tests.chaos.scene import Scene, seldom

FAILED = "propensity_snapshots_failed_total"
FILE_BYTES_MAX = 9_000  # Less than a part of a snapshot, more than the log of the worker.

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def manifests(folder: Path) -> set[Path]:
    """The generations that are complete."""
    return set(folder.rglob("manifest.json"))


def await_failures(scene: Scene) -> None:
    """Wait until snapshots fail, and scores still come."""
    (member,) = scene.crew
    before = member.metric(FAILED)
    scene.turn_until(seldom(lambda: member.metric(FAILED) > before))
    scene.turn_until(scene.more_scores(200))


def await_snapshots(scene: Scene, folder: Path) -> None:
    """Wait for a generation that is not there yet."""
    before = manifests(folder)
    scene.turn_until(seldom(lambda: bool(manifests(folder) - before)))


@pytest.mark.parametrize("harm", ["in the way", "vanished"])
def test_a_folder_that_refuses(
    kafka_bootstrap: str, make_scene: MakeScene, tmp_path: Path, harm: str
) -> None:
    """A file stands where the folder was, or the folder is gone; nothing is lost by it."""
    scene = make_scene(kafka_bootstrap, "one", PROPENSITY_SNAPSHOTS__INTERVAL="1s")
    folder = tmp_path / "snapshots"
    scene.begin()
    await_snapshots(scene, folder)
    folder.rename(tmp_path / "away")
    if harm == "in the way":
        folder.write_bytes(b"")
        await_failures(scene)
        folder.unlink()
    await_snapshots(scene, folder)
    shutil.rmtree(tmp_path / "away")
    scene.crew[0].kill()
    scene.crew[0].start()
    scene.crew[0].await_started()
    scene.turn_until(scene.more_scores(200))
    scene.end_traffic()
    assert scene.stop() == [0]
    assert scene.differences() == []


def test_a_full_disk(kafka_bootstrap: str, make_scene: MakeScene, tmp_path: Path) -> None:
    """No file may grow any more, as by a quota; a worker without that limit goes on."""
    scene = make_scene(kafka_bootstrap, "one", PROPENSITY_SNAPSHOTS__INTERVAL="1s")
    folder = tmp_path / "snapshots"
    scene.begin()
    await_snapshots(scene, folder)
    scene.crew[0].limit_files(FILE_BYTES_MAX)
    await_failures(scene)
    scene.crew[0].limit_files(None)
    await_snapshots(scene, folder)
    scene.end_traffic()
    assert scene.stop() == [0]
    assert scene.differences() == []
