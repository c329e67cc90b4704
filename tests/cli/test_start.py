"""What an upload loads before its first part leaves, and what it leaves alone."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.cli.conftest import ABOUT, SIX_PARTS, Shell
from turboupload.cli.ui.errors import INTERRUPTED

CODE = """
import gc, sys
from turboupload.cli.main import main
try:
    main()
except SystemExit as end:
    print(*sys.modules, file=sys.stderr)
    print("collecting", gc.isenabled(), "aside", gc.get_freeze_count() > 50_000, file=sys.stderr)
    raise
"""


def loaded(shell: Shell, *arguments: str | Path) -> tuple[list[str], str]:
    """The modules that a command has imported, in the order in which it began with each."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, *map(str, arguments)],
        capture_output=True, text=True, timeout=60, check=False, env=shell.env,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *_, modules, collector = done.stderr.splitlines()
    return modules.split(), collector


def test_an_interrupt_while_the_command_is_loaded_is_told(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt")
    paths = filter(None, [str(tmp_path), shell.env.get("PYTHONPATH")])
    done = subprocess.run(
        [sys.executable, "-m", "turboupload", "--help"],
        capture_output=True, text=True, timeout=60, check=False,
        env={**shell.env, "PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (INTERRUPTED, "", "interrupted\n")


def test_the_installed_command_begins_there() -> None:
    (command,) = entry_points(group="console_scripts", name="turboupload")
    assert command.value == "turboupload.__main__:main"


OTHERS = {
    "difflib": "a mistake",
    "turboupload.core.imports": "an import",
    "turboupload.seqcheck.bam": "a BAM",
    "turboupload.seqcheck.sam_header": "a BAM",
    "turboupload.seqcheck.cram": "a CRAM",
    "turboupload.seqcheck.checks.reference": "--reference",
    "turboupload.seqcheck.parallel.pool": "a deep check",
    "turboupload.http.probe": "doctor",
    "turboupload.omics.identity": "doctor",
    "turboupload.batch": "a batch",
    "turboupload.files.spool": "a stream",
    "turboupload.report": "--report",
}
"""Modules that a FASTQ's upload doesn't need, and what does."""


def test_an_upload_without_a_log_imports_what_it_needs(shell: Shell, reads: Path) -> None:
    modules, _ = loaded(shell, "upload", reads, "--name", "bare", *ABOUT, *SIX_PARTS)
    assert "aiobotocore" in modules
    assert "turboupload.seqcheck.fastq" in modules
    assert not {"structlog", "rich", "opentelemetry", "prometheus_client"} & set(modules)
    assert not OTHERS.keys() & set(modules)


def test_with_a_log_there_is_structlog(shell: Shell, reads: Path) -> None:
    modules, _ = loaded(shell, "upload", reads, "--name", "told", *ABOUT, *SIX_PARTS, "-v")
    assert "structlog" in modules


@pytest.mark.parametrize("command", ["upload", "readsets"])
def test_garbage_is_collected_once_all_is_imported(shell: Shell, reads: Path, command: str) -> None:
    arguments: dict[str, tuple[str | Path, ...]] = {
        "upload": (reads, "--name", "collected", *ABOUT, *SIX_PARTS),
        "readsets": ("list",),
    }
    _, collector = loaded(shell, command, *arguments[command])
    assert collector == "collecting True aside True"


FIRST_USE = """
import gc, sys
collections = []
gc.callbacks.append(lambda phase, about: collections.append(phase))
import turboupload
if sys.argv[1] == "off":
    gc.disable()
before = len(collections)
turboupload.upload
looks = len(collections) - before
names = {name.partition(".")[0] for name in sys.modules} & {"rich", "structlog", "click"}
print(looks <= 2, gc.isenabled(), sorted(names))
"""


@pytest.mark.parametrize(("collector", "enabled"), [("on", True), ("off", False)])
def test_the_first_use_of_the_library_looks_for_no_garbage(collector: str, enabled: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FIRST_USE, collector],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout == f"True {enabled} []\n", "one may follow, when it is over"


@pytest.mark.parametrize(
    "package", ["anyio", "msgspec", "aiobotocore", "botocore", "h11", "xxhash"]
)
def test_a_package_that_is_gone_is_no_bug(
    shell: Shell, reads: Path, tmp_path: Path, package: str
) -> None:
    gone = tmp_path / "packages"
    gone.mkdir()
    (gone / f"{package}.py").write_text(f"raise ModuleNotFoundError('No module named {package}')")
    ended = shell.upload("gone", reads, env={"PYTHONPATH": str(gone)})
    assert ended.code == 2
    assert f"this installation of turboupload isn't whole: No module named {package}" in ended.err
    assert "python -m pip install --force-reinstall turboupload" in ended.err
    assert "bug" not in ended.err
    assert shell.creates == 0
