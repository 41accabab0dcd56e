"""What a check has found: a verdict, and what to do about it.

Owns: the four verdicts, what a script is told, and the exit code.
Never: looks at anything.
Source: docs/doctor.md, "Exit codes and JSON".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final, Literal

from consumer.cli import EXIT_COULD_NOT_RUN, EXIT_DONE, EXIT_FOUND
from consumer.errors import WorldError
from consumer.letter_words import safe

Verdict = Literal["ok", "warning", "failed", "not looked"]

VERDICTS: Final[tuple[Verdict, ...]] = ("ok", "warning", "failed", "not looked")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Parameters
    ----------
    check: the check's name.
    found: what was found, or why nobody could look.
    expected: what would have been right.
    remedy: what an operator does about it, as a sentence without a final stop.
    command: the remedy, or the next step of it, as a line for a shell.
    """

    check: str
    verdict: Verdict
    found: str
    expected: str = ""
    remedy: str = ""
    command: str = ""

    @classmethod
    def of(cls, check: str, error: WorldError, verdict: Verdict = "failed") -> Finding:
        """The finding that a worker's own sentence makes."""
        return cls(check, verdict, error.problem, remedy=error.remedy)


def or_ok(check: str, findings: Sequence[Finding], found: str) -> list[Finding]:
    """The findings of a check, or that there are none."""
    return list(findings) or [Finding(check, "ok", found)]


def counts(findings: Sequence[Finding]) -> dict[Verdict, int]:
    """How often each verdict was given."""
    given = Counter(each.verdict for each in findings)
    return {verdict: given[verdict] for verdict in VERDICTS}


def exit_code(findings: Sequence[Finding]) -> int:
    """1 if something failed, else 2 if nobody could look at something, else 0."""
    given = counts(findings)
    if given["failed"]:
        return EXIT_FOUND
    return EXIT_COULD_NOT_RUN if given["not looked"] else EXIT_DONE


def as_json(findings: Sequence[Finding]) -> dict[str, object]:
    """The whole report for a script."""
    return {
        "exit": exit_code(findings),
        "counts": counts(findings),
        "findings": [asdict(each) for each in findings],
    }


def in_lines(findings: Sequence[Finding]) -> list[str]:
    """The report for a person: a line each, below it what to do, and a summary at the end."""
    names = max((len(each.check) for each in findings), default=0)
    lines = []
    for each in findings:
        said = each.verdict.upper() if each.verdict == "failed" else each.verdict
        expected = f"; expected: {each.expected}" if each.expected else ""
        lines.append(safe(f"{said:<10}  {each.check:<{names}}  {each.found}{expected}"))
        indent = " " * (12 + names + 2)
        if each.remedy:
            lines.append(safe(f"{indent}{each.remedy}."))
        if each.command:
            lines.append(safe(f"{indent}$ {each.command}"))
    given = ", ".join(f"{number} {verdict}" for verdict, number in counts(findings).items())
    return [*lines, f"{len(findings)} findings: {given}"]
