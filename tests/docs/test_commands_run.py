"""Every command in the documents and in the help's examples runs, against the emulator.

A page's commands run in their order, in one folder that has the files they speak of. What stands
for something that isn't here is in `KNOWN`, in `ASKED` and in the tests: this store's id, a folder
of the test for `/shared/lab`, a scheduler of this machine. What needs more than a shell has a test
of its own, in `ELSEWHERE`; what isn't run at all is in `NOT_RUN`, with the reason. Any other
command runs, so that none can be left out by oversight.
"""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import pytest

from tests.docs.lab import Lab
from tests.docs.scripts import HELP, SCRIPTS, Script, found, matches
from tests.support.botocore_client import omics_client
from tests.support.emulator import RunningEmulator

ROOT = Path(__file__).parents[2]

ELSEWHERE = {
    "docs/tutorial.md": "tests/docs/test_pages.py::test_the_tutorial_runs",
    "scripts/demo ": "tests/cli/test_demo.py::test_the_whole_story_in_less_than_a_minute",
    "turboupload demo": "tests/cli/test_demo.py::test_the_whole_story_in_less_than_a_minute",
    "turboupload demo sample.bam": "tests/cli/test_demo.py::test_the_users_own_files_and_no_traces",
    "aws omics start-run-batch": "tests/peers/test_documents.py::test_a_batchs_results_start_runs",
    "#SBATCH": "test_an_array_job_of_slurm",
    "srun ": "test_the_tasks_of_one_job_of_slurm",
    "awk 'FNR": "test_gnu_parallel_over_ssh",
    "parallel ": "test_gnu_parallel_over_ssh",
    "ssh ": "test_a_loop_over_ssh",
    "--dask tcp://": "test_the_workers_of_a_dask_cluster",
    "rediss://": "test_an_array_job_of_aws_batch",
    "turboupload watch /data/runs": "test_a_watcher",
    "turboupload jobs show 7": "test_a_job",
    "turboupload jobs set 7": "test_a_job",
    "turboupload jobs pause 7": "test_a_job",
    "turboupload jobs resume 7": "test_a_job",
    "http://collector:4318": "test_a_collector_of_opentelemetry",
    "docs/receipts.md": "test_the_commands_that_check_a_receipt",
}
"""Of which page, or with which words: the test that runs it; without a file it is in
`test_commands_elsewhere.py`."""

NOT_RUN = {
    "pip install": "this version is on no index before it is released. The extras' names are "
    "compared with pyproject.toml here; scripts/matrix installs the package from its folder",
    "scripts/test": "it runs this test",
    "scripts/check": "it is .ci/run's first step, and takes longer than all of these tests",
    ".venv/bin/python -m pytest": "it runs tests, as scripts/test does",
    ".ci/run": "it runs this test",
    "scripts/simulate": "it takes half a minute of a processor; tests/simulation plays worlds",
    "scripts/soak": "it takes minutes; rounds of it run in tests/soak",
    "paws::omics": "R is not among what the tests install; the page says that it isn't run",
}
"""With which words: why it isn't run. test_contributing.py compares the options of `scripts/…`."""


HOW_MANY = {
    "turboupload demo": 3, "turboupload watch /data/runs": 5, "turboupload jobs set 7": 3,
    "pip install": 10, "scripts/test": 2, "scripts/simulate": 6,
}  # fmt: skip
"""Scripts with these words, where that isn't one: a further one must be looked at, too."""


def _by_hand(script: Script) -> bool:
    return any(matches(script, key) for key in (*ELSEWHERE, *NOT_RUN))


PLAIN = [script for script in SCRIPTS if not _by_hand(script)]


def test_every_exception_is_of_a_command_that_is_there() -> None:
    for key in (*ELSEWHERE, *NOT_RUN):
        if not key.startswith("docs/"):
            assert len(found(key)) == HOW_MANY.get(key, 1), key
    assert len(PLAIN) > 50


@pytest.mark.parametrize("place", sorted(set(ELSEWHERE.values())))
def test_what_runs_elsewhere_does(place: str) -> None:
    path, _, name = place.rpartition("::")
    assert f"def {name}(" in (ROOT / (path or "tests/docs/test_commands_elsewhere.py")).read_text()


def test_the_extras_that_are_installed_exist() -> None:
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {each for text in found("pip install") for each in re.findall(r"\[(\w+)\]", text)}
    assert named <= set(known)


@pytest.mark.parametrize("page", sorted({script.page for script in PLAIN}))
def test_the_commands_of_a_page_run(page: str, place: Lab, service: RunningEmulator) -> None:
    if page == HELP:
        omics_client(service).create_multipart_read_set_upload(
            sequenceStoreId=place.store_id, sourceFileType="FASTQ", name="open", sampleId="s",
            subjectId="s",
        )  # fmt: skip
    missing = []
    for script in PLAIN:
        if script.page != page:
            continue
        if "samtools" in script.text and shutil.which("samtools") is None:
            missing.append(script.text)
            continue
        out = place.run(script.text)
        if re.search(r"turboupload upload ", script.text):
            assert "is ACTIVE" in out
    if missing:
        pytest.skip(f"samtools isn't installed, so all of {page} ran but {missing}")
