"""The files before anything is sent: everything that can be wrong with them is found here."""

from __future__ import annotations

from turboupload.config import UploadConfig
from turboupload.core.model import FileType, PartSource, ReadSet, Source
from turboupload.core.plan import Plan, make_plan
from turboupload.errors import InputError
from turboupload.local.formats import require_type
from turboupload.local.source import inspect_source

__all__ = ["prepare"]


def prepare(read_set: ReadSet, config: UploadConfig) -> tuple[FileType, Plan]:
    """Looks at the files and cuts them into parts; blocking, a few milliseconds.

    Raises:
        InputError: A file can't be uploaded, or not as this read set.
        ConfigError: The part size does not fit.
    """
    sources = [
        inspect_source(path, which) for path, which in zip(read_set.paths, PartSource, strict=False)
    ]
    declared = FileType(read_set.file_type) if read_set.file_type is not None else None
    types = [FileType(require_type(source.path, declared)) for source in sources]
    if len(sources) == 2:
        _check_pair(sources, types)
    if types[0].needs_reference and read_set.reference_arn is None:
        raise InputError(
            f"a {types[0]} needs the ARN of its reference",
            path=sources[0].path,
            hint="add --reference arn:aws:omics:REGION:ACCOUNT:referenceStore/ID/reference/ID",
        )
    plan = make_plan(sources, part_size=config.part_size_bytes, window=config.concurrency)
    return types[0], plan


def _check_pair(sources: list[Source], types: list[FileType]) -> None:
    first, second = (source.identity for source in sources)
    if any(each is not FileType.FASTQ for each in types):
        raise InputError(
            f"only FASTQ comes in pairs; these files are {types[0]} and {types[1]}",
            path=sources[1].path,
            hint="upload the files one by one",
        )
    if (first.device, first.inode) == (second.device, second.inode):
        raise InputError("the same file was given twice", path=sources[1].path)
