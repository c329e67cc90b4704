"""Commands in this process, against a store of their own."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest

import turboupload
from tests.cli.ran import Ran
from tests.support import samples
from tests.support.botocore_client import omics_client
from tests.support.emulator import RunningEmulator
from turboupload.cli.main import main
from turboupload.core.notices import Notice
from turboupload.core.upload.events import Completing
from turboupload.operations import TRANSACTIONS_PER_S


class Enough(Exception):
    """All parts are there."""


def fast(**more: Any) -> turboupload.UploadConfig:
    """The emulator keeps no quota here, so neither need we; and it lists what it has at once."""
    rates = dict.fromkeys(TRANSACTIONS_PER_S, 1000.0)
    return turboupload.UploadConfig(transactions_per_s=rates, listing_lag_s=1.0, **more)


class Desk:
    """Runs commands in this process, against a store of its own."""

    def __init__(
        self, emulator: RunningEmulator, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.emulator = emulator
        self.folder = folder
        self.state = folder / "state"
        self.store = self._new_store()
        self._capsys = capsys

    def run(self, *words: str) -> Ran:
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([*words, "--state-dir", str(self.state)])
        out, err = self._capsys.readouterr()
        assert "Traceback" not in err
        assert isinstance(ended.value.code, int)
        return Ran(ended.value.code, out, err)

    def look(self, *words: str) -> Ran:
        """Runs a command on the store."""
        return self.run(*words, "--store", self.store)

    def database(self, statement: str, *values: Any) -> None:
        """Changes what the emulator keeps, behind its back: age and status come from there."""
        with (
            closing(sqlite3.connect(self.emulator.root / "emulator.sqlite3", timeout=30)) as db,
            db,
        ):
            # The emulator's triggers keep what was, with the time from which it no longer is.
            db.create_function("now", 0, time.time)
            db.execute(statement, values)

    def _new_store(self) -> str:
        client = omics_client(self.emulator)
        return str(client.create_sequence_store(name=f"store of {self.folder.name}"[:100])["id"])

    def open_upload(self, name: str, **more: Any) -> str:
        """An open upload without parts, that the journal does not know."""

        async def create() -> str:
            async with turboupload.SequenceStores(fast()) as stores:
                said = {"file_type": "BAM", "sample_id": "s", "subject_id": "u", **more}
                made = await stores.create_multipart_read_set_upload(self.store, name=name, **said)
                return made.upload_id

        return anyio.run(create)

    def begun_upload(self, name: str, *, completing: bool = False) -> str:
        """An open upload with all its parts, 19,485 bytes, that the journal knows.

        Args:
            name: Of the read set and its file.
            completing: Whether it was about to be completed.
        """
        upload_id = ""

        def stop(notice: Notice) -> None:
            nonlocal upload_id
            upload_id = getattr(notice, "upload_id", None) or upload_id
            done = getattr(notice, "done_parts", 0) == 4
            if isinstance(notice, Completing) if completing else done:
                raise Enough

        with pytest.raises((Enough, ExceptionGroup)):
            self._upload(name, on_event=stop, concurrency=1, part_size_bytes=5000)
        assert upload_id
        return upload_id

    def read_set(self, name: str, **more: Any) -> str:
        return self._upload(name, **more).read_set_id

    def _upload(
        self, name: str, on_event: Callable[[Notice], None] | None = None, **config: Any
    ) -> turboupload.UploadResult:
        sample = samples.fastq(self.folder / f"{name}.fastq.gz")
        return turboupload.upload_sync(
            turboupload.ReadSet(
                sources=[sample.path], name=name, sample_id="HG002", subject_id="NA24385"
            ),
            store_id=self.store,
            config=fast(**config),
            on_event=on_event,
        )

    def make_older(self, upload_id: str, days: float) -> None:
        """As if an upload, and its parts, had come so much earlier."""
        seconds = days * 86400
        self.database("UPDATE uploads SET created = created - ? WHERE id = ?", seconds, upload_id)
        self.database(
            "UPDATE parts SET created = created - ?, updated = updated - ? WHERE upload_id = ?",
            seconds, seconds, upload_id,
        )  # fmt: skip
