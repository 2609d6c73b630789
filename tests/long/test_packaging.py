"""What is built, what is in it, and that it works in clean environments on every Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from checkout import ROOT

import lstm_probe

pytestmark = pytest.mark.long

NAME = f"lstm_probe-{lstm_probe.__version__}"
#: What a checkout may hold that is not part of the project.
_REST = (".git", ".venv*", "build", "dist", "node_modules", "__pycache__", "*.egg-info")
_LOGS = ("logs", "examples/logs")
_CACHES = (".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".coverage", "*.py[cod]")
#: Tests that need NumPy and nothing else.
NUMPY_ONLY = (
    "cells/test_cells_lstm_variants.py",
    "test_goldens.py",
    "analysis/test_health.py",
    "analysis/test_dynamics.py",
    "core/test_trace.py",
    "weights/test_weights_torch.py",
)
#: Tests that need what the package itself requires, and the extra `export`.
CORE = (
    "logs/test_event_file.py",
    "test_import.py",
    "logs/test_labelled.py",
    "pictures/test_notebook.py",
    "pictures/test_render_heatmap.py",
    "logs/test_run_log.py",
    "logs/test_stored.py",
)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, because building leaves things behind."""
    target = tmp_path_factory.mktemp("source") / "lstm_probe"
    shutil.copytree(ROOT, target, ignore=shutil.ignore_patterns(*_REST, *_CACHES))
    for logs in _LOGS:
        shutil.rmtree(target / logs, ignore_errors=True)
    return target


@pytest.fixture(scope="module")
def distributions(source: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel, which is built from the source distribution, and that."""
    target = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", str(target), str(source), cwd=target)
    return target / f"{NAME}-py3-none-any.whl", target / f"{NAME}.tar.gz"


def test_the_wheel_holds_the_package_and_nothing_else(
    source: Path, distributions: tuple[Path, Path]
) -> None:
    expected = {
        "lstm_probe/" + str(path.relative_to(source / "lstm_probe"))
        for path in (source / "lstm_probe").rglob("*")
        if path.is_file()
    }
    expected |= {
        f"lstm_probe/{path.relative_to(source)}"
        for path in (source / "callbacks").rglob("*")
        if path.is_file()
    }
    expected |= {
        f"{NAME}.dist-info/{name}"
        for name in (
            *("METADATA", "RECORD", "WHEEL", "entry_points.txt", "top_level.txt"),
            "licenses/LICENSE",
        )
    }
    with zipfile.ZipFile(distributions[0]) as wheel:
        assert set(wheel.namelist()) == expected
        assert wheel.read(f"{NAME}.dist-info/top_level.txt").split() == [b"lstm_probe"]


def test_the_source_distribution_holds_the_whole_project(
    source: Path, distributions: tuple[Path, Path]
) -> None:
    left_out = {".gitignore"}
    expected = {str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()}
    with tarfile.open(distributions[1]) as archive:
        found = {member.name.removeprefix(f"{NAME}/") for member in archive if not member.isdir()}
    assert found - {"PKG-INFO"} == expected - left_out


def interpreter(minor: int) -> str:
    """A Python of a version; the test is skipped where there is none."""
    if sys.version_info.minor == minor:
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [shutil.which(f"python3.{minor}"), *pyenv.glob(f"3.{minor}.*/bin/python")]
    for candidate in filter(None, candidates):
        # A shim of pyenv may stand for a version that is not there.
        if subprocess.run([candidate, "-c", "import venv"], capture_output=True).returncode == 0:
            return str(candidate)
    pytest.skip(f"there is no Python 3.{minor} here")


@pytest.mark.parametrize("minor", [10, 11, 12, 13], ids="3.{}".format)
def test_the_wheel_works_in_a_clean_environment(
    minor: int, source: Path, distributions: tuple[Path, Path], tmp_path: Path
) -> None:
    python = interpreter(minor)
    wheel, elsewhere = distributions[0], tmp_path / "elsewhere"
    run(python, "-m", "venv", str(tmp_path / "venv"), cwd=tmp_path)
    clean = str(tmp_path / "venv" / "bin" / "python")
    install = (clean, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    shutil.copytree(source / "tests", elsewhere / "tests")
    shutil.copy(source / "setup.cfg", elsewhere)

    # NumPy is enough to import it and to recompute gates; the oldest one that is promised.
    run(*install, "--no-deps", str(wheel), cwd=tmp_path)
    # NumPy 1.26 has no wheels for Python 3.13.
    run(*install, "numpy" if minor == 13 else "numpy==1.26.*", "pytest", cwd=tmp_path)
    tests = [f"tests/{name}" for name in NUMPY_ONLY]
    run(clean, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, cwd=elsewhere)

    run(*install, f"{wheel}[export]", cwd=tmp_path)
    tests = [f"tests/{name}" for name in CORE]
    run(clean, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, cwd=elsewhere)
    command = str(tmp_path / "venv" / "bin" / "lstm-probe")
    assert lstm_probe.__version__ in run(command, "--version", cwd=tmp_path)
    where = run(clean, "-c", "import lstm_probe; print(lstm_probe.__file__)", cwd=tmp_path)
    assert where.startswith(str(tmp_path))


def run(*command: str, cwd: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL"))}
    process = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=environment)
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout.strip()
