"""What docs/testing.md shows runs, where the packages are installed; the rest is said there."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support import samples
from tests.support.commands import command
from tests.support.plugin import options
from turboupload.emulator.operations.service import OPERATIONS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "testing.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)

pytest_plugins = ("pytester",)


def test_the_snippets_run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    reads = samples.fastq(pytester.path / "reads.fastq.gz").path
    pytester.makeconftest(
        f"import pytest\n@pytest.fixture\ndef reads():\n    return {str(reads)!r}\n"
    )
    used = [
        each for each in SNIPPETS if "import boto3" not in each or find_spec("boto3") is not None
    ]
    pytester.makepyfile(**{f"test_{n}": text for n, text in enumerate(used)})
    done = pytester.runpytest_inprocess(*options(), "-p", "no:xdist")
    outcomes = done.parseoutcomes()
    told = sum(text.count("def test_") for text in used)
    assert outcomes.get("passed", 0) + outcomes.get("skipped", 0) == told >= 5
    assert outcomes.get("skipped", 0) <= 1  # the AWS CLI, where there is none


def test_the_help_of_the_emulator_names_what_it_covers() -> None:
    epilog = command("emulator").epilog or ""
    assert set(re.findall(r"\b[A-Z]\w+[a-z][A-Z]\w+", epilog)) == set(OPERATIONS)
