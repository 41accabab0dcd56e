"""The one way in which a function of the folds is compiled.

Owns: the settings under which compiled code gives the same bits everywhere, and its cache.
Never: fastmath, BLAS, parallel loops or the power operator; each changes bits.
Source: numba's documentation of njit; IEEE 754 addition does not associate.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., object])


def _sources_digest() -> str:
    """A digest of numba's version, the kernels and the modules whose constants they hold."""
    digest = hashlib.blake2b(numba.__version__.encode(), digest_size=8)
    here = Path(__file__).parent
    names = ("batch", "columns", "compiled", "layout", "model_number", "plan", "records", "state",
             "told_states", "trigger_states")  # fmt: skip
    shapes = (here / f"{name}.py" for name in names)
    contract = (here.parent / "schemas").glob("*.py")  # Kernels hold its limits, too.
    for path in sorted([*here.glob("kernel*.py"), *shapes, *contract]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def cache_folder() -> Path:
    """Where compiled code is kept: apart for each state of the sources.

    numba looks only at the file of the function that is called; a change in what that function
    calls would go unseen. A folder of its own for each digest makes stale code impossible.
    """
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    for root in (Path(home), Path(tempfile.gettempdir())):
        folder = root / "propensity" / "kernels" / _sources_digest()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    message = "no folder for compiled code: set XDG_CACHE_HOME to one that can be written"
    raise OSError(message)


setattr(numba.config, "CACHE_DIR", str(cache_folder()))  # noqa: B010 - made at run time there


def is_cached() -> bool:
    """Whether code was compiled here before; if not, the first batch takes about a minute."""
    return any(cache_folder().rglob("*.nbi"))


_OPTIONS: Final[Mapping[str, Any]] = {
    "error_model": "numpy",
    "nogil": True,
    "_nrt": False,
    "no_cfunc_wrapper": True,
}
_PART: Final[Mapping[str, Any]] = {**_OPTIONS, "no_cpython_wrapper": True}


def compiled(function: Function) -> Function:
    """Compile a function on its first call and keep the result on disk.

    Division by zero gives an infinity as in C, not an exception; the lock of the interpreter is
    released while it runs. Reference counts are left out (`_nrt`): compiled functions are handed
    dozens of arrays at a time and must neither make nor keep one. A function that is called from
    another becomes a part of it (`forceinline`): a call would hand over each array as seven words.
    """
    return cast("Function", numba.njit(**_OPTIONS, cache=True, forceinline=True)(function))


def inlined(function: Function) -> Function:
    """Compile a function as a part of the compiled functions that call it; Python cannot.

    What only Python needs is left out: a way in for each array, and machine code of its own. That
    is more than half of the time that compiling takes.
    """
    return cast("Function", numba.njit(**_PART, forceinline=True)(function))


def inlined_apart(function: Function) -> Function:
    """As `inlined`, but it stays a function of its own: what happens seldom."""
    return cast("Function", numba.njit(**_PART)(function))
