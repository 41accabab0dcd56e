"""The wheel: what is installed elsewhere is all that is needed there.

Owns: that a build carries every module, and runs from any folder.
Never: fetches a package.
Source: pyproject.toml.
"""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from consumer import __version__
from tests.test_tidy import ROOT, modules

SHIPPED = ("schemas", "models", "consumer")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, check=True, cwd=ROOT, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_every_module_is_in_it(wheel: Path) -> None:
    """All modules of the three packages, and nothing of tests and bench."""
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".py")}
    assert inside == {str(path) for path in modules() if path.parts[0] in SHIPPED}
    assert wheel.name.startswith(f"propensity-{__version__}-py3")


def test_the_page_is_in_it(wheel: Path) -> None:
    """With every file that it asks for, and the licence of the one that is not ours."""
    inside = zipfile.ZipFile(wheel)
    folder = ROOT / "consumer/web/static"
    for path in folder.iterdir():
        assert inside.read(str(path.relative_to(ROOT))) == path.read_bytes()
    pages = [
        path.read_text("utf-8") for path in folder.iterdir() if path.suffix in {".html", ".js"}
    ]
    asked = {name for page in pages for name in re.findall(r"[\"']/page/([^\"']+)[\"']", page)}
    assert asked <= {path.name for path in folder.iterdir()}
    assert "MIT License" in (folder / "uPlot.LICENSE.txt").read_text("utf-8")


def test_it_runs_from_any_folder(wheel: Path, tmp_path: Path) -> None:
    """Unpacked somewhere else, the program works without the checkout."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    code = "import consumer, sys; from consumer.cli import run; print(consumer.__file__); "
    ran = subprocess.run(
        [sys.executable, "-c", code + "sys.exit(run(['schema', 'event']))"],
        cwd=tmp_path,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(str(tmp_path))
    assert '"customer_id"' in ran.stdout
