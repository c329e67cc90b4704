"""What a watcher knows of its runs: a file a run in the state folder, each whole or not there.

A run's record is durable before its batch begins, and again when that has ended: so a watcher that
was killed knows which batch to run again, and a batch that runs again sends nothing twice.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from turboupload.core.watch.records import RunRecord, read_record, written
from turboupload.errors import UploadBusy
from turboupload.state.lock import UploadLock, unusable
from turboupload.state.whole_file import write_whole

__all__ = ["WatchState"]


class WatchState:
    """The records of the runs of one folder.

    Args:
        state_folder: The state folder.
        watched: The folder that is watched.

    Attributes:
        folder: Where the records are.
    """

    def __init__(self, state_folder: Path, watched: str) -> None:
        self._state_folder = state_folder
        self._watched = os.path.realpath(watched)
        name = hashlib.sha256(os.fsencode(self._watched)).hexdigest()[:16]
        self.folder = state_folder / "watch" / name
        self._key = f"watch-{name}"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lets only one process watch the folder, as a context.

        Raises:
            UploadBusy: Another process watches it.
            ConfigError: The state folder can't be used.
            Stopped: Its disk is full, or failed.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(UploadLock(self._state_folder, self._key))
            except UploadBusy as error:
                raise UploadBusy(
                    f"{error.message.split(' is uploading')[0]} watches this folder",
                    path=self._watched,
                    hint="one watcher is enough; `turboupload jobs` lists what runs here",
                    lock=self._key,
                ) from None
            yield

    def prepare(self) -> None:
        """Makes the folder of the records.

        Raises:
            ConfigError: It can't be made.
            Stopped: Its disk is full, or failed.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            place = self.folder / "folder.txt"
            if not place.exists():
                write_whole(place, os.fsencode(self._watched).decode(errors="replace") + "\n")
        except OSError as error:
            raise unusable(self.folder, error) from error

    def records(self) -> dict[str, RunRecord]:
        """All records, by their keys; blocking.

        A damaged one is set aside: its run is looked at again, and nothing of it is sent twice.

        Raises:
            ConfigError: The folder can't be read.
            Stopped: Its disk failed.
        """
        found = {}
        try:
            for path in sorted(self.folder.glob("*.json")):
                record = read_record(path.read_text(encoding="utf-8", errors="replace"))
                if record is None or record.key != path.stem:
                    path.rename(path.with_suffix(".damaged"))
                    continue
                found[record.key] = record
        except OSError as error:
            raise unusable(self.folder, error) from error
        return found

    def save(self, record: RunRecord) -> None:
        """Writes a record; durable when it returns.

        Raises:
            ConfigError: It can't be written.
            Stopped: Its disk is full, or failed.
        """
        try:
            write_whole(self.folder / f"{record.key}.json", written(record))
        except OSError as error:
            raise unusable(self.folder, error) from error

    def output_of(self, run: str, key: str, place: str | None) -> Path:
        """The folder of a run's sheet, results and report.

        Args:
            run: The run's folder, below the one that is watched.
            key: The run's.
            place: Where all of them are; None keeps them in the state folder.
        """
        name = "".join(each if each.isalnum() or each in "._-" else "_" for each in run)[-80:]
        root = Path(place).absolute() if place is not None else self.folder.absolute()
        return root / f"{name}-{key[:6]}"
