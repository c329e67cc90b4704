"""The columns of a sheet: which field of a read set each name means.

Case, spaces, underscores and hyphens don't matter. Beside our own names, those of nf-core's sample
sheets are known (`sample,fastq_1,fastq_2`; `patient` is sarek's subject), and those of
StartReadSetImportJob's sources (`sampleId`, `sourceFiles.source1`).
Source: https://nf-co.re/docs (usage pages of rnaseq and sarek, read 2026-11).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["MD5S", "SEPARATOR", "TAG", "WRITTEN", "field_of"]

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
    "sample_id": ("sample", "sampleid"),
    "subject_id": ("subject", "subjectid", "patient"),
    "name": ("name", "readsetname"),
    "file_type": ("type", "filetype", "sourcefiletype"),
    "source1": ("source1", "sourcefiles.source1", "fastq1", "file", "file1", "bam", "cram"),
    "source2": ("source2", "sourcefiles.source2", "fastq2", "file2"),
    "reference_arn": ("reference", "referencearn"),
    "generated_from": ("generatedfrom",),
    "description": ("description",),
    "md5_1": ("md51", "md5", "fastq1md5", "md5fastq1", "source1md5", "bammd5", "md5sum"),
    "md5_2": ("md52", "fastq2md5", "md5fastq2", "source2md5"),
    MD5S: ("fastqmd5", "submittedmd5"),
}
_FIELD_OF = {alias: field for field, aliases in _ALIASES.items() for alias in aliases}
_NOISE = re.compile(r"[\s_-]+")
_TAG = re.compile(r"\s*tag\s*:\s*(.+?)\s*", re.IGNORECASE | re.DOTALL)


def field_of(column: str) -> str | None:
    """The field that a column means: a name of `WRITTEN`, or `TAG` and a key; None if unknown."""
    tag = _TAG.fullmatch(column)
    if tag is not None:
        return f"{TAG}{tag[1]}"
    # Without what nobody sees, such as the mark that programs put before a file's text.
    seen = "".join(each for each in column if unicodedata.category(each) != "Cf")
    return _FIELD_OF.get(_NOISE.sub("", seen).casefold())
