"""The command line: quick, lazy, and exact about whose fault it was.

Owns: help, exit codes and what an operator reads on an error.
Never: what a subcommand does.
Source: consumer/cli.py.
"""

import subprocess
import sys
from pathlib import Path

import click
import pytest

from consumer import __version__
from consumer.cli import propensity, run
from consumer.errors import WorldError

IMPORT_MAX_S = 0.5
HEAVY = {
    *("numba", "river", "pandas", "pyarrow", "confluent_kafka", "numpy", "pydantic", "rich"),
    *("prometheus_client", "structlog", "starlette", "uvicorn"),
}


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run this Python, as a shell would."""
    return subprocess.run(
        [sys.executable, *arguments], check=False, capture_output=True, text=True, timeout=60
    )


def quickest_s(*arguments: str) -> float:
    """Seconds of the quickest of five runs: a busy machine only ever adds."""
    code = (
        "import subprocess, sys\n"
        "from resource import RUSAGE_CHILDREN, getrusage\n"
        "def used():\n"
        "    return sum(getrusage(RUSAGE_CHILDREN)[:2])\n"
        "def once():\n"
        "    start = used()\n"
        "    subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
        "    return used() - start\n"
        "print(min(once() for _ in range(5)))\n"
    )
    measured = python("-c", code, sys.executable, *arguments)
    assert measured.returncode == 0, measured.stderr
    return float(measured.stdout)


def test_help_comes_at_once() -> None:
    """``propensity --help`` takes half a second of the processor at most."""
    assert quickest_s("-m", "consumer", "--help") <= IMPORT_MAX_S


def test_import_is_quick() -> None:
    """``import consumer`` takes half a second of the processor at most."""
    assert quickest_s("-c", "import consumer") <= IMPORT_MAX_S


def test_help_imports_nothing_heavy() -> None:
    """No learner, no client and no table library is loaded to print the help."""
    code = (
        "import sys\nfrom consumer.cli import run\nrun(['--help'])\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    assert python("-c", code).stderr.strip() == "[]"


def test_every_command_is_listed_with_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    """The help names all commands, each with a line of its own."""
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    for name in propensity.list_commands(click.Context(propensity)):
        assert any(
            line.split()[0] == name and len(line.split()) > 3
            for line in shown.splitlines()
            if line.strip()
        ), name


def test_every_command_loads() -> None:
    """Each module of the folder holds a command that can say its own help."""
    context = click.Context(propensity)
    for name in propensity.list_commands(context):
        command = propensity.get_command(context, name)
        assert command is not None
        assert command.get_help(click.Context(command))


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    """``--version`` says the version that the wheel carries."""
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"propensity {__version__}\n"


def test_a_mistyped_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake in the command line could not run: exit 2, and what was meant."""
    assert run(["chek"]) == 2
    assert "Did you mean 'check'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (
            WorldError("No broker at x:1", "Start one"),
            2,
            "propensity: No broker at x:1. Start one.\n",
        ),
        (FileNotFoundError(2, "No such file or directory", "e.csv"), 2, "propensity: e.csv: "),
        (KeyboardInterrupt(), 0, ""),
    ],
)
def test_the_worlds_faults_are_one_sentence_and_a_remedy(
    error: BaseException,
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What an operator can mend is said without a traceback, on stderr."""

    def fail() -> None:
        raise error

    monkeypatch.setattr(
        propensity, "get_command", lambda _context, name: click.Command(name, callback=fail)
    )
    assert run(["run"]) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(said)
    assert "Traceback" not in shown.err


def test_our_own_faults_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken law is not explained away."""

    def broken() -> None:
        raise AssertionError

    monkeypatch.setattr(
        propensity, "get_command", lambda _context, name: click.Command(name, callback=broken)
    )
    with pytest.raises(AssertionError):
        run(["run"])


@pytest.mark.parametrize("code", [0, 1, 2])
def test_a_command_decides_its_exit_code(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command exits with is what the program exits with."""
    leave = click.Command("run", callback=lambda: click.get_current_context().exit(code))
    monkeypatch.setattr(propensity, "get_command", lambda _context, _name: leave)
    assert run(["run"]) == code


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    """``propensity … | head -1`` ends quietly."""
    program = tmp_path / "piped.py"
    program.write_text(
        "import click\nfrom consumer import cli\n"
        "def talk():\n    for _ in range(100_000): click.echo('line')\n"
        "cli.propensity.get_command = lambda *_: click.Command('run', callback=talk)\n"
        "import sys; sys.exit(cli.run(['run']))\n",
        encoding="utf-8",
    )
    root = Path(__file__).parents[2]
    line = f"PYTHONPATH={root} {sys.executable} {program} | head -1"
    piped = subprocess.run(
        ["sh", "-c", line], check=False, capture_output=True, text=True, timeout=60
    )
    assert piped.stdout == "line\n"
    assert piped.stderr == ""
