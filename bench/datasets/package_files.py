"""Files that ship inside an installed package, found without importing it.

Owns: the path of a package's file, and the remedy when it is not there.
Never: imports the package (its own dependencies are not installed).
Source: importlib.metadata.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path


class DatasetMissingError(Exception):
    """The package that carries a data set is not installed."""

    def __init__(self, package: str, detail: str) -> None:
        super().__init__(f"{detail}; `make setup` installs {package}")


def package_file(package: str, path: str) -> Path:
    """Return where `path` of the installed distribution `package` lies."""
    try:
        distribution = metadata.distribution(package)
    except metadata.PackageNotFoundError:
        raise DatasetMissingError(package, f"{package} is not installed") from None
    located = Path(str(distribution.locate_file(path)))
    if not located.is_file():
        raise DatasetMissingError(package, f"{package} has no file {path}")
    return located
