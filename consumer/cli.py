"""The command line: finds the subcommand, runs it, turns faults into an exit code.

Owns: the global options, the exit codes and how an error looks to an operator.
Never: imports a subcommand that is not asked for; ``--help`` reads only their first lines.
Source: https://click.palletsprojects.com/en/stable/complex/#defining-the-lazy-group
"""

import ast
import difflib
import importlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import click

from consumer import __version__
from consumer.errors import WorldError

EXIT_DONE = 0
EXIT_FOUND = 1
EXIT_COULD_NOT_RUN = 2

_COMMANDS = Path(__file__).parent / "commands"


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """What was said before the subcommand; ``None`` is not said.

    A command reaches it with ``@click.pass_obj``.
    """

    config: Path | None = None
    campaigns: Path | None = None


class CommandFolder(click.Group):
    """A group whose commands are the modules of ``consumer/commands``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted(
            path.stem.replace("_", "-")
            for path in _COMMANDS.glob("*.py")
            if not path.stem.startswith("_")
        )

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"consumer.commands.{cmd_name.replace('-', '_')}")
        command = module.command
        assert isinstance(command, click.Command), f"{module.__name__}.command"
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by their modules' first line, which is read and not imported."""
        rows = [(name, _summary(name)) for name in self.list_commands(ctx)]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; name the nearest one when there is none."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            nearest = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            if not nearest:
                raise
            message = f"{error.message} Did you mean {nearest[0]!r}?"
            raise click.UsageError(message, ctx) from error


@click.command(cls=CommandFolder, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The settings file; without it ./propensity.yaml, if there.",
)
@click.option(
    "--campaigns",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The campaign file; without it the one that the settings name.",
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def propensity(ctx: click.Context, config: Path | None, campaigns: Path | None) -> None:
    """Score customers while they act: events in, probabilities with their reasons out."""
    ctx.obj = GlobalOptions(config=config, campaigns=campaigns)


def run(arguments: list[str]) -> int:
    """Run the command line; give the exit code.

    0: done. 1: found something (an invalid file, a failed check). 2: could not run.
    Only a broken law of ours leaves as an exception, with its traceback.
    """
    try:
        result = propensity.main(args=arguments, prog_name="propensity", standalone_mode=False)
    except WorldError as error:
        return _say(error.problem, error.remedy)
    except click.ClickException as error:
        error.show()
        return error.exit_code if isinstance(error, click.UsageError) else EXIT_COULD_NOT_RUN
    except (click.Abort, KeyboardInterrupt):
        return EXIT_DONE
    except BrokenPipeError:
        return _pipe_closed()
    except OSError as error:
        if error.filename is None:
            raise
        return _say(f"{error.filename}: {error.strerror}", "Check the path and its rights")
    return result if isinstance(result, int) else EXIT_DONE


def main() -> NoReturn:
    """Be the console script."""
    sys.exit(run(sys.argv[1:]))


def _say(problem: str, remedy: str) -> int:
    click.echo(f"propensity: {problem}. {remedy}.", err=True)
    return EXIT_COULD_NOT_RUN


def _pipe_closed() -> int:
    """The reader of our results has gone, as ``head`` does: nobody is to be told."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_DONE


def _summary(name: str) -> str:
    """Give the first line of a command's module docstring, without its stop."""
    path = _COMMANDS / f"{name.replace('-', '_')}.py"
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first = docstring.partition("\n")[0].strip()
    return first.partition("``: ")[2].rstrip(".") or first.rstrip(".")
