"""Facts of this machine: memory, disk, file systems, addresses and installed packages.

Owns: where the operating system tells them.
Never: judges one.
Source: Linux, proc_pid_mountinfo(5) and cgroups(7); POSIX, sysconf(3).
"""

from __future__ import annotations

import os
import platform
import shutil
import socket
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Final

from consumer import __version__

DISTRIBUTION: Final = "propensity"
MOUNTS: Final = Path("/proc/self/mountinfo")
MEMORY_LIMITS: Final = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def memory_bytes() -> int:
    """What this process may take: the machine's memory, or what its container is given."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in MEMORY_LIMITS:
        with suppress(OSError, ValueError):
            whole = min(whole, int(path.read_text(encoding="ascii")))  # `max` is no number.
    return whole


def mounts() -> str:
    """The mounts that this process sees; nothing where there is no /proc."""
    try:
        return MOUNTS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def free_bytes(folder: Path) -> int:
    """What may still be written at a folder, which need not be there yet."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def address_towards(places: Sequence[tuple[str, int]]) -> str:
    """The address at which the first of these hosts would see us; nothing is sent."""
    for host, port in places:
        with suppress(OSError):
            family, kind, protocol, _, where = socket.getaddrinfo(
                host, port, type=socket.SOCK_DGRAM
            )[0]
            with socket.socket(family, kind, protocol) as probe:
                probe.connect(where)
                return str(probe.getsockname()[0])
    return ""


def programs(librdkafka: str) -> str:
    """The versions that a report of a defect should name."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"propensity {__version__}, librdkafka {librdkafka}, {python}"


def requirements() -> list[str]:
    """What the package asks for, such as `click>=8.3`; nothing where it is not installed."""
    try:
        return requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return []


def installed(names: Sequence[str]) -> dict[str, str | None]:
    """The versions of packages; None for one that is not there."""
    found: dict[str, str | None] = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found
