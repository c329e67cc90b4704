"""Audits folders: which files are proven to be in the store, so that they may be deleted?"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain as chained
from pathlib import Path as _Path
from typing import Final, TypeVar

import anyio
import anyio.to_thread

from turboupload.clock import Clock
from turboupload.config import UploadConfig, config_of
from turboupload.core.notices import Notice
from turboupload.core.proof.audit import Audit, AuditedFile, StoreView, audited, judge_file
from turboupload.core.proof.chain import check_documents, parse_document
from turboupload.core.proof.checksum import Digest
from turboupload.core.proof.known_files import KnownFile, KnownFiles, SeenFile, known_files
from turboupload.core.proof.receipt import Receipt
from turboupload.core.proof.receipt_reading import read_receipt
from turboupload.core.records import ReadSetDetails
from turboupload.core.upload.patience import Patience
from turboupload.errors import InputError, IntegrityError, ServiceRefused
from turboupload.files.folder_scan import scan_folders
from turboupload.files.receipt_check import difference_from, read_digests
from turboupload.omics.base import NOT_FOUND
from turboupload.paths import regular_size
from turboupload.runtime.eventloop import blocking
from turboupload.runtime.processors import thread_count
from turboupload.state.journal_reader import kept_chain, kept_receipts
from turboupload.state.receipt_folder import load_receipts
from turboupload.stores import SequenceStores

__all__ = ["audit", "audit_in", "audit_sync"]

T = TypeVar("T")

LISTED_FROM: Final = 100
"""From so many read sets on the store is listed, 100 a call, instead of asked for each."""

ASKED_AT_A_TIME: Final = 5

Path = str | os.PathLike[str]
OnProgress = Callable[[int, int], None]
"""Called with the bytes read so far and the bytes to read, by the threads that read."""


async def audit(
    folders: Path | Sequence[Path],
    *,
    store_id: str | None = None,
    receipts: Path | Sequence[Path] = (),
    deep: bool = False,
    config: UploadConfig | None = None,
    threads: int | None = None,
    on_progress: OnProgress | None = None,
    on_event: Callable[[Notice], object] | None = None,
) -> Audit:
    """Says of every sequencing file under folders whether it is proven to be in the store.

    It changes and deletes nothing. A file is the one that was sent where device, inode, size and
    time of change are those of its receipt, and its inode wasn't touched since; `deep` reads it
    again, too, and needs none of that.

    Args:
        folders: Folders, or files; symbolic links in them aren't followed.
        store_id: The store to ask for the read sets; None judges by receipts alone.
        receipts: Files of receipts, or folders of them, beside those of the journal.
        deep: Read each file, and compare its content with the receipt's digests. Copies of a file
            that was sent are found, too. It takes 0.5 KB of memory a part.
        config: How to reach the service; `state_dir` says which journal.
        threads: How many parts to read at a time; by default one a processor.
        on_progress: Told how far a deep audit is.
        on_event: Called with every event of the service's calls.

    Raises:
        ConfigError: The journal can't be read, or the service not be reached as configured.
        InputError: A folder or a file of receipts can't be read.
        ServiceRefused: There is no such store, or it may not be asked.
        Stopped: The service can't be reached.

    Example:
        ```python
        found = await turboupload.audit("/data/run42", store_id="1234567890")
        for each in found.files:
            print(each.standing, each.path, each.sentence)
        print(found.proven, found.freeable_bytes)
        ```
    """
    config = config_of(config)
    asking = partial(
        audit_in,
        folders=folders,
        store_id=store_id,
        receipts=receipts,
        deep=deep,
        config=config,
        threads=threads,
        on_progress=on_progress,
    )
    if store_id is None:
        return await asking(None)
    async with SequenceStores(config, on_event=on_event) as stores:
        return await asking(stores)


audit_sync = blocking(audit)


async def audit_in(
    stores: SequenceStores | None,
    *,
    folders: Path | Sequence[Path],
    store_id: str | None = None,
    receipts: Path | Sequence[Path] = (),
    deep: bool = False,
    config: UploadConfig,
    threads: int | None = None,
    on_progress: OnProgress | None = None,
) -> Audit:
    """The same as `audit`, with stores that are open already, or None."""
    began = time.monotonic()
    threads = thread_count(threads)
    shelf = await _in_thread(
        partial(_read_receipts, config.state_folder, _listed(receipts), with_digests=deep)
    )
    known = KnownFiles(shelf.files)
    scan = await _in_thread(partial(scan_folders, _listed(folders), known.names))
    store: StoreView | None = None
    if stores is not None and store_id is not None:
        candidates = chained.from_iterable(_candidates(each, known, deep) for each in scan.files)
        ids = {each.read_set_id for each in candidates if each.store_id == store_id}
        store = StoreView(store_id, await _read_sets(stores, store_id, ids))
    judged = [judge_file(each, known, store) for each in scan.files]
    if deep:
        reading = _Reading(known, store, threads, on_progress)
        try:
            judged = await _in_thread(partial(reading.compare, scan.files, judged))
        finally:
            reading.stop()
    return Audit(
        files=tuple(judged),
        store_id=store_id,
        unread=tuple(scan.unread),
        other_files=scan.other_files,
        other_bytes=scan.other_bytes,
        links=scan.links,
        findings=tuple(shelf.findings),
        receipts=shelf.receipts,
        seconds=time.monotonic() - began,
    )


async def _in_thread(work: Callable[[], T]) -> T:
    """Runs what only reads in a thread; a cancelled caller doesn't wait for it."""
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)


