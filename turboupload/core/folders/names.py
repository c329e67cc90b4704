"""What the path of a file says: which instrument wrote it, and of which barcode it is.

Sources, read 2026-11: https://nanoporetech.github.io/ont-output-specifications (paths of FASTQ and
BAM), https://pacbiofileformats.readthedocs.io/en/13.1/FileStructure.html (Revio and Vega),
https://support-docs.illumina.com/SW/BCL_Convert (names of FASTQ files).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from turboupload.core.folders.runs import Run, named_run, nanopore_run, pacbio_run
from turboupload.core.sheet.filenames import stem_of

__all__ = [
    "InstrumentFile",
    "aside",
    "folders_above",
    "instrument_file",
    "lane_of",
    "read_mark",
    "without_lane",
]

_ASIDE: Final = (
    ("signal", re.compile(r"\.(?:pod5|fast5)$", re.IGNORECASE)),
    ("ora", re.compile(r"\.ora$", re.IGNORECASE)),
    ("bcl", re.compile(r"\.(?:c?bcl|bcl\.gz|bcl\.bgzf)$", re.IGNORECASE)),
    ("index", re.compile(r"\.(?:bai|csi|crai|pbi)$", re.IGNORECASE)),
    (
        "checksums",
        re.compile(
            r"\.(?:md5|md5sum|sha\d+)$|^(?:md5|sha\d+)?(?:check)?sums?(?:\.(?:md5|sha\d+))?\.txt$"
            r"|^md5\.txt$|^output_hash_.*\.csv$",
            re.IGNORECASE,
        ),
    ),
)
# Where MinKNOW puts reads; a barcode's, or its alias's, are in a folder of that name in it.
_READS_OF_MINKNOW: Final = re.compile(r"(?:fastq|bam)_(pass|fail|skip)(?:_[a-z]+)?")
_MINKNOW_FILE: Final = re.compile(
    r"(?P<flowcell>[A-Za-z0-9-]+)_(?:fastq_|bam_)?(?P<status>pass|fail|skip)(?:_(?:simplex|duplex))?"
    r"(?:_(?P<alias>.+?))??_(?P<run>[0-9a-f]{8})(?:_[0-9a-f]{8})?_(?P<chunk>\d+)"
)
_BARCODED: Final = re.compile(r"(?:^|.*[._-])(?P<barcode>barcode\d{2,3}|unclassified)")
_MOVIE: Final = re.compile(
    r"(?P<movie>m\d{5}[A-Za-z]{0,2}_\d{6}_\d{6}(?:_s\d)?)(?:\.(?P<rest>.+))?"
)
_PACBIO_BARCODE: Final = re.compile(r"bc\d+[A-Za-z]?(?:--bc\d+[A-Za-z]?)?")
_READ: Final = re.compile(r"[._-](?P<read>R[1-4]|I[12]|UMI)(?=(?:[._-]\d{3})?$)")

_LANE: Final = re.compile(r"_(L\d{3})(?=_|$)")
_NO_BARCODE: Final = frozenset({"unclassified", "mixed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentFile:
    """A file that a sequencer of Oxford Nanopore or PacBio named.

    Attributes:
        run: The run, where the path names it.
        barcode: The barcode, or the alias that stands for it; None where there was none.
        chunk: Its number, where a sample's reads are in many files.
        left_out: A code of `REASONS`, where it holds no reads of a sample.
    """

    run: Run | None
    barcode: str | None = None
    chunk: int | None = None
    left_out: str | None = None


def aside(path: str) -> str | None:
    """The code of `REASONS` for a file that by its name holds no reads; None for any other."""
    name = posixpath.basename(path)
    return next((code for code, pattern in _ASIDE if pattern.search(name)), None)


def folders_above(path: str) -> Iterator[str]:
    """The names of the folders that a path is in, the innermost first."""
    yield from reversed([each for each in posixpath.dirname(path).split("/") if each])


def instrument_file(path: str) -> InstrumentFile | None:
    """What an instrument of Oxford Nanopore or PacBio says by a path; None for other paths."""
    return _minknow(path) or _pacbio(path)


def _minknow(path: str) -> InstrumentFile | None:
    stem, above = stem_of(path), list(folders_above(path))
    parent, grandparent = (*above, "", "")[:2]
    name = _MINKNOW_FILE.fullmatch(stem)
    if (within := _READS_OF_MINKNOW.fullmatch(parent)) is not None:
        barcode = name["alias"] if name else None
    elif (within := _READS_OF_MINKNOW.fullmatch(grandparent)) is not None:
        barcode = parent
    elif name is not None:
        barcode = name["alias"]
    elif (demultiplexed := _BARCODED.fullmatch(stem)) is not None:
        barcode = demultiplexed["barcode"]  # as `dorado demux` names its files
    else:
        return None
    status = within[1] if within else name["status"] if name else "pass"
    run = named_run(above)
    if name is not None:
        folder = run.run if run is not None and run.platform == "ont" else None
        run = nanopore_run(name["flowcell"], name["run"], folder)
    return InstrumentFile(
        run=run,
        barcode=barcode,
        chunk=int(name["chunk"]) if name else None,
        left_out=(
            "failed-reads"
            if status != "pass"
            else "unclassified"
            if barcode in _NO_BARCODE
            else None
        ),
    )


def _pacbio(path: str) -> InstrumentFile | None:
    found = _MOVIE.fullmatch(stem_of(path))
    if found is None:
        return None
    words = (found["rest"] or "").split(".")
    parent = next(folders_above(path), "")
    left_out = None
    if "fail_reads" in (*words, parent) or "scraps" in words:
        left_out = "failed-reads"
    elif "unassigned" in words or "unbarcoded" in words:
        left_out = "unclassified"
    barcodes = [each for each in words if _PACBIO_BARCODE.fullmatch(each)]
    return InstrumentFile(
        run=pacbio_run(found["movie"], folders_above(path)),
        barcode=barcodes[0] if barcodes else None,
        left_out=left_out,
    )


def read_mark(path: str) -> tuple[str, str] | None:
    """Which read of its cluster a FASTQ holds, and what it shares with the others of its sample.

    Returns:
        The path without the mark, and `R1` to `R4`, `I1`, `I2` or `UMI`; None without a mark.
    """
    stem = stem_of(path)
    found = _READ.search(stem)
    if found is None:
        return None
    rest = f"{stem[: found.start()]}\0{stem[found.end() :]}"
    return posixpath.join(posixpath.dirname(path), rest), found["read"]


def lane_of(stem: str) -> str | None:
    """The lane in a name, such as `L001`."""
    found = _LANE.search(stem)
    return found[1] if found else None


def without_lane(stem: str) -> str:
    """A name without its lane."""
    return _LANE.sub("", stem) or stem
