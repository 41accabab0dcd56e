"""Quix Streams' own environment, made once from a lock with hashes.

Owns: where it is kept, outside the checkout, and when it is made anew.
Never: installs anything beside the lock.
Source: bench/quix.lock.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

LOCK = Path(__file__).with_name("quix.lock")


def quix_python() -> Path:
    """Return the interpreter of Quix's environment, which is made if it is not there."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = cache / "propensity" / f"quix-{digest}"
    python = folder / "bin" / "python"
    done = folder / "complete"
    if done.is_file():
        return python
    print("making Quix's environment (once)", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    install = ["-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(LOCK)]
    subprocess.run([str(python), *install], check=True)
    done.touch()
    return python