def _listed(paths: Path | Sequence[Path]) -> list[str]:
    return [
        os.fspath(each) for each in ([paths] if isinstance(paths, str | os.PathLike) else paths)
    ]


def _candidates(seen: SeenFile, known: KnownFiles, deep: bool) -> Iterable[KnownFile]:
    return known.of_size(seen.identity.size) if deep else known.same(seen)


# --- receipts ---------------------------------------------------------------------------------


@dataclass(slots=True)
class _Shelf:
    files: list[KnownFile]
    findings: list[str]
    receipts: int = 0

    def add(self, receipt: Receipt, where: str, *, with_digests: bool) -> None:
        self.receipts += 1
        real = [os.path.realpath(path) for path, _ in receipt.local_files]
        self.files += known_files(receipt, where, real, with_digests=with_digests)


def _read_receipts(state_folder: _Path, paths: Sequence[str], *, with_digests: bool) -> _Shelf:
    """Every receipt that can be believed; what can't be is told, and proves nothing."""
    shelf = _Shelf([], [])
    check, _, _ = kept_chain(state_folder)
    shelf.findings += [str(each) for each in check.faults]
    doubtful = {each.number for each in check.faults}
    for read_set_id, _, body in kept_receipts(state_folder):
        try:
            receipt = read_receipt(parse_document(body))
        except (InputError, IntegrityError) as error:
            if not check.faults:
                shelf.findings.append(f"the receipt of read set {read_set_id} {error.message}")
            continue
        if receipt.link is None:
            shelf.add(receipt, "the journal", with_digests=with_digests)
        elif receipt.link.number not in doubtful:
            where = f"receipt {receipt.link.number} of the journal"
            shelf.add(receipt, where, with_digests=with_digests)
    found, faults = load_receipts(paths)
    shelf.findings += [str(each) for each in faults]
    wrong, _, _ = check_documents(found, check)
    shelf.findings += [str(each) for each in wrong]
    left_out = {each.path for each in wrong}
    for path, document in found:
        if path not in left_out:
            shelf.add(read_receipt(document), path, with_digests=with_digests)
    return shelf


# --- the store --------------------------------------------------------------------------------


async def _read_sets(
    stores: SequenceStores, store_id: str, ids: Collection[str]
) -> dict[str, ReadSetDetails]:
    """Those of the read sets that the store has, by id."""
    found: dict[str, ReadSetDetails] = {}
    if len(ids) >= LISTED_FROM:
        async for row in stores.list_read_sets(store_id):
            if row.read_set_id in ids:
                found[row.read_set_id] = row
    elif not ids:
        await _require_store(stores, store_id)
    # A listing may lag, so what it lacks is asked for; and one answer may miss what is there.
    clock, patience = Clock(), Patience(stores.patience_s)
    deadline = clock.now() + stores.patience_s
    while missing := sorted(set(ids) - found.keys()):
        await clock.sleep(patience.pause_s)
        await _ask_for(stores, store_id, missing, found)
        if not found:
            await _require_store(stores, store_id)
        patience.looked()
        if patience.exhausted or clock.now() >= deadline:
            break
    return found


