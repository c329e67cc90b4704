"""What the documents say is true: options, exit codes, commands, the library's example."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import anyio
import click
import pytest

import turboupload
from tests.faults.answers import tables
from tests.support import samples
from tests.support.commands import COMMAND_NAMES, command
from tests.support.emulator import RunningEmulator
from tests.support.samples import REFERENCE_ARN
from turboupload.cli.ui.errors import exit_code_for
from turboupload.errors import (
    ConfigError,
    InputError,
    IntegrityError,
    ReadSetRejected,
    ServiceRefused,
    Stopped,
)

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
INDEX = (ROOT / "docs" / "guide.md").read_text()
PAGES = {page.name: page.read_text() for page in sorted((ROOT / "docs" / "guide").glob("*.md"))}
GUIDE = "\n".join((INDEX, *PAGES.values()))
SECTIONS = re.split(r"^(?=##? )", GUIDE, flags=re.MULTILINE)
"""Of the whole guide, each with its headings of a lower level."""


def section(name: str) -> str:
    """What the guide says of a command: in one place, which begins with its name."""
    (found,) = (
        each
        for each in SECTIONS
        if re.match(rf"## `turboupload {name}(?=`| [^a-z]| bash)", each.split("\n", 1)[0])
    )
    return found.rstrip()


(COMMON,) = (
    each for each in SECTIONS if each.startswith("## Options of every command that reaches")
)


def test_every_page_of_the_guide_is_in_its_table_and_on_the_site() -> None:
    site = (ROOT / "scripts" / "mkdocs.yml").read_text()
    for name in PAGES:
        assert f"](guide/{name}) |" in INDEX, name
        assert f": docs/guide/{name}\n" in site, name


@pytest.mark.parametrize("name", COMMAND_NAMES)
def test_the_table_of_tasks_leads_to_the_page_of_each_command(name: str) -> None:
    (page,) = re.findall(rf"\]\(guide/([a-z]+\.md)\) \|.*`{name}`", INDEX)
    assert section(name) in PAGES[page]


@pytest.mark.parametrize("name", COMMAND_NAMES)
def test_every_option_is_in_the_guide_and_in_the_environment(name: str) -> None:
    text = section(name) + COMMON
    for parameter in command(name).params:
        if isinstance(parameter, click.Option):
            for spelling in (*parameter.opts, *parameter.secondary_opts):
                assert f"`{spelling}`" in text, f"{name} {spelling} is not in docs/guide"
            assert str(parameter.envvar).startswith("TURBOUPLOAD_"), parameter.name
            assert parameter.help, parameter.name


def test_every_option_in_the_guide_exists() -> None:
    for name in COMMAND_NAMES:
        known = {
            spelling
            for parameter in command(name).params
            for spelling in (*parameter.opts, *parameter.secondary_opts)
        }
        rows = re.findall(r"^\| (`--[^|]*)", section(name), re.MULTILINE)
        told = set(re.findall(r"`(--?[a-z0-9-]+)`", " ".join(rows)))
        assert told <= known, told - known


def test_the_exit_codes_are_those_of_the_guide() -> None:
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", INDEX, re.MULTILINE)}
    made = {
        exit_code_for(error)
        for error in (
            ConfigError("x"),
            InputError("x"),
            ServiceRefused("x"),
            Stopped("x"),
            IntegrityError("x"),
            ReadSetRejected("x", read_set_id="1"),
        )
    }
    assert made == {2, 3, 4, 5, 6, 7}
    assert made | {0, 1, 8, 130} == told


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, RunningEmulator]]:
    folder = tmp_path_factory.mktemp("readme")
    one, two = samples.fastq_pair(folder)
    one.path.rename(folder / "HG002_R1.fastq.gz")
    two.path.rename(folder / "HG002_R2.fastq.gz")
    for lane in (1, 2):
        for mate, read in enumerate(samples.fastq_pair(folder, seed=lane + 1), start=1):
            read.path.rename(folder / f"HG002_S1_L00{lane}_R{mate}_001.fastq.gz")
    samples.bam(folder / "sample.bam")
    (folder / "run42").mkdir()
    (folder / "runs").mkdir()
    pair = samples.fastq_pair(folder / "run42")
    paths = ",".join(f"run42/{each.path.name}" for each in pair)
    (folder / "samples.csv").write_text(f"sample,fastq_1,fastq_2,subject\nrun42,{paths},run42\n")
    with RunningEmulator("--ingest-delay", "0", tls=True) as emulator:
        yield folder, emulator


def commands(text: str) -> list[str]:
    """The shell commands of a document's console blocks, continued lines joined."""
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def test_the_readmes_session_is_what_the_command_prints(
    lab: tuple[Path, RunningEmulator], tmp_path: Path
) -> None:
    """But for numbers, ids and hashes, which are of other files here."""
    block = re.findall(r"```console\n(.*?)```", README, re.DOTALL)[0]
    (line,) = commands(f"```console\n{block}```")
    told = block[block.index("\nread set") + 1 :]
    folder, emulator = lab
    # Under another name: the command as it stands is run by another test.
    line = line.replace("1234567890", emulator.store_id).replace("lane1", "session")
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(line)],
        cwd=folder,
        env={**os.environ, **emulator.env(), "TURBOUPLOAD_STATE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert _without_numbers(done.stdout) == _without_numbers(told)


def _without_numbers(text: str) -> list[str]:
    shape = re.sub(r"\b[0-9a-f]{32}\b", "HASH", text)
    shape = re.sub(r"[0-9][0-9.,]*( ?[KMG]i)?", "N", shape)
    return [line.replace("NB", "N B") for line in shape.splitlines()]


def test_the_readmes_scripts_are_there() -> None:
    named = set(re.findall(r"scripts/\w+", README))
    assert {"scripts/demo", "scripts/test"} <= named
    for each in named:
        assert os.access(ROOT / each, os.X_OK), each


def run_python(
    text: str, name: str, lab: tuple[Path, RunningEmulator], patch: pytest.MonkeyPatch, **names: Any
) -> dict[str, Any]:
    """Runs a document's Python, which may await, against the emulator; returns its names."""
    folder, emulator = lab
    patch.chdir(folder)
    for key, value in {**emulator.env(), "TURBOUPLOAD_STATE_DIR": str(folder / "state")}.items():
        patch.setenv(key, value)
    text = text.replace("1234567890", emulator.store_id).replace("print(", "(")
    text = text.replace('region="eu-west-1"', 'region="us-east-1"')
    code = compile(
        text,
        name,
        "exec",
        flags=getattr(__import__("ast"), "PyCF_ALLOW_TOP_LEVEL_AWAIT"),  # noqa: B009 # typeshed lacks it
    )
    known: dict[str, Any] = {"turboupload": turboupload, **names}
    running = eval(code, known)  # noqa: S307 # our own documents
    if running is not None:
        asyncio.run(running)
    return known


def blocks(path: str) -> list[str]:
    """A document's Python."""
    return re.findall(r"```python\n(.*?)```", (ROOT / path).read_text(), re.DOTALL)


def test_the_readmes_library_example_runs(
    lab: tuple[Path, RunningEmulator], monkeypatch: pytest.MonkeyPatch
) -> None:
    (example,) = blocks("README.md")
    result = run_python(example, "README.md", lab, monkeypatch)["result"]
    assert isinstance(result, turboupload.UploadResult)
    assert result.status == "ACTIVE"


class Board:
    """What a program shows progress on."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    async def update(self, *seen: Any) -> None:
        self.seen.append(seen)

    log = update


@pytest.mark.parametrize(
    ("path", "number"),
    [
        (path, number)
        for path in ("docs/library.md", "docs/guide/batch.md", "docs/guide/stores.md")
        for number in range(len(blocks(path)))
    ],
)
def test_the_python_of_the_documents_runs(
    path: str, number: int, lab: tuple[Path, RunningEmulator], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, emulator = lab
    samples.bam(folder / "HG002.bam", names=["HG002"])
    shutil.copy(folder / "samples.csv", folder / "run42.csv")
    board = Board()
    known = run_python(
        blocks(path)[number],
        path,
        lab,
        monkeypatch,
        reference=REFERENCE_ARN,
        role="arn:aws:iam::111122223333:role/upload",
        store_id=emulator.store_id,
        read_set=turboupload.ReadSet(
            sources=["HG002.bam"], name="snippet", reference_arn=REFERENCE_ARN
        ),
        board=board,
    )
    if "service" in known:
        asyncio.run(serve_a_moment(known["service"], folder))
    elif "hear" in known:
        asyncio.run(known["hear"](turboupload.events.Remark("code", "text")))
        assert board.seen == [("upload.remark", {"code": "code", "text": "text"})]


async def serve_a_moment(service: Callable[..., Coroutine[Any, Any, None]], folder: Path) -> None:
    """Runs the watcher of the documents until it watches, and stops it."""
    (folder / "runs").mkdir(exist_ok=True)
    stop = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(service, str(folder / "runs"), stop)
        with anyio.fail_after(20):
            # A file tells nobody that it is there.
            while not list((folder / "state").glob("watch/*/folder.txt")):  # noqa: ASYNC110
                await anyio.sleep(0.02)
        stop.set()


def test_the_front_door_is_sorted_and_opens() -> None:
    assert turboupload.__all__ == sorted(turboupload.__all__)
    for name in turboupload.__all__:
        assert getattr(turboupload, name).__name__ == name
    assert set(turboupload.__all__) < set(dir(turboupload))
    with pytest.raises(AttributeError):
        turboupload.nothing  # type: ignore[attr-defined] # noqa: B018 # the access is the test


def test_the_links_lead_somewhere() -> None:
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for target in re.findall(r"\]\((?!http)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


@pytest.mark.parametrize("table", tables().split("\n\n"), ids=["answers", "exceptions"])
def test_the_table_of_answers_is_the_one_that_is_tested(table: str) -> None:
    assert f"\n{table}\n" in (ROOT / "docs" / "errors.md").read_text()
