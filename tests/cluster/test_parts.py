"""What a batch on other machines is made of, without any."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.scripted import FastClock
from turboupload.batch.elsewhere import WORKERS
from turboupload.batch.failures import StopRule, ended_row
from turboupload.cluster import DaskWorkers
from turboupload.cluster.files_seen import FilesSeen
from turboupload.cluster.messages import Job, packed, state_folder, unpacked
from turboupload.cluster.sealing import Reader, SealedBox
from turboupload.config import UploadConfig
from turboupload.core.batch import BatchRow
from turboupload.core.formats import FileType
from turboupload.core.model import FileIdentity, ReadSet
from turboupload.core.rate.schedule import FASTEST, FEED_S, MOST_FED, Schedule
from turboupload.core.sheet.model import SheetFinding
from turboupload.errors import ConfigError, Stopped
from turboupload.omics.quotas import Quotas

READ_SET = ReadSet(sources=["a.gz"], name="a", sample_id="S", subject_id="X")
SECRET = "s3cret"


def row(size: int, number: int = 2) -> BatchRow:
    return BatchRow(
        number=number,
        read_set=READ_SET,
        file_type=FileType.FASTQ,
        identities=(FileIdentity(1, 1, size, 0),),
    )


def test_a_row_is_sent_where_its_files_are_the_same() -> None:
    files = FilesSeen()
    assert not files.unknown("one"), "nothing is to be looked at yet"
    files.read_sets = {2: READ_SET}
    assert Path(files.wanted()[2].paths[0]).is_absolute()
    missing = SheetFinding(2, None, "a.gz: there is no such file")
    files.seen("one", [], [missing])
    _, (finding,) = files.verdict()
    assert finding.message == "a.gz: there is no such file (as seen from one)"

    files.seen("two", [row(5)], [])
    (found,), findings = files.verdict()
    assert not findings
    assert (files.has("one", found), files.has("two", found)) == (False, True)
    assert found.read_set is READ_SET, "with its path as the sheet has it"

    files.seen("three", [row(6)], [])
    rows, (finding,) = files.verdict()
    assert not rows
    assert finding.message == "its files are not the same on three, two"


def test_machines_that_are_gone_are_no_fault_of_the_row() -> None:
    gone = Stopped("nobody is there", operation=WORKERS)
    assert ended_row(gone, None)["status"] == "stopped"
    assert not StopRule(1).stops(gone)


@pytest.mark.parametrize("wires", [1, 3])
def test_each_machine_is_fed(wires: int) -> None:
    schedule = Schedule([int(10 * FEED_S * FASTEST)] * 30, turns_per_s=30)
    schedule.wires = wires
    begun = 0
    while schedule.next() is not None:
        begun += 1
    assert begun == wires * MOST_FED


async def test_a_portion_of_the_quota_is_kept_to() -> None:
    quotas, fast = Quotas(), FastClock()
    quotas.portion = 0.25
    clock = fast.clock()
    for _ in range(20):
        await quotas.take("UploadReadSetPart", clock)
    began = clock.now()
    for _ in range(20):
        await quotas.take("UploadReadSetPart", clock)
    assert 20 / (clock.now() - began) == pytest.approx(2.5, rel=0.05)


def test_hosts_have_no_journal_in_common(tmp_path: Path) -> None:
    job = Job(UploadConfig(state_dir=tmp_path), "1234567890", "here", "topic")
    assert state_folder(job, "here") == tmp_path
    assert state_folder(job, "there") == tmp_path / "hosts" / "there"


def test_what_workers_are_told_shows_no_secret() -> None:
    config = UploadConfig(quota_share=f"redis://:{SECRET}@host/0")
    job = Job(config, "1234567890", "here", "topic")
    reader = Reader()
    box = SealedBox.of(packed(job), reader.key)
    assert unpacked(reader.opened(box)) == job
    assert SECRET not in repr(box) + repr(job)
    assert SECRET.encode() not in box.content
    with pytest.raises(ValueError, match="for another process"):
        Reader().opened(box)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"session": lambda: ("key", SECRET, None)}, "Dask's workers use their own"),
        ({"quota_share": f"redis://:{SECRET}@host/0"}, "would get it unencrypted"),
    ],
)
async def test_secrets_are_not_sent(config: dict[str, Any], message: str) -> None:
    class Engine:
        def __init__(self) -> None:
            self.config = UploadConfig(**config)

    pytest.importorskip("distributed", reason="the extra `dask` isn't installed")
    engine: Any = Engine()
    with pytest.raises(ConfigError, match=message) as refused:
        async with DaskWorkers("tcp://127.0.0.1:9").opened(engine, "1234567890", print):
            pass
    assert SECRET not in str(refused.value) + str(refused.value.hint)


@pytest.mark.parametrize("where", [3, None, "tcp://user:pw@host:1", "local:many"])
def test_what_is_no_cluster_is_refused(where: Any) -> None:
    with pytest.raises(ConfigError):
        DaskWorkers(where)