async def _ask_for(
    stores: SequenceStores,
    store_id: str,
    read_set_ids: Sequence[str],
    found: dict[str, ReadSetDetails],
) -> None:
    """Asks for each of these read sets; those that the store has are found."""
    places = anyio.CapacityLimiter(ASKED_AT_A_TIME)
    failures: list[Exception] = []

    async def ask(read_set_id: str) -> None:
        async with places:
            try:
                found[read_set_id] = await stores.get_read_set_metadata(store_id, read_set_id)
            except ServiceRefused as error:
                if error.code != NOT_FOUND:
                    failures.append(error)
                    group.cancel_scope.cancel()
            except Exception as error:  # raised again below, outside the group
                failures.append(error)
                group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        for each in read_set_ids:
            group.start_soon(ask, each)
    if failures:
        raise failures[0]


async def _require_store(stores: SequenceStores, store_id: str) -> None:
    """Raises where it isn't the read sets that are gone, but the store.

    The question is a listing, which everybody who uploads may call.

    Raises:
        ServiceRefused: There is no such store.
    """
    async for _ in stores.list_read_sets(store_id, page_size=1):
        return


# --- content ----------------------------------------------------------------------------------


class _Reading:
    """Reads files again, and compares them with what receipts say; it blocks."""

    def __init__(
        self,
        known: KnownFiles,
        store: StoreView | None,
        threads: int | None,
        on_progress: OnProgress | None,
    ) -> None:
        self._known = known
        self._store = store
        self._threads = threads
        self._on_progress = on_progress
        self._done = self._total = 0
        self._counting = threading.Lock()
        self._stopped = False
        self._last: tuple[object, tuple[Digest, ...]] = (None, ())

    def compare(self, seen: Sequence[SeenFile], judged: Sequence[AuditedFile]) -> list[AuditedFile]:
        pairs = list(zip(seen, judged, strict=True))
        self._total = sum(each.identity.size for each in seen if self._of(each))
        read: dict[tuple[int, int], AuditedFile] = {}
        compared = []
        for one, found in pairs:
            # Several names of an inode are read once.
            if found.inode not in read:
                read[found.inode] = self._compare(one, found)
            compared.append(replace(read[found.inode], path=found.path))
        return compared

    def _of(self, seen: SeenFile) -> list[KnownFile]:
        """The records that a file's content is compared with, the likeliest first."""
        known = self._known.of_size(seen.identity.size)
        same = self._known.same(seen)
        return sorted(
            (
                each
                for each in known
                if each.record is not None
                and each.record.parts
                and (self._store is None or each.store_id == self._store.store_id)
            ),
            key=lambda each: (each not in same, not each.proven, -each.strength),
        )

    def _compare(self, seen: SeenFile, found: AuditedFile) -> AuditedFile:
        try:
            return self._compare_content(seen, found)
        except InputError as error:
            return audited(seen, "unproven", f"can't be compared: {error}")

    def _compare_content(self, seen: SeenFile, found: AuditedFile) -> AuditedFile:
        same = self._known.same(seen)
        for each in self._of(seen):
            assert each.record is not None
            paths = each.paths_with(seen)
            total = sum(regular_size(path) for path in paths)
            digests = self._digests(paths, each.part_size)
            difference = difference_from(each.record, total, digests)
            if difference is None:
                # Judged as if it were the file that was sent.
                sent = replace(seen, identity=each.identity, real_path=each.real_path)
                judged = judge_file(sent, KnownFiles([each]), self._store)
                sentence = f"its content was read again and is what was sent. {judged.sentence}"
                return audited(seen, judged.standing, sentence, each)
            if each in same:
                return audited(seen, "changed", f"its content isn't what was sent: {difference}")
        if found.standing == "proven":
            return audited(seen, "unproven", "its receipt has no digests to compare it with")
        return found

    def _digests(self, paths: tuple[str, ...], part_size: int) -> tuple[Digest, ...]:
        """Those of the parts; the last ones are kept, as of a source with several files."""
        if self._last[0] != (paths, part_size):
            found = read_digests(paths, part_size, threads=self._threads, advance=self._read)
            self._last = ((paths, part_size), found)
        return self._last[1]

    def stop(self) -> None:
        """Ends the reading, where it is still under way."""
        self._stopped = True

    def _read(self, count: int) -> None:
        if self._stopped:
            raise InterruptedError
        with self._counting:
            self._done += count
        if self._on_progress is not None:
            self._on_progress(min(self._done, self._total), self._total)
