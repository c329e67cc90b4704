"""Manual pages: one for each command, made of its help, and of a form that man takes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import files
from pathlib import Path

import click
import pytest

from tests.support.commands import COMMAND_NAMES, command
from turboupload.cli.main import cli
from turboupload.cli.options.help import HelpfulCommand, Option
from turboupload.cli.options.manual import manual_pages

PAGES = dict(manual_pages(cli, "turboupload", "2026-11-29"))
PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def page(name: str) -> str:
    return PAGES[f"turboupload-{name.replace(' ', '-')}.1"]


@pytest.mark.parametrize("name", COMMAND_NAMES)
def test_every_command_has_a_page_with_every_option(name: str) -> None:
    text = page(name).replace(r"\-", "-")
    for parameter in command(name).params:
        if isinstance(parameter, click.Option):
            for spelling in (*parameter.opts, *parameter.secondary_opts):
                assert rf"\fB{spelling}\fR" in text, spelling
    assert rf"\fBturboupload-{name.replace(' ', '-')}\fR(1)" not in text


def test_groups_have_pages_that_name_their_commands() -> None:
    assert r"\fBturboupload\-readsets\-list\fR(1)" in page("readsets")
    for name in COMMAND_NAMES:
        assert rf"\fBturboupload\-{name.split()[0]}\fR(1)" in PAGES["turboupload.1"]


def test_exit_codes_and_variables_are_in_it() -> None:
    assert "\n.SH EXIT STATUS\n.TP\n\\fB0\\fR\n" in page("upload")
    assert "TURBOUPLOAD_" in page("upload").partition(".SH ENVIRONMENT")[2]


@click.command(
    cls=HelpfulCommand, examples=("odd 'a b' \\\n    --x ~/c",), params=[Option(["--x"])]
)
def odd() -> None:
    """Do `--x` and nothing else.

    \b
    .begins with a dot
      'begins with a quote'

    A path is C:\\new, "quoted" - and naïve ^caret `tick.
    """


@pytest.fixture
def written(tmp_path: Path) -> list[str]:
    for name, text in {**PAGES, **dict(manual_pages(odd, "odd", "2026-11-29"))}.items():
        (tmp_path / name).write_text(text, encoding="ascii")
    return [str(each) for each in sorted(tmp_path.iterdir())]


GROFF, MANDOC = shutil.which("groff"), shutil.which("mandoc")


@pytest.mark.skipif(GROFF is None, reason="groff is not installed")
def test_groff_has_nothing_to_say(written: list[str]) -> None:
    assert GROFF is not None
    done = subprocess.run(
        [GROFF, "-ww", "-man", "-Tutf8", "-P-cbou", *written],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    shown = " ".join(done.stdout.split())
    assert "odd - Do --x and nothing else" in shown
    assert ".begins with a dot 'begins with a quote'" in shown
    assert r'A path is C:\new, "quoted" - and naïve ^caret `tick.' in shown
    assert r"turboupload odd 'a b' \ --x ~/c" in shown


@pytest.mark.skipif(MANDOC is None, reason="mandoc is not installed")
def test_mandoc_has_nothing_to_say(written: list[str]) -> None:
    assert MANDOC is not None
    done = subprocess.run(
        [MANDOC, "-T", "lint", "-W", "warning", *written],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("", "")


def test_the_package_installs_them() -> None:
    installed = {each.as_posix() for each in files("turboupload") or ()}
    assert any(each.endswith("share/man/man1/turboupload-upload.1") for each in installed)


def test_they_are_made_with_what_builds_the_wheel() -> None:
    """Of all that the package needs, only what the build requires may be imported for them."""
    project = tomllib.loads(PROJECT.read_text())
    named = {
        kind: {re.split(r"[^\w-]", each)[0] for each in requirements}
        for kind, requirements in (
            ("needed", project["project"]["dependencies"]),
            ("optional", project["project"]["optional-dependencies"]["preflight"]),
            ("there", project["build-system"]["requires"]),
        )
    }
    missing = (named["needed"] | named["optional"]) - named["there"]
    code = (
        f"import sys\nsys.modules.update(dict.fromkeys({sorted(missing)}))\n"
        "from turboupload.cli.main import cli\n"
        "from turboupload.cli.options.manual import manual_pages\n"
        "print(len(list(manual_pages(cli, 'turboupload', ''))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout == f"{len(PAGES)}\n", done.stderr
