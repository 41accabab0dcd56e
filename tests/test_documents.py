"""The documents' commands, typed as a reader types them, and the references between them.

Owns: that what is written still works.
Never: judges the output of a command; other tests do.
Source: README.md and docs/.

A block of ```console``` stands below a comment that says what becomes of it:
`<!-- run: here -->`, `<!-- run: kafka -->` (with a real Kafka at localhost:9092), or
`<!-- not run: why -->`. All blocks of a document share one folder and one shell.
"""

import doctest
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jsonschema
import pytest

from schemas.campaign_file import load_campaigns
from schemas.catalogue import json_schema
from schemas.settings import Settings, load_settings
from tests.broker import NoBrokerError, kafka_broker, skip_or_fail
from tests.test_tidy import ROOT, modules, project_files

DOCUMENT_MAX_S = 300
DOCUMENTS = [path for path in project_files() if path.suffix == ".md"]
BLOCK = re.compile(r"(?:<!-- (?P<what>[^>]*) -->\n)?```console\n(?P<text>.*?)```", re.DOTALL)
EXAMPLE = re.compile(r"<!-- (?P<kind>[a-z-]+) -->\n```(?:yaml|json)\n(?P<text>.*?)```", re.DOTALL)
PYTHON = re.compile(r"```python\n(?P<text>>>> .*?)```", re.DOTALL)
LINK = re.compile(r"\]\((?!https?://)([^)#]+)(?:#[^)]*)?\)")
SECTION = re.compile(r"\b([\w/]+\.md), \"([^\"]+)\"(?: and \"([^\"]+)\")?")


class Block(NamedTuple):
    """What a reader is told to type, and whether a test may."""

    what: str
    commands: tuple[str, ...]


def blocks(document: Path) -> list[Block]:
    found = BLOCK.finditer(document.read_text(encoding="utf-8"))
    return [
        Block(
            match["what"] or "",
            tuple(
                line.removeprefix("$ ")
                for line in match["text"].splitlines()
                if line.startswith("$ ")
            ),
        )
        for match in found
    ]


def with_blocks(*kinds: str) -> list[Path]:
    return [path for path in DOCUMENTS if any(block.what in kinds for block in blocks(path))]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def type_all(commands: list[str], folder: Path, environment: dict[str, str]) -> None:
    """Type the commands into one shell; what they leave running ends with it."""
    missing = [
        program
        for program in ("kcat", "curl")
        if any(re.search(rf"\b{program}\b", command) for command in commands)
        and shutil.which(program) is None
    ]
    if missing:
        skip_or_fail(f"{' and '.join(missing)} are not installed")
    script = "set -eu -o pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\nset -x\n"
    typed = subprocess.run(
        ["bash", "-c", script + "\n".join(commands)],
        cwd=folder,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=DOCUMENT_MAX_S,
    )
    assert typed.returncode == 0, typed.stdout[-2000:] + typed.stderr[-6000:]


def environment() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def bootstrap() -> Iterator[str]:
    """A Kafka of these documents alone: they use the default names of topics and group."""
    broker = kafka_broker()
    try:
        address = broker.__enter__()
    except NoBrokerError as error:
        skip_or_fail(str(error))
        return
    yield address
    broker.__exit__(None, None, None)


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_command_is_run_or_says_why_not(document: Path) -> None:
    """No block of commands escapes by accident."""
    for block in blocks(document):
        assert block.commands
        assert block.what in {"run: here", "run: kafka"} or block.what.startswith("not run: ")


@pytest.mark.slow
@pytest.mark.parametrize("document", with_blocks("run: here"), ids=named)
def test_commands_run(document: Path, tmp_path: Path) -> None:
    """What a reader can type without a Kafka works."""
    typed = [
        command
        for block in blocks(document)
        if block.what == "run: here"
        for command in block.commands
    ]
    type_all(typed, tmp_path, environment())


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.parametrize("document", with_blocks("run: kafka"), ids=named)
def test_commands_run_against_kafka(document: Path, tmp_path: Path, bootstrap: str) -> None:
    """The whole document works on a machine that has a Kafka."""
    listen = f"localhost:{free_port()}"
    typed = [
        command.replace("localhost:9092", bootstrap).replace("localhost:8080", listen)
        for block in blocks(document)
        if block.what in {"run: here", "run: kafka"}
        for command in block.commands
    ]
    settings = {
        "PROPENSITY_KAFKA__BOOTSTRAP_SERVERS": bootstrap,
        "PROPENSITY_HTTP__LISTEN": listen,
    }
    type_all(typed, tmp_path, {**environment(), **settings})


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_examples_are_what_the_program_takes(document: Path, tmp_path: Path) -> None:
    """Campaign files, settings and records in the documents are valid as they stand."""
    for example in EXAMPLE.finditer(document.read_text(encoding="utf-8")):
        kind, text = example["kind"], example["text"]
        if kind == "campaigns":
            (tmp_path / "campaigns.yaml").write_text(text, encoding="utf-8")
            assert load_campaigns(tmp_path / "campaigns.yaml").campaigns
        elif kind == "settings":
            (tmp_path / "propensity.yaml").write_text(text, encoding="utf-8")
            assert load_settings(tmp_path / "propensity.yaml").group
        else:
            jsonschema.validate(json.loads(text), json_schema(kind))


def sessions(document: Path) -> str:
    """The document's Python, all blocks of which are one session."""
    return "\n".join(found["text"] for found in PYTHON.finditer(document.read_text("utf-8")))


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if sessions(path)], ids=named)
def test_python_says_what_is_written(
    document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a document types into Python gives the output that it shows."""
    monkeypatch.chdir(tmp_path)
    session = doctest.DocTestParser().get_doctest(
        sessions(document), {}, named(document), str(document), 0
    )
    assert session.examples
    assert doctest.DocTestRunner().run(session).failed == 0


def test_settings_are_documented_whole(tmp_path: Path) -> None:
    """The documented settings file holds every setting, with its default."""
    contract = (ROOT / "docs/contract.md").read_text(encoding="utf-8")
    (text,) = (found["text"] for found in EXAMPLE.finditer(contract) if found["kind"] == "settings")
    (tmp_path / "propensity.yaml").write_text(text, encoding="utf-8")
    documented = load_settings(tmp_path / "propensity.yaml").model_dump()
    defaults = Settings().model_dump()
    assert documented["instance"] == "worker-1"
    assert documented["campaigns"] == tmp_path / "campaigns.yaml"
    assert documented["snapshots"]["url"] == str(tmp_path / defaults["snapshots"]["url"])
    documented["snapshots"]["url"] = defaults["snapshots"]["url"]
    for name in ("instance", "campaigns"):
        del documented[name], defaults[name]
    assert documented == defaults
    for section, values in defaults.items():
        for name in [section, *(values if isinstance(values, dict) else [])]:
            assert f"{name}: " in text, name


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_links_lead_somewhere(document: Path) -> None:
    """A link within the repository names a file that is there."""
    targets = LINK.findall(document.read_text(encoding="utf-8"))
    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_modules_rest_on_documents_that_exist() -> None:
    """A document and its section, named in a module's header, are there."""
    missing = []
    for path in modules():
        header = (ROOT / path).read_text(encoding="utf-8")[:2_000]
        for document, *sections in SECTION.findall(header):
            if not (ROOT / document).is_file():
                missing.append(f"{path}: {document}")
                continue
            text = (ROOT / document).read_text(encoding="utf-8")
            missing += [
                f"{path}: {document}, {section}"
                for section in filter(None, sections)
                if not re.search(rf"^#+ {re.escape(section)}$", text, re.MULTILINE)
            ]
    assert missing == []
