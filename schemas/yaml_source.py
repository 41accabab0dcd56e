"""YAML with the place of everything in it.

Owns: YAML 1.2 text -> values that know their line; duplicate keys, bombs and bad syntax.
Never: knows what a key means.
Source: YAML 1.2 by ruamel.yaml's composer (`no` is a word there, not false).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, nan
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from schemas.errors import Problem, described, shortened

FILE_BYTES_MAX = 1_000_000
NODES_MAX = 20_000
DEPTH_MAX = 20

Scalar = str | float | int | bool | None

_TAG = "tag:yaml.org,2002:"
_SPECIAL_NUMBERS = {".inf": inf, "+.inf": inf, "-.inf": -inf, ".nan": nan}


@dataclass(slots=True)
class Located:
    """A value of the file; `line` is that of its key, or its own in a list."""

    line: int
    scalar: Scalar = None
    text: str = ""
    mapping: dict[str, Located] | None = None
    sequence: list[Located] | None = None

    def described(self) -> str:
        """What stands here, for a message."""
        if self.mapping is not None:
            keys = ", ".join(self.mapping)
            return f"keys ({shortened(keys, 40)})" if keys else "no keys"
        if self.sequence is not None:
            return "a list" if self.sequence else "an empty list"
        if self.scalar is None:
            return "nothing"
        if isinstance(self.scalar, str):
            return f"`{shortened(self.text)}`" if self.text else "an empty text"
        return described(self.scalar)

    def plain(self) -> Any:
        """The value without its lines."""
        if self.mapping is not None:
            return {key: child.plain() for key, child in self.mapping.items()}
        if self.sequence is not None:
            return [child.plain() for child in self.sequence]
        return self.scalar


@dataclass(slots=True)
class _Walk:
    """One pass over the nodes of a file."""

    file: str
    problems: list[Problem] = field(default_factory=list)
    nodes: int = 0

    def located(self, node: Any, key: str, line: int, depth: int) -> Located:
        self.nodes += 1
        if self.nodes > NODES_MAX or depth > DEPTH_MAX:
            if not any(problem.allowed.startswith("at most") for problem in self.problems):
                allowed = f"at most {NODES_MAX} values, nested at most {DEPTH_MAX} deep"
                self.problems.append(Problem(self.file, line, key, "more", allowed))
            return Located(line)
        if isinstance(node, MappingNode):
            return self._mapping(node, key, line, depth)
        if isinstance(node, SequenceNode):
            items = [
                self.located(item, f"{key}[{index}]", item.start_mark.line + 1, depth + 1)
                for index, item in enumerate(node.value)
            ]
            return Located(line, sequence=items)
        assert isinstance(node, ScalarNode)
        return self._scalar(node, key, line)

    def _mapping(self, node: Any, key: str, line: int, depth: int) -> Located:
        entries: dict[str, Located] = {}
        for key_node, value_node in node.value:
            key_line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                self.problems.append(
                    Problem(self.file, key_line, key, "a list or keys as a key", "a word")
                )
                continue
            word = str(key_node.value)
            path = f"{key}.{word}" if key else word
            if word in entries:
                found = f"a second `{word}` (the first is in line {entries[word].line})"
                self.problems.append(Problem(self.file, key_line, path, found, "each key once"))
                continue
            entries[word] = self.located(value_node, path, key_line, depth + 1)
        return Located(line, mapping=entries)

    def _scalar(self, node: Any, key: str, line: int) -> Located:
        text = str(node.value)
        kind = str(node.tag).removeprefix(_TAG)
        try:
            return Located(line, _scalar_value(kind, text), text)
        except ValueError:
            self.problems.append(
                Problem(
                    self.file, line, key, f"`{shortened(text)}`", "a text, a number or true/false"
                )
            )
            return Located(line, text, text)


def _scalar_value(kind: str, text: str) -> Scalar:
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "int":
        return int(text.replace("_", ""), 10 if text.lstrip("+-").isdigit() else 0)
    if kind == "float":
        special = _SPECIAL_NUMBERS.get(text.lower())
        return float(text) if special is None else special
    return text


def read_yaml(path: Path) -> tuple[Located, list[Problem]]:
    """The file's values, and what is wrong with it as YAML.

    With a syntax mistake the values are empty: nothing after it can be trusted.
    """
    file = str(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        found = f"no readable file ({error.strerror or error})"
        return _nothing(), [Problem(file, None, "", found, "a YAML file")]
    if len(content) > FILE_BYTES_MAX:
        allowed = f"at most {FILE_BYTES_MAX} bytes"
        return _nothing(), [Problem(file, None, "", f"{len(content)} bytes", allowed)]
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return _nothing(), [Problem(file, line, "", "bytes that are not UTF-8", "UTF-8")]
    return parse_yaml(text, file)


def parse_yaml(text: str, file: str) -> tuple[Located, list[Problem]]:
    """As `read_yaml`, of text; `file` only names the place."""
    yaml = YAML(typ="rt", pure=True)
    try:
        with catch_warnings():
            simplefilter("ignore", ReusedAnchorWarning)  # YAML 1.2 allows it: the later one counts.
            node = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        found = " ".join(part for part in (error.context, error.problem) if part)
        return _nothing(), [Problem(file, line, "", found or "a mistake", "YAML 1.2")]
    except (YAMLError, RecursionError) as error:
        found = shortened(str(error).splitlines()[0] if str(error) else "a mistake")
        return _nothing(), [Problem(file, None, "", found, "YAML 1.2")]
    if node is None:
        return _nothing(), []
    walk = _Walk(file)
    located = walk.located(node, "", node.start_mark.line + 1, 0)
    return located, walk.problems


def _nothing() -> Located:
    return Located(1, mapping={})
