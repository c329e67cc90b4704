"""Compares an upload's files with manifests: in the pass that sends them, and before Complete."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from msgspec.structs import replace

from turboupload.config import UploadConfig
from turboupload.core.model import FileIdentity, Part, PartSource, Phase, ReadSet, Source
from turboupload.core.notices import Hashing
from turboupload.core.proof.etag import DEFAULT_FAMILY
from turboupload.core.proof.manifest import Compared, Expected, Wanted
from turboupload.engine.proving.proof import while_hashing
from turboupload.engine.run import Run
from turboupload.errors import InputError, IntegrityError
from turboupload.files.source import check_unchanged
from turboupload.runtime.tasks import in_thread
from turboupload.state.journal import Journal
from turboupload.value import Value

if TYPE_CHECKING:
    from turboupload.core.proof.manifest import Manifests

__all__ = ["ManifestChecks"]

REPORT_S = 0.5
"""The pause between two progress notices of the hashing, in seconds."""


class ManifestChecks:
    """Compares files with manifests for all uploads of an engine.

    Args:
        config: Which manifests.
        journal: Has what was compared before, so that an unchanged file isn't read again.
    """

    def __init__(self, config: UploadConfig, journal: Journal) -> None:
        self._config = config
        self._journal = journal
        self._manifests: Manifests | None = None
        self._loading = anyio.Lock()

    async def load(self) -> None:
        """Reads the manifests, once.

        Raises:
            InputError: One can't be read or understood.
        """
        async with self._loading:
            if self._manifests is None and self._config.manifests:
                # Imported here and below: few uploads have manifests.
                from turboupload.files.manifests import load_manifests

                self._manifests = await anyio.to_thread.run_sync(
                    load_manifests, self._config.manifests
                )

    async def wanted(self, read_set: ReadSet) -> Wanted:
        """What the files of a read set should hash to; empty without manifests.

        Raises:
            InputError: A manifest can't be read, or is ambiguous about a file.
            IntegrityError: No line names a file, although one must.
        """
        config = self._config
        if not (config.manifests or config.md5_beside or read_set.checksums):
            return ()
        await self.load()
        from turboupload.files.manifests import expectations

        asking = partial(
            expectations,
            read_set.paths,
            self._manifests,
            beside=config.md5_beside,
            told=read_set.checksums,
        )
        return tuple(await anyio.to_thread.run_sync(asking))

    async def drive(
        self, run: Run, wanted: Wanted, drive: Callable[[Run], Awaitable[None]]
    ) -> None:
        """Drives an upload to its end, and compares its files meanwhile.

        Raises:
            IntegrityError: A file isn't what a manifest says, or changed.
        """
        if not wanted:
            await drive(run)
            return
        known = await in_thread(self._known, run)
        if self._config.wait and _proves(wanted, known, run.upload.plan.sources):
            # Comparing them costs no more than a proof.
            run.upload.options = replace(run.upload.options, prove=True)
        check = run.manifest = _Check(run, wanted, known)
        check.require()

        async def work() -> None:
            await drive(run)
            await check.agreed()

        await while_hashing(check, work)

    def _known(self, run: Run) -> dict[tuple[str, str, str], str]:
        """The digests that were compared before, of files that are unchanged since."""
        receipt = self._journal.receipt_with_manifest(run.key)
        if receipt is None:
            return {}
        then = {_absolute(path): identity for path, identity in receipt.local_files}
        now = _files(run.upload.plan.sources)
        same = {path for path, file in now.items() if then.get(path) == file.identity}
        return {
            (each.path, each.expected.of, each.expected.algorithm): each.digest
            for each in receipt.manifest
            if each.path in same
        }


class _Check:
    """The comparison of one upload's files; see `engine.run.ManifestCheck`."""

    def __init__(self, run: Run, wanted: Wanted, known: Mapping[tuple[str, str, str], str]) -> None:
        from turboupload.engine.proving.hashing_threads import Gate

        self._run = run
        self._files = _files(run.upload.plan.sources)
        self._merged = len(self._files) > len(run.upload.plan.sources)
        self._left: dict[str, list[Expected]] = {}
        self._of_proof: list[tuple[str, Expected]] = []
        self._positions: dict[str, int] = {}
        self._found: dict[str, list[Compared]] = {}
        self._hashed = anyio.Event()
        self._gate = Gate()
        self._count = sum(len(expected) for _, expected in wanted)
        self.compared: tuple[Compared, ...] = ()
        for path, expected in wanted:
            for each in expected:
                digest = known.get((path, each.of, each.algorithm))
                if digest is not None:
                    self.compared += (Compared(path, each, digest),)
                elif _is_etag(each) and run.upload.options.prove and not self._merged:
                    # What proves the upload computes it in any case.
                    self._of_proof.append((path, each))
                else:
                    self._left.setdefault(path, []).append(each)
        if run.upload.phase not in (Phase.PLANNED, Phase.OPENING, Phase.OPEN):
            self.hurry()

    def part_started(self, part: Part) -> None:
        """Allows hashing up to the end of a part, since that part is being sent now."""
        self._gate.advance(part)

    def hurry(self) -> None:
        """Allows hashing to the end of the files, since nothing is left to send."""
        self._gate.open()

    async def run(self) -> None:
        """Hashes the files; until `hurry` is called, no faster than they are sent.

        Raises:
            IntegrityError: A file isn't what a manifest says, or changed.
        """
        from turboupload.engine.proving.hashing_threads import run_gated

        if self._left:
            await run_gated(self._gate, self._works())
            for each in self._found.values():
                self.compared += tuple(each)
            await asyncio.to_thread(check_unchanged, self._run.upload.plan.sources)
        self.require()
        self._hashed.set()

    def _works(self) -> list[Callable[[], None]]:
        """A work for each source: its files follow each other, as they are sent."""
        by_source: dict[PartSource, list[str]] = {}
        for path, file in self._files.items():
            if path in self._left:
                by_source.setdefault(file.source, []).append(path)

        def compare_all(paths: Iterable[str]) -> None:
            for path in paths:
                self._compare(path)

        return [partial(compare_all, paths) for paths in by_source.values()]

    def _compare(self, path: str) -> None:
        from turboupload.files.manifests import compare_file

        gate, file = self._gate, self._files[path]

        def advance(position: int) -> None:
            self._positions[path] = position
            gate.wait(file.source, file.offset + position)

        try:
            # One key a thread: only the event loop puts them together.
            self._found[path] = compare_file(path, self._left[path], advance)
        except InputError as error:
            raise IntegrityError(
                f"can't be compared with its manifest: {error.message}",
                path=path,
                operation="manifest",
                hint="check the file; nothing of it was completed",
            ) from error

    async def agreed(self) -> None:
        """Waits until all is compared.

        Raises:
            IntegrityError: A file isn't what a manifest says, or changed.
        """
        self.hurry()
        total = sum(self._files[path].identity.size for path in self._left)
        while not self._hashed.is_set():
            done = sum(tuple(self._positions.values()))
            self._run.notify(Hashing(done_bytes=min(done, total), total_bytes=total))
            with anyio.move_on_after(REPORT_S):
                await self._hashed.wait()
        if self._of_proof and self._run.file_hash is not None:
            computed = await self._run.file_hash.computed(DEFAULT_FAMILY)
            # A FASTQ's ETag can always be computed, or that has failed.
            assert computed.etag is not None
            digests = dict(zip(self._files, computed.etag.sources, strict=True))
            self.compared += tuple(
                Compared(path, each, digests[path]) for path, each in self._of_proof
            )
            self._of_proof = []
        self.require()
        assert len(self.compared) == self._count

    def require(self) -> None:
        """Raises where something that was compared differs.

        Raises:
            IntegrityError: A file isn't what a manifest says.
        """
        for each in self.compared:
            if not each.equal:
                from turboupload.files.manifests import differs

                raise differs(each, self._hint())

    def _hint(self) -> str:
        upload = self._run.upload
        hint = "find out which of the two is right; if the file is damaged, get it again"
        if upload.read_set_id is not None:
            return f"{hint}. Read set {upload.read_set_id} was made of the file as it is"
        if upload.upload_id is None:
            return f"{hint}. Nothing of it was sent"
        return (
            f"{hint}. Nothing was completed: once the manifest is mended, the same command goes on "
            f"with upload {upload.upload_id}, and `turboupload uploads abort {upload.upload_id} "
            f"--store {upload.store_id}` gives it up"
        )


