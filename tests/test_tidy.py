"""The house rules that no linter knows.

Owns: limits of size, module headers, forbidden words, locks, and where packages come from.
Never: a matter of taste that nobody wrote down.
Source: ARCHITECTURE.md, "House rules".
"""

import ast
import importlib
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("schemas", "models", "consumer", "bench", "tests", "ops")
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
FORBIDDEN_MODULES = {
    *("util", "utils", "helper", "helpers", "manager", "managers", "common", "misc"),
    *("data", "process", "processor", "base", "stuff"),
}
HEADER = ("Owns: ", "Never: ", "Source: ")
# In pieces, so that this file does not hold what it looks for.
UNFINISHED = re.compile("|".join(rf"\b{a}{b}\b" for a, b in [("TO", "DO"), ("FIX", "ME")]))
REGISTRIES = [
    first + second
    for first, second in [
        *[("pypi", ".org"), ("pythonhosted", ".org"), ("repo1.", "maven.org")],
        *[("repo.", "maven.apache.org"), ("registry.", "npmjs.org"), ("crates", ".io")],
        *[("proxy.", "golang.org"), ("deb.", "debian.org"), ("archive.", "ubuntu.com")],
        *[("--index", "-url"), ("--extra-index", "-url"), ("--find", "-links")],
    ]
]


@cache
def project_files() -> tuple[Path, ...]:
    """Every file that is, or is about to be, under version control."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    paths = (ROOT / line for line in listed.stdout.splitlines())
    return tuple(sorted(path for path in paths if path.is_file()))


@cache
def modules() -> dict[Path, ast.Module]:
    """Every Python module, parsed."""
    paths = [path for path in project_files() if path.suffix == ".py"]
    return {path.relative_to(ROOT): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def functions() -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path, module in modules().items():
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path, node


def calls(name: str) -> Iterator[tuple[Path, ast.Call]]:
    for path, module in modules().items():
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == name:
                yield path, node


def tables() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_no_file_is_longer_than_a_reader_holds() -> None:
    """A Python file has at most 400 lines."""
    lengths = {
        path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in modules()
    }
    assert {path: lines for path, lines in lengths.items() if lines > FILE_LINES_MAX} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    """A function has at most 70 lines, its decorators and docstring included."""
    lengths = {
        f"{path}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path, node in functions()
    }
    assert {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES_MAX} == {}


def test_every_module_says_what_it_owns() -> None:
    """A module's docstring has a line each for what it owns, never does, and rests on."""
    without = [
        f"{path} has no {label}"
        for path, module in modules().items()
        if path.name != "__init__.py" or len(module.body) > 1
        for label in HEADER
        if not any(line.startswith(label) for line in (ast.get_docstring(module) or "").split("\n"))
    ]
    assert without == []


def test_every_test_says_what_it_holds() -> None:
    """A test's docstring begins with one sentence."""
    without = [
        f"{path}:{node.lineno} {node.name}"
        for path, node in functions()
        if path.parts[0] == "tests" and node.name.startswith("test_")
        if not (ast.get_docstring(node) or "").split("\n\n")[0].rstrip().endswith((".", "?"))
    ]
    assert without == []


def test_modules_are_called_after_nouns() -> None:
    """No module's name says only that it holds code."""
    bad = [path for path in modules() if FORBIDDEN_MODULES & {path.stem, *path.parts[:-1]}]
    assert bad == []


def test_nothing_is_left_for_later() -> None:
    """No note to ourselves, and nothing that raises because it was not written."""
    notes = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in project_files()
        if path.suffix in {".py", ".md", ".toml", ".yaml", ".yml", ".sh", ""}
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if UNFINISHED.search(line)
    ]
    unwritten = [
        f"{path}:{node.lineno}"
        for path, module in modules().items()
        for node in ast.walk(module)
        if isinstance(node, ast.Raise)
        and node.exc is not None
        and ast.unparse(node.exc).startswith("NotImplemented")
    ]
    assert notes + unwritten == []


