"""Which compiled functions Python may call.

Owns: that nothing outside of the kernels asks for a function that is but a part of others.
Never: what a function computes.
Source: models/compiled.py; a part has no way in from Python, and a call of one ends the process.
"""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

from models import kernel_fold

ROOT = Path(__file__).parents[2]
OUTSIDE = sorted(
    path
    for folder in ("models", "consumer", "tests", "bench", "schemas")
    for path in (ROOT / folder).rglob("*.py")
    if not path.name.startswith("kernel")
)


def is_part(function: object) -> bool:
    """Whether a function can be called by compiled functions only."""
    return bool(getattr(function, "targetoptions", {}).get("no_cpython_wrapper"))


def parts_asked_for(source: str) -> list[str]:
    """The parts of kernels that a module names."""
    tree, found, modules = ast.parse(source), list[str](), dict[str, str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                whole = f"{node.module}.{name.name}"
                if node.module == "models" and name.name.startswith("kernel"):
                    modules[name.asname or name.name] = whole
                elif node.module.startswith("models.kernel"):
                    function = getattr(importlib.import_module(node.module), name.name)
                    found += [whole] * is_part(function)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            whole = modules.get(node.value.id, "")
            if whole and is_part(getattr(importlib.import_module(whole), node.attr)):
                found.append(f"{whole}.{node.attr}")
    return found


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_part_is_asked_for_from_outside(path: Path) -> None:
    """Neither by its name nor through its module."""
    assert parts_asked_for(path.read_text(encoding="utf-8")) == []


def test_parts_are_known_as_such() -> None:
    """In both ways of writing; and what Python may call is none."""
    assert not is_part(kernel_fold.fold_events)
    assert parts_asked_for("from models.kernel_fold import score_event as s") == [
        "models.kernel_fold.score_event"
    ]
    assert parts_asked_for("from models import kernel_fold as k\nk.score_event(1)\n") == [
        "models.kernel_fold.score_event"
    ]
