"""The demo as somebody sees it who has just typed the command.

Owns: that it scores, learns, ends cleanly and says what to try next.
Never: a real broker: the demo has its own.
Source: README.md, "See it".
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

STOP_MAX_S = 5.0
COMPILED_MIN = 20  # Of some hundred functions: it is in the middle of that.
READY_MAX_S = 300.0  # The very first start compiles.


def _demo(folder: Path, *arguments: str, cache: Path | None = None) -> subprocess.Popen[str]:
    """Start the demo; with its compiled code in a folder of its own, if one is given."""
    return subprocess.Popen(
        [sys.executable, "-m", "consumer", "demo", *arguments],
        cwd=folder,
        env=os.environ | ({} if cache is None else {"XDG_CACHE_HOME": str(cache)}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_demo_scores_learns_and_says_what_to_try_next(tmp_path: Path) -> None:
    """Scores with reasons come, more and more outcomes are learned, and it ends by itself."""
    out, err = _demo(tmp_path, "--seconds", "40").communicate(timeout=READY_MAX_S)
    assert "Traceback" not in err
    learned = [
        int(number.replace(",", ""))
        for number in re.findall(r"buy-1d: \w+, ([\d,]+) outcomes learned", out)
    ]
    assert len(learned) >= 3
    assert learned == sorted(learned)
    assert learned[-1] > learned[0]
    assert re.search(r"c\d+ · .* for purchase within 1d", out)
    assert re.search(r"(raises?|lowers?) it", out)
    assert "What to try next" in out


def test_ctrl_c_ends_the_demo_cleanly(tmp_path: Path) -> None:
    """An interrupt ends it within five seconds, with exit code 0 and the hints."""
    demo = _demo(tmp_path, "--seconds", "0")
    assert demo.stdout is not None
    for line in demo.stdout:
        if "outcomes learned" in line:
            break
    demo.send_signal(signal.SIGINT)
    asked_s = time.monotonic()
    out, _ = demo.communicate(timeout=READY_MAX_S)
    assert time.monotonic() - asked_s < STOP_MAX_S
    assert demo.returncode == 0
    assert "What to try next" in out


def test_ctrl_c_ends_the_first_start_while_it_compiles(tmp_path: Path) -> None:
    """Nothing has begun: it ends at once, without a traceback of the compiler's."""
    demo = _demo(tmp_path, cache=tmp_path)
    assert demo.stdout is not None
    assert "Compiling" in demo.stdout.readline()
    while demo.poll() is None and len(list(tmp_path.rglob("*.nbi"))) < COMPILED_MIN:
        time.sleep(0.1)
    demo.send_signal(signal.SIGINT)
    asked_s = time.monotonic()
    _, err = demo.communicate(timeout=READY_MAX_S)
    assert time.monotonic() - asked_s < STOP_MAX_S
    assert "Traceback" not in err
    assert "stopped before anything began" in err
    assert demo.returncode == 0