def constants(module: ast.Module) -> set[str]:
    """The names in capitals that a module gives values."""
    given = [node for node in module.body if isinstance(node, ast.Assign | ast.AnnAssign)]
    names = [name for node in given for name in ast.walk(node) if isinstance(name, ast.Name)]
    return {name.id for name in names if isinstance(name.ctx, ast.Store) and name.id.isupper()}


def names_read(module: ast.Module) -> Iterator[str]:
    """The names that a module reads of its own, and those that it takes from elsewhere."""
    for node in ast.walk(module):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield f".{node.attr}"
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_constant_has_a_reader() -> None:
    """No name in capitals is left behind, not even one that a second module gives a value, too."""
    read = {path: set(names_read(module)) for path, module in modules().items()}
    everywhere = set().union(*read.values())
    unread = [
        f"{path} has {name}"
        for path, module in modules().items()
        for name in sorted(constants(module))
        if name not in read[path]
        and f".{name}" not in everywhere
        and f"{'.'.join(path.with_suffix('').parts)}.{name}" not in everywhere
    ]
    assert unread == []


def test_no_error_is_swallowed_unnamed() -> None:
    """Nobody catches everything: a broken law of ours must crash."""
    broad = [
        f"{path}:{node.lineno}"
        for path, module in modules().items()
        for node in ast.walk(module)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
    ]
    assert broad == []


def test_nothing_is_skipped_without_a_reason() -> None:
    """Every skip and every expected failure says why."""
    named = ("pytest.mark.skip", "pytest.mark.skipif", "pytest.mark.xfail", "pytest.importorskip")
    without = [
        f"{path}:{call.lineno}"
        for name in named
        for path, call in calls(name)
        if not any(keyword.arg == "reason" for keyword in call.keywords)
    ]
    without += [f"{path}:{call.lineno}" for path, call in calls("pytest.skip") if not call.args]
    assert without == []


def test_every_suppressed_warning_has_a_code_and_a_reason() -> None:
    """A noqa names its rule and is followed by the reason."""
    suppressed = re.compile(r"#\s*noqa")
    good = re.compile(r"#\snoqa: [A-Z]+\d+(, ?[A-Z]+\d+)*\W+\w.{8,}")
    bad = []
    for path in modules():
        explained = False
        for number, line in enumerate((ROOT / path).read_text(encoding="utf-8").splitlines(), 1):
            # A reason holds for the lines that follow without a gap.
            explained = bool(good.search(line) or (explained and suppressed.search(line)))
            if suppressed.search(line) and not explained:
                bad.append(f"{path}:{number}")
    assert bad == []


def test_strictness_has_no_exemption() -> None:
    """The overrides of mypy name third parties only."""
    overrides = tables()["tool"]["mypy"]["overrides"]  # type: ignore[index]
    named = [module.split(".")[0] for override in overrides for module in override["module"]]
    assert set(named) & set(PACKAGES) == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_come_from_this_checkout(package: str) -> None:
    """What is tested is what stands here, not what was once installed."""
    origin = importlib.import_module(package).__file__
    assert origin is not None
    assert Path(origin).resolve().is_relative_to(ROOT)


def test_nothing_says_where_packages_are_fetched() -> None:
    """No file names a registry: everybody has their own."""
    named = [
        f"{path.relative_to(ROOT)} names {registry}"
        for path in project_files()
        for registry in REGISTRIES
        if registry.encode() in path.read_bytes()
    ]
    assert named == []


@pytest.mark.parametrize(
    "lock", ["requirements.lock", "requirements-dev.lock", "requirements-data.lock"]
)
def test_locks_pin_and_hash_everything(lock: str) -> None:
    """A lock gives each package one version and the hashes of its files, and no address."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    entries = re.findall(r"^(\S+==\S+)( ;[^\\]*)? \\\n((?:    --hash=.*\n?)+)", text, re.MULTILINE)
    assert len(entries) == len(re.findall(r"^\S", text, re.MULTILINE)) > 0


def test_what_scores_here_is_what_scores_there() -> None:
    """The development lock holds every package of the runtime lock at the same version."""
    pinned = [
        set(re.findall(r"^(\S+==\S+)", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE))
        for lock in ("requirements.lock", "requirements-dev.lock")
    ]
    assert pinned[0] - pinned[1] == set()
