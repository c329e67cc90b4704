"""Who sends the parts of a row that is spread, without a cluster."""

from __future__ import annotations

import pickle
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.cluster.test_parts import READ_SET, row
from tests.support.scripted import FastClock
from turboupload.cluster.files_seen import FilesSeen
from turboupload.cluster.messages import Failure, PartDone, PartTold, Steering, Worker
from turboupload.config import UploadConfig
from turboupload.core.model import Digest, FileIdentity, Part, PartSource, Source, SourceFile
from turboupload.core.upload.events import PartSeen
from turboupload.engine.run import PartLost
from turboupload.errors import (
    CallFailed,
    LinkFailed,
    ServiceRefused,
    SourceChanged,
    Stopped,
    TurbouploadError,
)
from turboupload.files.source import inspect_source
from turboupload.omics.base import NOT_FOUND, UploadRef

pytest.importorskip("distributed", reason="the extra `dask` isn't installed")

from turboupload.cluster.attempts import WorkerLost
from turboupload.cluster.membership import Member, Membership
from turboupload.cluster.parts_in_hand import same_files
from turboupload.cluster.spread import Spread

Known = TurbouploadError | CallFailed | LinkFailed


def test_a_copy_is_not_the_very_file(tmp_path: Path) -> None:
    """Parts of a copy must not be mixed with those of the file, whatever its name and size."""
    file, copy = tmp_path / "file", tmp_path / "copy"
    file.write_bytes(b"A" * 5000)
    shutil.copy2(file, copy)
    one, two = (inspect_source(str(each), PartSource.SOURCE1) for each in (file, copy))
    assert "another inode" in (same_files([one], [two]) or "")
    as_mounted = replace(one.files[0].identity, device=77)
    mounted = replace(one, files=(replace(one.files[0], identity=as_mounted),))
    assert same_files([one], [mounted]) is None
    assert "other content" in (same_files([one], [replace(mounted, fingerprint="0")]) or "")

    files, about = FilesSeen(), row(5)
    files.read_sets = {2: READ_SET}
    files.seen("one", [about], [])
    (there,) = about.identities
    assert files.has_the_very("one", about, [replace(there, device=77)])
    assert not files.has_the_very("one", about, [replace(there, mtime_ns=1)])
    assert not files.has_the_very("two", about, [there])


class FakeAttempts:
    """Workers of whom each answers in its own way, and always the same."""

    def __init__(self, answers: dict[str, PartSeen | Exception]) -> None:
        self.answers = answers

    @contextmanager
    def in_hand(self, *_: object) -> Iterator[None]:
        yield

    async def make(self, member: Member, *_: object) -> PartDone:
        answer = self.answers[member.worker.name]
        if isinstance(answer, WorkerLost):
            raise answer
        ended: Any = Failure.of(answer) if isinstance(answer, Known) else answer
        return PartDone(PartTold("", (), 5, 0, 4, "disk"), ended)


class Spreading:
    """A row that is spread over the workers `one` and `two`, of which `one` comes first."""

    def __init__(self, answers: dict[str, PartSeen | Exception]) -> None:
        engine: Any = SimpleNamespace(clock=FastClock().clock(), config=UploadConfig())
        nobody: Any = None
        self.told: list[Any] = []
        self.sent: list[tuple[str, int]] = []
        self.membership = Membership(
            nobody, engine, self.told.append, job_now=nobody, before=nobody, meanwhile=nobody
        )
        for name in ("one", "two"):
            self.membership.members[name] = Member(Worker(name, name, name), b"")

        class Connected:
            async def run(self, *_: object) -> None:
                """Takes the upload in."""

        attempts: Any = FakeAttempts(answers)
        connected: Any = Connected()
        self.spread = Spread(
            "topic",
            connected,
            self.membership,
            attempts,
            steering=Steering,
            able=lambda _: True,
            tell=self.told.append,
            on_sent=lambda worker, count: self.sent.append((worker, count)),
        )
        source = Source(PART.source, (SourceFile("x", FileIdentity(1, 1, 5, 0)),), "")
        plan = SimpleNamespace(source=lambda _: source, sources=[source], total_bytes=5)
        self.run: Any = SimpleNamespace(
            ref=UploadRef("1234567890", "1"),
            upload=SimpleNamespace(plan=plan, checksum="sha256"),
            sent_bytes=0,
            partial_bytes={},
            limits_seen=Counter(),
        )


PART = Part(PartSource.SOURCE1, 1, 0, 5)
SEEN = PartSeen(
    part=PART, digest=Digest(xxh3=b"x" * 16, sha256=b"x" * 32), checksum="c", origin="sent"
)
BROKEN = LinkFailed("UploadReadSetPart", fault="lost", message="gone")


async def test_a_worker_that_fails_gets_no_more_parts_and_the_last_failure_is_the_rows() -> None:
    spreading = Spreading({"one": BROKEN, "two": SEEN})
    with pytest.raises(PartLost):
        await spreading.spread.send(spreading.run, PART)
    assert await spreading.spread.send(spreading.run, PART) == SEEN
    (remark,) = spreading.told
    assert "worker one gets no more parts of this file" in remark.text
    assert (spreading.sent, spreading.run.sent_bytes) == ([("one", 5), ("two", 5)], 10)
    assert spreading.run.partial_bytes == {}
    del spreading.membership.members["two"]
    with pytest.raises(LinkFailed, match="gone"):
        await spreading.spread.send(spreading.run, PART)


@pytest.mark.parametrize(
    "error",
    [
        CallFailed("UploadReadSetPart", code=NOT_FOUND, status=404, message="no such upload"),
        CallFailed("UploadReadSetPart", code="Gone", status=410, message="it was completed"),
        SourceChanged("it was written to"),
    ],
)
async def test_what_concerns_the_row_is_no_fault_of_a_worker(error: Exception) -> None:
    spreading = Spreading({"one": error, "two": error})
    with pytest.raises(type(error)):
        await spreading.spread.send(spreading.run, PART)
    assert not spreading.told


async def test_a_part_that_takes_many_workers_with_it_stops_the_row() -> None:
    spreading = Spreading({"one": WorkerLost(), "two": WorkerLost()})
    for _ in range(4):
        with pytest.raises(PartLost):
            await spreading.spread.send(spreading.run, PART)
    with pytest.raises(Stopped, match="5 workers were lost while they had part 1 in hand"):
        await spreading.spread.send(spreading.run, PART)


def test_errors_come_whole_from_a_worker() -> None:
    refused = CallFailed("X", code="AccessDeniedException", status=403, message="no")
    error = ServiceRefused("denied", operation="X")
    error.__cause__ = refused
    there = pickle.loads(pickle.dumps(Failure.of(error))).restored()  # noqa: S301 - our own
    assert vars(there.__cause__) == vars(refused)
    assert vars(pickle.loads(pickle.dumps(BROKEN))) == vars(BROKEN)  # noqa: S301 - our own
