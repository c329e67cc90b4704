"""The files of a folder as read sets: which files, of which sample, from which run; blocking."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from turboupload.core.folders.names import (
    InstrumentFile,
    instrument_file,
    lane_of,
    read_mark,
    without_lane,
)
from turboupload.core.folders.runs import Run, nanopore_run_of_group
from turboupload.core.formats import FORMATS, FileType, type_in_name
from turboupload.core.sheet.filenames import default_name, illumina_name, stem_of
from turboupload.errors import InputError
from turboupload.files.folder_walk import Walk
from turboupload.files.run_documents import RunDocuments
from turboupload.seqcheck.checks.names import find_pairs, mark_of, series
from turboupload.seqcheck.formats import look_further, sniff
from turboupload.seqcheck.headers import sam_header
from turboupload.seqcheck.sam_header import SamHeader
from turboupload.value import Value

__all__ = ["FoundFiles", "FoundReadSet"]

_LETTERED_R2: Final = re.compile(r"[._-](?:R|read)2(?=[._-]|$)", re.IGNORECASE)
_BESIDE_R1: Final = frozenset({"I1", "I2", "UMI"})
_THIRD: Final = frozenset({"R3", "R4"})
# What instruments write for a sample without a name.
_NO_SAMPLE: Final = re.compile(
    r"no_?sample|unknown|unnamed_?sample\w*|unclassified|barcode\d{2,3}", re.IGNORECASE
)
_UNDETERMINED: Final = re.compile(r"Undetermined(?=[._-]|$)")


class FoundReadSet(Value, frozen=True, kw_only=True):
    """Files that make a read set.

    Attributes:
        sources: One path or two, R1 first.
        file_type: None where a person must say it.
        sample: The sample's id; None where nothing says it.
        name: What a name is made of beside the run.
        run: None where nothing says it.
        lane: Illumina's, such as `L001`.
        barcode: Oxford Nanopore's and PacBio's, or its alias.
        chunk: The file's number, where a sample's reads are in many files.
    """

    sources: tuple[str, ...]
    file_type: FileType | None
    sample: str | None
    name: str
    run: Run | None = None
    lane: str | None = None
    barcode: str | None = None
    chunk: int | None = None


class FoundFiles:
    """Makes read sets of the files of a folder.

    Args:
        walk: The files; those that don't become a read set are noted there as left out.
        root: The folder.
        mates: Which reads are the mates where a sample has a third; None leaves such samples out.
        warn: Called with what a reviewer should know, and what to do about it.
    """

    def __init__(
        self,
        walk: Walk,
        root: Path,
        *,
        mates: tuple[str, str] | None,
        warn: Callable[[str, str | None], None],
    ) -> None:
        self._walk = walk
        self._mates = mates
        self._warn = warn
        self._root = root
        self._documents = RunDocuments(root, lambda message: warn(message, None))
        self.renamed: dict[str, str] = {}
        """Samples by what files call them, where a document beside them has another id."""

    @property
    def expected(self) -> tuple[str, ...]:
        """The samples that the folder's own sample sheet has."""
        return self._documents.samples_of(self._root)

    def read_sets(self) -> Iterator[FoundReadSet]:
        """The read sets, in no order."""
        plain = []
        for path in self._walk.fastq:
            named = instrument_file(path)
            if named is None:
                plain.append(path)
            elif named.left_out is not None:
                self._walk.leave_out(named.left_out, path)
            else:
                yield self._of_instrument(path, named, FileType.FASTQ, None)
        yield from self._plain_fastq(plain)
        for path in self._walk.others:
            yield from self._aligned(path)

    # --- FASTQ of Illumina and of anybody -------------------------------------------------------

    def _plain_fastq(self, paths: list[str]) -> Iterator[FoundReadSet]:
        pairs, free = self._by_marks(paths)
        paired = find_pairs(free)
        for first, second in (*pairs, *paired.pairs):
            yield self._of_illumina((first, second))
        if counted := series(paired.singles):
            self._warn(
                f"numbers count on in names such as {counted[0]}: these are taken for files of "
                "their own, and not as pairs",
                "put mates in one row",
            )
        for path in paired.singles:
            if _LETTERED_R2.search(os.path.basename(path)):  # noqa: PTH119 - a Path for each of 10,000 strings would cost more than the walk
                self._walk.leave_out("no-first-read", path)
                continue
            if path not in counted:
                self._tell_lone_mate(path, any_pairs=bool(pairs or paired.pairs))
            yield self._of_illumina((path,))

    def _tell_lone_mate(self, path: str, *, any_pairs: bool) -> None:
        mark = mark_of(path)
        if mark == "2":
            self._warn(f"{path} looks like an R2, and its R1 is not here", None)
        elif mark == "1" and any_pairs:
            self._warn(f"{path} looks like an R1, and its R2 is not here", None)

    def _by_marks(self, paths: Iterable[str]) -> tuple[list[tuple[str, str]], list[str]]:
        """Pairs that `mates` decides, and the files whose names may still pair them."""
        pairs: list[tuple[str, str]] = []
        free: list[str] = []
        groups: dict[str, dict[str, str]] = defaultdict(dict)
        for path in paths:
            if _UNDETERMINED.match(stem_of(path)):
                self._walk.leave_out("undetermined", path)
            elif (mark := read_mark(path)) is None or mark[1] in groups[mark[0]]:
                free.append(path)
            else:
                groups[mark[0]][mark[1]] = path
        for reads in groups.values():
            self._leave_out_index_reads(reads)
            if not _THIRD & reads.keys():
                free += reads.values()
            elif self._mates is not None and set(self._mates) <= reads.keys():
                pairs.append((reads.pop(self._mates[0]), reads.pop(self._mates[1])))
                self._walk.leave_out("not-mates", *reads.values())
            else:
                self._walk.leave_out("three-reads", *reads.values())
        return pairs, free

    def _leave_out_index_reads(self, reads: dict[str, str]) -> None:
        for mark in sorted(_BESIDE_R1 & reads.keys()):
            path = reads[mark]
            if "R1" in reads or illumina_name(path) is not None:
                self._walk.leave_out("index-reads", reads.pop(mark))
            else:
                self._warn(f"{path} may hold index reads, and there is no R1 beside it", None)

    def _of_illumina(self, sources: tuple[str, ...]) -> FoundReadSet:
        name = illumina_name(sources[0])
        plain = default_name(sources)
        called = name.sample if name is not None else without_lane(plain)
        return FoundReadSet(
            sources=sources,
            file_type=type_in_name(sources[0]),
            sample=self._by_documents(sources[0], called) if name is not None else called,
            name=plain,
            run=self._documents.illumina_run(sources[0]),
            lane=lane_of(plain),
        )

    def _by_documents(self, path: str, called: str) -> str | None:
        """A sample's id as the run's documents have it; else as the file has it.

        None where the file's is one sample's id and another one's name.
        """
        sheet = self._documents.illumina_samples(path)
        found = self._documents.listed_sample(path) or (sheet and sheet.sample_of(called))
        if not found and sheet and called in sheet.ids and sheet.has_several(called):
            return None
        if found and found != called:
            self.renamed[called] = found
        return found or called

    # --- Oxford Nanopore and PacBio -------------------------------------------------------------

    def _of_instrument(
        self, path: str, named: InstrumentFile, file_type: FileType | None, header: SamHeader | None
    ) -> FoundReadSet:
        in_header = header.samples if header is not None else ()
        sample = in_header[0] if len(in_header) == 1 else None
        if sample is not None and _NO_SAMPLE.fullmatch(sample):
            sample = None
        run = named.run or nanopore_run_of_group(_group_ids(header))
        if run is None or run.platform != "pacbio":
            sample = self._documents.minknow_samples(path).sample_of(named.barcode) or sample
            if sample is None and named.barcode and not _NO_SAMPLE.fullmatch(named.barcode):
                sample = named.barcode  # MinKNOW calls the folder by the alias that it was given
            name = sample or named.barcode or stem_of(path)
        else:
            name = "_".join(filter(None, (sample, named.barcode))) or "reads"
        return FoundReadSet(
            sources=(path,),
            file_type=file_type,
            sample=sample,
            name=name,
            run=run,
            barcode=named.barcode,
            chunk=named.chunk,
        )

    # --- BAM and CRAM ---------------------------------------------------------------------------

    def _aligned(self, path: str) -> Iterator[FoundReadSet]:
        named = instrument_file(path)
        if named is not None and named.left_out is not None:
            self._walk.leave_out(named.left_out, path)
            return
        try:
            found = look_further(path, sniff(path))
        except InputError as error:
            self._walk.leave_out("unreadable", path)
            self._warn(f"{path} is unreadable: {error.message}", error.hint)
            return
        if found.undecided:
            self._warn(f"{path} is {found.detail}", "fill its column `type` in: BAM or UBAM")
        elif found.file_type is None or FORMATS[found.file_type].gzipped:
            self._walk.leave_out("other-content", path)
            self._warn(f"{path} is {found.detail}, whatever its name says; left out", None)
            return
        header = sam_header(path)
        if named is not None:
            yield self._of_instrument(path, named, found.file_type, header)
            return
        yield FoundReadSet(
            sources=(path,),
            file_type=found.file_type,
            sample=self._sample_in_header(path, header),
            name=default_name((path,)),
            run=nanopore_run_of_group(_group_ids(header)),
        )

    def _sample_in_header(self, path: str, header: SamHeader | None) -> str:
        samples = header.samples if header is not None else ()
        if len(samples) == 1:
            return samples[0]
        if samples:
            several = ", ".join(samples[:3])
            self._warn(f"{path} holds several samples ({several}); its name is taken for one", None)
        return default_name((path,))


def _group_ids(header: SamHeader | None) -> list[str]:
    return [each.id for each in header.read_groups] if header is not None else []
