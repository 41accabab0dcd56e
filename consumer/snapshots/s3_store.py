"""Snapshots in S3, or in what speaks like it.

Owns: the one use of fsspec, and S3's errors as OSError.
Never: reads credentials; the environment's usual AWS variables are the client's.
Source: https://s3fs.readthedocs.io/en/latest/
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import fsspec
import s3fs  # noqa: F401 - fsspec would find it missing only at the first call
from aiohttp import ClientError as ConnectionBroken
from botocore.exceptions import BotoCoreError, ClientError

_CONNECT_S = 5
_READ_S = 30
_TRIES_MAX = 3


@contextmanager
def _as_os_error(name: str) -> Iterator[None]:
    """Turn what the client raises into what a folder would raise; s3fs does so for most."""
    try:
        yield
    except (BotoCoreError, ClientError, ConnectionBroken) as error:
        message = f"{error} ({name})"
        raise OSError(message) from error


class S3Store:
    """A store below `s3://bucket/prefix`; putting an object is atomic there.

    Nothing is cached: another worker may have written or deleted.
    """

    def __init__(self, url: str) -> None:
        self._root = url.removeprefix("s3://").strip("/")
        self._files: Any = fsspec.filesystem(
            "s3",
            use_listings_cache=False,
            skip_instance_cache=True,
            config_kwargs={
                "connect_timeout": _CONNECT_S,
                "read_timeout": _READ_S,
                "retries": {"max_attempts": _TRIES_MAX},
            },
        )

    def list(self, prefix: str) -> list[str]:
        with _as_os_error(prefix):
            found = self._files.find(self._path(prefix))
        names = (path.removeprefix(f"{self._root}/") for path in found)
        return sorted(name for name in names if name.startswith(prefix))

    def read(self, name: str) -> bytes:
        with _as_os_error(name):
            return bytes(self._files.cat_file(self._path(name)))

    def write(self, name: str, pieces: Sequence[bytes]) -> None:
        with _as_os_error(name):
            self._files.pipe_file(self._path(name), b"".join(pieces))

    def delete(self, name: str) -> None:
        with _as_os_error(name):
            self._files.rm_file(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"
