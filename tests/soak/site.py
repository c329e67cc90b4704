"""A service, the command, and how to tell that an upload arrived once and whole."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.botocore_client import omics_client
from tests.support.emulator import RunningEmulator
from tests.support.launcher import Ending, Launcher

__all__ = ["Site", "Subject", "Traffic"]


@dataclass(frozen=True)
class Subject:
    """What is uploaded in one trial, and how.

    Attributes:
        name: The read set's.
        paths: Its files.
        part_size: In bytes.
        concurrency: Parts in flight at most.
        state: The folder of the journal.
        seconds: How long its bytes take at the least; 0 where nothing holds them up.
    """

    name: str
    paths: tuple[Path, ...]
    part_size: int
    concurrency: int
    state: Path
    seconds: float = 0.0

    @property
    def size(self) -> int:
        return sum(path.stat().st_size for path in self.paths)

    def arguments(self, store_id: str) -> list[str]:
        slowly = ["--max-bandwidth", f"{self.size / self.seconds:.0f}B/s"] if self.seconds else []
        return [
            *map(str, self.paths), "--store", store_id, "--name", self.name,
            "--sample", "HG002", "--subject", "NA24385",
            "--part-size", str(self.part_size), "--concurrency", str(self.concurrency), *slowly,
        ]  # fmt: skip

    def forget(self) -> None:
        """Loses the journal."""
        shutil.rmtree(self.state, ignore_errors=True)


@dataclass(frozen=True)
class Traffic:
    """What the service received of one upload's parts.

    Attributes:
        body_bytes: Of all attempts, also those that broke off.
        stored_again: How many parts were received and stored once more than needed.
    """

    body_bytes: int = 0
    stored_again: int = 0


class Site:
    """An emulator and a launcher, in one folder.

    Args:
        folder: For everything.
        options: Further ones of the emulator.
        tls: Whether it is HTTPS that is spoken.
    """

    def __init__(self, folder: Path, *options: str, tls: bool = True) -> None:
        self.folder = folder
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as stack:
            self.emulator = stack.enter_context(
                RunningEmulator("--quotas", "off", "--ingest-delay", "0", *options, tls=tls)
            )
            self.launcher = stack.enter_context(Launcher(folder / "runs", self.emulator.env()))
            self._stack = stack.pop_all()
        self._client = omics_client(self.emulator, attempts=8)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def store(self) -> dict[str, str]:
        return {"sequenceStoreId": self.emulator.store_id}

    def verify(self, subject: Subject, ending: Ending) -> None:
        """Checks that the upload arrived: once, whole, and nothing is left open.

        Raises:
            AssertionError: It did not.
        """
        assert ending.code == 0, f"exit {ending.code}: {ending.err[-800:]}"
        assert ending.last["outcome"] == "active", ending.last
        read_set_id = ending.last["read_set_id"]
        found = self._client.list_read_sets(**self.store, filter={"name": subject.name})
        assert [each["id"] for each in found["readSets"]] == [read_set_id], found
        for file, path in zip(("SOURCE1", "SOURCE2"), subject.paths, strict=False):
            assert self._stored(read_set_id, file) == path.read_bytes(), f"{file} differs"
        left = self._client.list_multipart_read_set_uploads(**self.store)["uploads"]
        assert not [each for each in left if each["name"] == subject.name], left

    def _stored(self, read_set_id: str, file: str) -> bytes:
        # Smaller than a part of GetReadSet, all of them.
        reply = self._client.get_read_set(**self.store, id=read_set_id, file=file, partNumber=1)
        return bytes(reply["payload"].read())

    def traffic(self, upload_ids: Sequence[str]) -> Traffic:
        """What was received of the parts of these uploads since the emulator's last start."""
        stats = self.emulator.stats()
        rows = [row for row in stats["parts"] if row["uploadId"] in upload_ids]
        return Traffic(
            sum(row["bodyBytes"] for row in rows),
            sum(row["stored"] - 1 for row in rows if row["stored"]),
        )
