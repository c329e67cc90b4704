"""The ETag of files, computed in threads of their own beside other work.

One thread for each file hashes its content, and another the file as it is, so that the files of a
pair are hashed side by side and neither hash waits for the other. While the files are being sent,
the threads stay behind the sending (`hashing_threads`).

Memory: below 10 MiB a file, whatever its size.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from functools import partial

from turboupload.core.formats import FORMATS
from turboupload.core.model import FileType, PartSource, Source
from turboupload.core.proof.etag import ContentETag, etag_algorithm
from turboupload.core.upload.events import ETagComputed
from turboupload.engine.proving.hashing_threads import Gate, run_gated
from turboupload.errors import InputError, IntegrityError, SourceChanged
from turboupload.files.digests import FileHashes, hash_files
from turboupload.files.etag import ContentHash, hash_content
from turboupload.files.source import check_unchanged

__all__ = ["ContentHasher"]


class ContentHasher:
    """Computes the ETag of an upload's files.

    Args:
        sources: The files.
        file_type: What they are.
        reference: The reference FASTA of a CRAM.
        as_is: Whether to compute the SHA-256 of each file as it is, too.

    Attributes:
        gate: How far the threads may read.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        file_type: FileType,
        *,
        reference: str | os.PathLike[str] | None = None,
        as_is: bool = True,
    ) -> None:
        self.gate = Gate()
        self._sources = tuple(sources)
        self._file_type = file_type
        self._reference = reference
        self._as_is = as_is
        self._positions: dict[PartSource, int] = {}
        self._sha256: dict[PartSource, FileHashes] = {}

    @property
    def total_bytes(self) -> int:
        """Of the files."""
        return sum(source.size for source in self._sources)

    @property
    def done_bytes(self) -> int:
        """How far the content has been hashed, in bytes of the files."""
        return sum(self._positions.values())

    async def compute(self, family: str) -> ETagComputed:
        """Hashes the files; a cancellation ends the threads.

        Raises:
            IntegrityError: A FASTQ is damaged, or a file changed while it was read.
        """
        contents: dict[PartSource, ContentHash] = {}
        try:
            await run_gated(self.gate, self._works(contents, family))
        except InputError as error:
            if not FORMATS[self._file_type].has_header:
                raise _damaged(error) from error
            return ETagComputed(family=family, etag=None, reason=str(error))
        finally:
            self.gate = Gate()
            self.gate.open()
        await asyncio.to_thread(_check_at_rest, self._sources)
        found = [contents[each.part_source] for each in self._sources]
        digests = [each.digest for each in found]
        reads = [each.reads for each in found]
        hashes = [self._sha256[each.part_source] for each in self._sources if self._as_is]
        return ETagComputed(
            family=family,
            etag=ContentETag(
                etag_algorithm(self._file_type, family),
                digests[0],
                digests[1] if len(digests) > 1 else None,
            ),
            sha256=tuple(each.whole for each in hashes),
            files_sha256=tuple(each.each for each in hashes),
            reads=sum(each or 0 for each in reads) if all(reads) else None,
            reader=found[0].reader,
            reservation=found[0].reservation,
        )

    def _works(
        self, contents: dict[PartSource, ContentHash], family: str
    ) -> list[Callable[[], None]]:
        def hash_text(source: Source) -> None:
            contents[source.part_source] = self._hash_content(source, family)

        works: list[Callable[[], None]] = []
        for source in self._sources:
            works.append(partial(hash_text, source))
            if self._as_is and source.part_source not in self._sha256:
                works.append(partial(self._hash_file, source))
        return works

    def _hash_content(self, source: Source, family: str) -> ContentHash:
        gate, which = self.gate, source.part_source

        def progress(position: int, size: int) -> None:
            self._positions[which] = position
            gate.wait(which, position)

        return hash_content(source.paths, self._file_type, family, self._reference, progress)

    def _hash_file(self, source: Source) -> None:
        gate, position = self.gate, 0

        def advance(count: int) -> None:
            nonlocal position
            position += count
            gate.wait(source.part_source, position)

        self._sha256[source.part_source] = hash_files(source.paths, advance)


def _check_at_rest(sources: Sequence[Source]) -> None:
    try:
        check_unchanged(sources)
    except SourceChanged as error:
        raise SourceChanged(
            f"{error.message}; so its ETag says nothing of what was sent",
            path=error.path,
            hint="the read set may be complete all the same; when the file no longer changes, "
            "run the same command again",
        ) from error


def _damaged(error: InputError) -> IntegrityError:
    return IntegrityError(
        f"its ETag can't be computed: {error.message}",
        path=error.path,
        operation="ETag",
        hint="check the file; if it is damaged, get it again: the service would reject it",
    )
