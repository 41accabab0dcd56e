"""What the chaos tests share: a group of workers of each test's own.

Owns: ending those workers.
Never: a broker that others use is harmed.
Source: tests/chaos/scene.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Protocol

import pytest

from tests.broker import Broker, NoBrokerError, own_broker, skip_or_fail
from tests.chaos.scene import Scene


class MakeScene(Protocol):
    """Makes a group of workers by these names."""

    def __call__(self, bootstrap: str, *names: str, **told: str) -> Scene:
        """Make it; nothing is started yet."""
        ...


@pytest.fixture
def make_scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeScene]:
    with ExitStack() as stack:

        def make(bootstrap: str, *names: str, **told: str) -> Scene:
            group = re.sub("[^A-Za-z0-9_]+", "-", request.node.name).strip("-")
            scene = Scene(bootstrap, tmp_path, group, names, told=told)
            return stack.enter_context(closing(scene))

        yield make


@pytest.fixture
def broker() -> Iterator[Broker]:
    """A broker that may be harmed."""
    with ExitStack() as stack:
        try:
            made = stack.enter_context(own_broker())
        except NoBrokerError as error:
            skip_or_fail(str(error))
            return
        yield made
