"""Help is there for everything, and quick."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tests.support.commands import COMMAND_NAMES, command
from turboupload import __version__
from turboupload.cli.main import COMMANDS, cli

HEAVY = {"aiobotocore", "aiohttp", "anyio", "asyncio", "botocore", "rich", "structlog", "uvloop"}
BUNDLE = Path(__file__).resolve().parents[2] / "pyproject.toml"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "turboupload", *arguments],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("name", COMMAND_NAMES)
def test_every_command_has_help(name: str) -> None:
    done = CliRunner().invoke(cli, [*name.split(), "--help"], prog_name="turboupload")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: turboupload {name}")


@pytest.mark.parametrize("name", COMMAND_NAMES)
def test_every_option_has_help_and_a_variable(name: str) -> None:
    for each in command(name).params:
        if isinstance(each, click.Option):
            assert each.help, each.name
            assert str(each.envvar).startswith("TURBOUPLOAD_"), each.name


@pytest.mark.parametrize("name", ["upload", "batch", "check", "sheet"])
def test_the_first_screen_has_two_examples_and_then_the_options(name: str) -> None:
    screen = run(name, "--help").stdout.splitlines()[:24]
    assert sum(line.startswith(f"  turboupload {name} ") for line in screen) == 2
    assert "Options:" in screen


def test_variables_are_told_in_one_note() -> None:
    said = run("readsets", "list", "--help").stdout
    assert said.count("TURBOUPLOAD_") == 2
    assert "--name: TURBOUPLOAD_READSETS_NAME" in " ".join(said.split())


def test_the_overview_lists_every_command() -> None:
    done = run("--help")
    assert done.returncode == 0
    for name, sentence in COMMANDS.items():
        assert name in done.stdout
        assert sentence in done.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["upload", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from turboupload.cli.main import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert done.stdout
    assert not HEAVY & set(done.stderr.split())


def test_the_version_is_the_projects() -> None:
    assert run("--version").stdout.startswith(f"turboupload {__version__}\n")
    if BUNDLE.exists():
        assert tomllib.loads(BUNDLE.read_text())["project"]["version"] == __version__


def test_nothing_at_all_shows_the_overview() -> None:
    done = run()
    assert done.returncode == 2
    assert "Commands:" in done.stderr
