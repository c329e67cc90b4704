"""Takes sample and subject from the header of a BAM or CRAM where the user gave none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from turboupload.core.formats import FORMATS
from turboupload.core.model import FileType, ReadSet
from turboupload.core.notices import Remark
from turboupload.errors import InputError

if TYPE_CHECKING:
    from turboupload.seqcheck.sam_header import SamHeader

__all__ = ["lacks_sample", "with_sample"]

_SHOWN = 5


def lacks_sample(read_set: ReadSet) -> bool:
    """Whether sample or subject are to be taken from the file."""
    return read_set.sample_id is None or read_set.subject_id is None


def with_sample(
    read_set: ReadSet, file_type: FileType, header: SamHeader | None
) -> tuple[ReadSet, Remark | None]:
    """The read set with the header's one sample (@RG SM) where sample or subject weren't given.

    Args:
        read_set: As the user described it.
        file_type: What its first file is.
        header: That file's header; None for a type that has none.

    Returns:
        The read set, and a remark for the user if something was taken from the header.

    Raises:
        InputError: The file names no sample, or several.
    """
    given = {"sample": read_set.sample_id, "subject": read_set.subject_id}
    missing = [label for label, value in given.items() if value is None]
    if not missing:
        return read_set, None
    words = " and ".join(missing)
    were = "were" if len(missing) > 1 else "was"
    samples = header.samples if header is not None else ()
    if len(samples) != 1:
        raise InputError(
            f"no {words} {were} given, and {_why(file_type, samples)}",
            code="sample.unknown",
            path=read_set.paths[0],
            hint=f"add {' and '.join(f'--{label} ID' for label in missing)}"
            + (", or --subject-from sample" if missing == ["subject"] else ""),
        )
    (sample,) = samples
    named = replace(
        read_set,
        sample_id=read_set.sample_id or sample,
        subject_id=read_set.subject_id or sample,
    )
    return named, Remark("sample-from-header", f"{words}: {sample}, from the header's @RG SM")


def _why(file_type: FileType, samples: tuple[str, ...]) -> str:
    if not FORMATS[file_type].has_header:
        return f"a {FORMATS[file_type].word} has no header that names one"
    if not samples:
        return "the header names no sample (@RG SM)"
    more = ", …" if len(samples) > _SHOWN else ""
    return f"the header names {len(samples)} samples (@RG SM): {', '.join(samples[:_SHOWN])}{more}"
