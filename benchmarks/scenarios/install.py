"""What an installation without extras takes, and how long a program waits for the library."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.process import ROOT, ClientFailed
from benchmarks.report import Figure, Outcome, median
from benchmarks.sink import Sink

__all__ = ["install"]

USES = {
    "import turboupload": 20.0,
    "import turboupload; turboupload.upload": 200.0,
    "import turboupload.events": None,
}
"""What a program does first, and the bound in ms."""

TIMED = "import time; began = time.process_time(); {}; print(time.process_time() - began)"
"""Processor time: what else runs on the machine counts less."""


def install(sink: Sink, *, quick: bool) -> Outcome:
    """The package and what it needs, in an environment of its own: size, and time to import."""
    rounds = 1 if quick else 15
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = _installed(folder)
        sizes = _sizes(folder)
        times: dict[str, list[float]] = {use: [] for use in USES}
        for use in USES:
            _run(python, use)  # compiles
        for _ in range(rounds):
            for use in USES:
                times[use].append(float(_run(python, TIMED.format(use))) * 1000)
    total = sum(sizes.values())
    figures = [
        Figure("installation without extras, not compiled", total / 1e6, "MB", 85.0),
        Figure("… of which botocore", sizes.get("botocore", 0) / 1e6, "MB"),
        *(Figure(f"{use}, processor", median(times[use]), "ms", USES[use]) for use in USES),
    ]
    return [], figures, {"bytes": sizes, "ms": times}


def _installed(folder: Path) -> Path:
    """The interpreter of an environment with the package, as pip installs it."""
    environment = folder / "environment"
    _run(Path(sys.executable), "-m", "venv", "--without-pip", str(environment))
    python = environment / "bin" / "python"
    _run(
        Path(sys.executable), "-m", "pip", "--python", str(python), "install", "-q",
        "--disable-pip-version-check", "--no-compile", str(ROOT),
    )  # fmt: skip
    return python


def _sizes(folder: Path) -> dict[str, int]:
    """The bytes of each package."""
    (packages,) = folder.glob("environment/lib/python*/site-packages")
    found: dict[str, int] = {}
    for path in packages.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            package = path.relative_to(packages).parts[0]
            found[package] = found.get(package, 0) + path.stat().st_size
    return found


def _run(python: Path, *arguments: str) -> str:
    words = ["-c", *arguments] if len(arguments) == 1 else list(arguments)
    done = subprocess.run(
        [str(python), *words], capture_output=True, text=True, check=False, timeout=300
    )
    if done.returncode:
        raise ClientFailed(f"{' '.join(words[:4])}: {done.stderr.strip()[-300:]}")
    return done.stdout
