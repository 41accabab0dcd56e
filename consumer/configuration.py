"""The configuration of a command: settings and campaigns, or why there are none.

Owns: which files are read when nothing is said, and how their mistakes look in a terminal.
Never: judges a key: `schemas` does.
Source: the contract, "Settings file" and "Commands".
"""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import click

from consumer.cli import GlobalOptions
from schemas.campaign_file import CampaignFile, load_campaigns
from schemas.errors import ConfigurationError
from schemas.settings import Settings, load_settings

SETTINGS_FILE = Path("propensity.yaml")


class WrongConfiguration(click.ClickException):
    """Mistakes in the configuration: shown one a line, and the command does not run."""

    def __init__(self, error: ConfigurationError) -> None:
        super().__init__(str(error))

    def show(self, file: IO[Any] | None = None) -> None:
        """The problems, as a compiler shows them."""
        click.echo(self.message, file=file, err=file is None)


def read_settings(options: GlobalOptions, flags: dict[str, Any] | None = None) -> Settings:
    """The settings: `--config`, or ./propensity.yaml if it is there; flags come first.

    Raises
    ------
    WrongConfiguration: with every mistake.
    """
    path = options.config
    if path is None and SETTINGS_FILE.is_file():
        path = SETTINGS_FILE
    overrides = dict(flags or {})
    if options.campaigns is not None:
        overrides["campaigns"] = str(options.campaigns)
    try:
        return load_settings(path, overrides)
    except ConfigurationError as error:
        raise WrongConfiguration(error) from error


def read_campaigns(settings: Settings) -> CampaignFile:
    """The campaigns that the settings name.

    Raises
    ------
    WrongConfiguration: with every mistake.
    """
    try:
        return load_campaigns(settings.campaigns)
    except ConfigurationError as error:
        raise WrongConfiguration(error) from error
