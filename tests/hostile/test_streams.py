"""A stream's upload, killed or interrupted: no second read set, and what is left is named."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.conftest import PART_SIZE, READS, wait_until
from tests.soak.site import Site
from tests.support.botocore_client import omics_client
from tests.support.launcher import Ending, Launched, in_time_s
from tests.support.samples import fastq


class Stream:
    """A command that writes a file, and its upload; each trial has a name of its own."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site = site
        self.path = fastq(folder / "reads.fastq.gz", reads=READS).path
        self.folder = folder
        self.client = omics_client(site.emulator, attempts=8)

    def start(self, name: str, words: str = 'cat "$0"', **launch: Any) -> Launched:
        return self.site.launcher.start(
            *("--store", self.site.emulator.store_id, "--name", name, "--from-command"),
            *("--sample", "HG002", "--subject", "NA24385", "--spool", "30000"),
            *("--part-size", str(PART_SIZE), "--concurrency", "1"),
            # Five of these is how long a Complete may take that nobody heard of.
            *("--stall-timeout", "2s"),
            # What the launcher adds is an argument that the shell doesn't look at.
            *("--", "sh", "-c", words, self.path),
            state=self.folder / name,
            environment={"TURBOUPLOAD_JSON": "1"},
            **launch,
        )

    def verify(self, name: str, ending: Ending) -> None:
        """One read set, of these bytes; whatever else is open is named."""
        assert ending.code == 0, ending.err[-800:]
        found = self.client.list_read_sets(**self.site.store, filter={"name": name})["readSets"]
        assert [each["id"] for each in found] == [ending.last["read_set_id"]]
        reply = self.client.get_read_set(**self.site.store, id=found[0]["id"], partNumber=1)
        assert reply["payload"].read() == self.path.read_bytes()
        told = " ".join(event["text"] for event in ending.events if "text" in event)
        for upload in self.client.list_multipart_read_set_uploads(**self.site.store)["uploads"]:
            if upload["name"] == name:
                assert f"turboupload uploads abort {upload['uploadId']} --store" in told


@pytest.fixture(scope="module")
def stream(shared_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Stream:
    shared_site.emulator.clear_faults()
    return Stream(shared_site, tmp_path_factory.mktemp("streams"))


def test_killed_on_an_edge_where_it_matters_the_same_command_makes_one_read_set(
    stream: Stream,
) -> None:
    clean = stream.start("clean")
    stream.verify("clean", clean.wait())
    edges = [
        "after the row opening", "after Create", "after SendPart 1/1", "after the row part 1/6",
        "after the row completing", "after Complete", "after the row completed",
    ]  # fmt: skip
    assert [edge for edge in clean.edges if edge in edges] == edges
    for number, edge in enumerate(edges):
        assert stream.start(f"k{number}", edge=edge).wait().killed, edge
        stream.verify(f"k{number}", stream.start(f"k{number}").wait())


@pytest.mark.parametrize("deed", ["interrupt", "terminate"])
def test_a_signal_ends_it_and_its_command_in_time(stream: Stream, deed: str) -> None:
    mark = stream.folder / f"{deed}.pid"
    words = f'echo $$ > {mark}; cat "$0"; exec sleep 600'
    run = stream.start(deed, words, edge="after SendPart 1/2", deed=deed)
    ending = run.wait()
    assert ending.code == 130
    assert run.deed_at is not None
    assert ending.at - run.deed_at < in_time_s()
    assert ending.last["outcome"] == "interrupted"
    assert f"turboupload uploads abort {ending.last['upload_id']} --store" in ending.err
    assert "can't be read twice" in ending.err
    pid = int(mark.read_text())
    wait_until(lambda: not _runs(pid))
    stream.verify(deed, stream.start(deed).wait())


def test_a_command_that_fails_completes_nothing(stream: Stream) -> None:
    ending = stream.start("fails", 'cat "$0"; exit 9').wait()
    assert (ending.code, ending.last["outcome"]) == (3, "rejected")
    assert ending.last["error"]["code"] == "producer.failed"
    assert "ended with exit code 9" in ending.err
    assert "was aborted" in " ".join(each.get("text", "") for each in ending.events)
    reply = stream.client.list_read_sets(**stream.site.store, filter={"name": "fails"})
    assert reply["readSets"] == []
    uploads = stream.client.list_multipart_read_set_uploads(**stream.site.store)["uploads"]
    assert "fails" not in {each["name"] for each in uploads}


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state != "Z"
