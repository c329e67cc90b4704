"""A file under check: its report, open only while it is read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from msgspec import Struct

from turboupload.errors import InputError
from turboupload.paths import regular_size
from turboupload.seqcheck.checks.findings import Depth, FileFacts
from turboupload.seqcheck.checks.pairs import Mate
from turboupload.seqcheck.checks.report import Report
from turboupload.seqcheck.formats import Compression

__all__ = ["Checked", "look_at", "mates_of"]


class Checked(Struct):
    """One file. It is open only while it is read: a source may have a thousand files.

    Attributes:
        report: What was found.
        place: Which file on the disk it is (device, inode); None where it can't be read.
    """

    report: Report
    place: tuple[int, int] | None = None

    @contextmanager
    def opened(self) -> Iterator[int | None]:
        """The file, open; None where it can't be read, which is reported."""
        try:
            descriptor = os.open(self.report.facts.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            self.report.error("file.unreadable", f"can't be opened: {error.strerror}")
            yield None
            return
        try:
            status = os.fstat(descriptor)
            if stat.S_ISREG(status.st_mode):
                self.place = (status.st_dev, status.st_ino)
                yield descriptor
            else:
                self.report.error("file.unreadable", "is no longer a regular file")
                yield None
        finally:
            os.close(descriptor)


def look_at(names: Sequence[str]) -> list[Checked]:
    """The files of one source, before they are read; one that can't be has a finding."""
    last = len(names) - 1
    return [_look_at_one(name, followed=index < last) for index, name in enumerate(names)]


def _look_at_one(name: str, *, followed: bool) -> Checked:
    report = Report(FileFacts(path=name), followed=followed)
    try:
        report.learn(size_bytes=regular_size(name))
    except InputError as error:
        report.error("file.unreadable", error.message, error.hint)
    return Checked(report)


@contextmanager
def mates_of(first: Checked, second: Checked) -> Iterator[tuple[Mate, Mate] | None]:
    """Two files to be compared, open; None where one can't be."""
    if first.report.fastq is None or second.report.fastq is None:
        yield None
        return
    with first.opened() as ours, second.opened() as theirs:
        if ours is None or theirs is None:
            yield None
        else:
            yield _mate(first.report, ours), _mate(second.report, theirs)


def _mate(report: Report, descriptor: int) -> Mate:
    facts = report.facts
    assert report.fastq is not None
    return Mate(
        facts.path,
        descriptor,
        facts.size_bytes,
        bgzf=facts.compression == Compression.BGZF,
        whole=facts.depth is Depth.WHOLE,
        records=report.fastq,
    )