def _is_etag(expected: Expected) -> bool:
    return expected.of == "content" and expected.algorithm == "md5"


def _proves(
    wanted: Wanted, known: Mapping[tuple[str, str, str], str], sources: Sequence[Source]
) -> bool:
    """Whether every file's ETag, which is the MD5 of a FASTQ's content, is to be compared.

    That of merged files is of all their text together, which no manifest has.
    """
    if any(len(each.files) > 1 for each in sources):
        return False
    named = {
        path
        for path, expected in wanted
        if any(_is_etag(each) and (path, each.of, each.algorithm) not in known for each in expected)
    }
    return set(_files(sources)) == named


class _File(Value, frozen=True):
    """A file of an upload.

    Attributes:
        source: The source that it is (of).
        offset: Where it begins in that, in bytes.
        identity: The very file.
    """

    source: PartSource
    offset: int
    identity: FileIdentity


def _files(sources: Iterable[Source]) -> dict[str, _File]:
    """The files of an upload by their absolute paths, in the order of the sources."""
    found: dict[str, _File] = {}
    for source in sources:
        offset = 0
        for file in source.files:
            found[_absolute(file.path)] = _File(source.part_source, offset, file.identity)
            offset += file.identity.size
    return found


def _absolute(path: str) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - as `files.manifests` names files
