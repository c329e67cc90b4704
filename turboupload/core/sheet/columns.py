"""The columns of a sheet: which field of a read set each name means.

Case, spaces, underscores and hyphens don't matter. Beside our own names, those of nf-core's sample
sheets are known (`sample,fastq_1,fastq_2`; `patient` is sarek's subject), and those of
StartReadSetImportJob's sources (`sampleId`, `sourceFiles.source1`), and those of the
`fastq_list.csv` that BCL Convert and DRAGEN write (`RGSM`, `Read1File`, `Read2File`).
Sources: https://nf-co.re/docs (usage pages of rnaseq and sarek), https://help.dragen.illumina.com
(FASTQ input), both read 2026-11.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["MD5S", "SEPARATOR", "TAG", "WRITTEN", "field_of", "is_fastq_list", "is_known_beside"]

SEPARATOR: Final = ";"
"""What stands between the files of a cell that become one source. Sequencers and pipelines write no
such names, a shell would need quotes for them, and CSV puts a cell with one into quotes where it
has to."""

TAG: Final = "tag:"
"""What the field of a tag begins with; the key follows as it is written."""

MD5S: Final = "md5s"
"""The field of ENA's column of all files' MD5s, with semicolons between them."""

WRITTEN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "sample_id": "sample",
        "subject_id": "subject",
        "name": "name",
        "file_type": "type",
        "source1": "source1",
        "source2": "source2",
        "reference_arn": "reference",
        "generated_from": "generated_from",
        "description": "description",
        "md5_1": "md5_1",
        "md5_2": "md5_2",
    }
)
"""Our own name of each column, in the order in which a sheet is written."""

_ALIASES = {
    "sample_id": ("sample", "sampleid", "rgsm"),
    "subject_id": ("subject", "subjectid", "patient"),
    "name": ("name", "readsetname"),
    "file_type": ("type", "filetype", "sourcefiletype"),
    "source1": (
        "source1",
        "sourcefiles.source1",
        "fastq1",
        "file",
        "file1",
        "bam",
        "cram",
        "read1file",
    ),
    "source2": ("source2", "sourcefiles.source2", "fastq2", "file2", "read2file"),
    "reference_arn": ("reference", "referencearn"),
    "generated_from": ("generatedfrom",),
    "description": ("description",),
    "md5_1": ("md51", "md5", "fastq1md5", "md5fastq1", "source1md5", "bammd5", "md5sum"),
    "md5_2": ("md52", "fastq2md5", "md5fastq2", "source2md5"),
    MD5S: ("fastqmd5", "submittedmd5"),
}
_FIELD_OF = {alias: field for field, aliases in _ALIASES.items() for alias in aliases}
_NOISE = re.compile(r"[\s_-]+")
_FASTQ_LIST = frozenset({"rgsm", "read1file"})
# Of a FASTQ list: read groups, which the reads' own names say.
_BESIDE = frozenset({"rgid", "rglb", "lane", "rgpl", "rgpu", "rgdt", "rgcn", "rgds"})
_TAG = re.compile(r"\s*tag\s*:\s*(.+?)\s*", re.IGNORECASE | re.DOTALL)


def field_of(column: str) -> str | None:
    """The field that a column means: a name of `WRITTEN`, or `TAG` and a key; None if unknown."""
    tag = _TAG.fullmatch(column)
    if tag is not None:
        return f"{TAG}{tag[1]}"
    return _FIELD_OF.get(_plain(column))


def is_fastq_list(columns: Iterable[str]) -> bool:
    """Whether the columns are those of a `fastq_list.csv`."""
    return {_plain(each) for each in columns} >= _FASTQ_LIST


def is_known_beside(column: str) -> bool:
    """Whether a column of a `fastq_list.csv` says nothing that a read set could hold."""
    return _plain(column) in _BESIDE


def _plain(column: str) -> str:
    """The column's name without case, separators and invisible characters."""
    seen = "".join(each for each in column if unicodedata.category(each) != "Cf")
    return _NOISE.sub("", seen).casefold()
