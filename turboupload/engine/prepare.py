"""Checks the files before anything is sent, and cuts them into parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import anyio.to_thread

from turboupload.config import UploadConfig
from turboupload.core.formats import (
    FORMATS,
    MERGE_HINT,
    PAIR_HINT,
    TWICE_HINT,
    FileTypeName,
    merge_fault,
    pair_fault,
)
from turboupload.core.model import FileType, PartSource, ReadSet, Source
from turboupload.core.notices import Notice, Remark
from turboupload.core.proof.manifest import Wanted
from turboupload.core.upload.plan import Plan, make_plan
from turboupload.engine.sample import lacks_sample, with_sample
from turboupload.errors import InputError
from turboupload.files.source import identify_source, inspect_source
from turboupload.seqcheck.checks import Findings, check_files
from turboupload.seqcheck.checks.merging import check_lanes
from turboupload.seqcheck.formats import UNDECIDED, require_type
from turboupload.value import Value

if TYPE_CHECKING:
    from turboupload.seqcheck.sam_header import SamHeader

__all__ = ["Prepared", "described", "identify_files", "prepare"]

_THREADS = 2
"""Threads for the check of one read set; many read sets are checked side by side."""


class Prepared(Value, frozen=True):
    """A read set that may be sent.

    Attributes:
        read_set: With sample and subject.
        file_type: As found in the file where the read set didn't say.
        plan: How the files are cut.
        wanted: What the files should hash to, by manifests.
    """

    read_set: ReadSet
    file_type: FileType
    plan: Plan
    wanted: Wanted = ()


class _FileFacts(Value, frozen=True):
    """What the files were found to be.

    Attributes:
        file_type: Of all of them.
        header: That of the first file.
        sizes: Of every file, in bytes, in the order of the sources.
    """

    file_type: FileType
    header: SamHeader | None = None
    sizes: tuple[int, ...] = ()


async def prepare(
    read_set: ReadSet,
    config: UploadConfig,
    tell: Callable[[Notice], None],
    *,
    bytes_per_s: float | None = None,
) -> Prepared:
    """Checks the files, tells what a user should know, and cuts them into parts.

    It takes well under a second a file of any size, in threads.

    Args:
        read_set: As the user described it.
        config: How to upload.
        tell: Receives warnings, and remarks about values taken from a header.
        bytes_per_s: What the link gives; None where nothing says that it is slow.

    Raises:
        InputError: A file can't be uploaded, or not as this read set; it names all reasons.
        ConfigError: The part size does not fit.
    """
    errors: list[InputError] = []
    facts: _FileFacts | None
    if config.preflight:
        check_lanes(read_set.files)
        found = await anyio.to_thread.run_sync(_check, read_set)
        for each in found.warnings:
            if each.code == UNDECIDED:
                # A check may leave the type open; an upload can't: a read set's type never changes.
                errors.append(each.rejection())
                continue
            advice = f" ({each.advice})" if each.advice else ""
            tell(Remark(each.code, f"{each}{advice}"))
        errors += found.rejections()
        facts = _facts_of(found)
    else:
        facts = await anyio.to_thread.run_sync(_inspect_only, read_set)
    if facts is not None:
        errors += _check_reference(read_set, facts.file_type, path=read_set.paths[0])
        try:
            read_set, remark = with_sample(read_set, facts.file_type, facts.header)
            if remark is not None:
                tell(remark)
        except InputError as error:
            # If the header could not be read, `errors` has the reason already.
            has_header = FORMATS[facts.file_type].has_header
            if not errors or facts.header is not None or not has_header:
                errors.append(error)
    if errors or facts is None:
        raise InputError.of(errors)
    plan = await anyio.to_thread.run_sync(_plan, read_set, config, facts.sizes, bytes_per_s)
    return Prepared(read_set, facts.file_type, plan)


def _check(read_set: ReadSet) -> Findings:
    return check_files(
        read_set.files,
        declared_type=read_set.file_type,
        # Of one file alone it is only said that its mate was left out.
        as_pair=True if len(read_set.files) == len(PartSource) else None,
        threads=_THREADS,
    )


def _facts_of(found: Findings) -> _FileFacts | None:
    """The type and header of the first file; None if it can't be uploaded."""
    first = found.files[0]
    if first.file_type is None:
        return None
    header = first.header.header if first.header is not None else None
    sizes = tuple(each.size_bytes for each in found.files)
    return _FileFacts(FileType(first.file_type), header, sizes)


def _inspect_only(read_set: ReadSet) -> _FileFacts:
    """Looks at the files without a preflight: the types, and the header if it is needed.

    Raises:
        InputError: A file can't be uploaded as it is, or contradicts the declared type.
    """
    sources, file_type = identify_files(read_set)
    needs_header = FORMATS[file_type].has_header and lacks_sample(read_set)
    if not needs_header:
        return _FileFacts(file_type, None)
    # Most uploads start sooner without it.
    from turboupload.seqcheck.headers import read_sam_header

    return _FileFacts(file_type, read_sam_header(sources[0].path))


def identify_files(read_set: ReadSet) -> tuple[list[Source], FileType]:
    """Finds out which files a read set has, and of which type, in a fraction of a millisecond each.

    Returns:
        The sources, without fingerprints, and their type.

    Raises:
        InputError: A file can't be uploaded, contradicts the declared type, or is no mate of the
            other.
    """
    sources = [
        identify_source(files, which)
        for files, which in zip(read_set.files, PartSource, strict=False)
    ]
    check_lanes(read_set.files)
    types = [_type_of(source, read_set.file_type) for source in sources]
    if len(sources) == len(PartSource) and (fault := pair_fault(*types)):
        raise InputError(fault, path=sources[1].path, hint=PAIR_HINT)
    _check_once(sources)
    return sources, types[0]


def _type_of(source: Source, declared: FileType | FileTypeName | None) -> FileType:
    """The type of a source's files.

    Raises:
        InputError: A file can't be uploaded, contradicts the declared type, or can't be merged.
    """
    types = [FileType(require_type(path, declared)) for path in source.paths]
    for path, file_type in zip(source.paths, types, strict=True):
        if len(types) > 1 and (fault := merge_fault(file_type)):
            raise InputError(fault, path=path, hint=MERGE_HINT)
    return types[0]


def _check_once(sources: Sequence[Source]) -> None:
    seen: set[tuple[int, int]] = set()
    for file in (file for source in sources for file in source.files):
        place = (file.identity.device, file.identity.inode)
        if place in seen:
            raise InputError("the same file was given twice", path=file.path, hint=TWICE_HINT)
        seen.add(place)


def described(
    read_set: ReadSet,
    file_type: FileType,
    header: SamHeader | None,
    tell: Callable[[Notice], None],
    *,
    path: str,
) -> ReadSet:
    """A read set with all that Create needs, where the files can't be looked at.

    Args:
        read_set: As the user described it.
        file_type: What was found.
        header: The header that was found.
        tell: Receives a remark about values taken from the header.
        path: What messages call the source.

    Raises:
        InputError: Something is missing; it names all reasons.
    """
    errors = _check_reference(read_set, file_type, path=path)
    try:
        read_set, remark = with_sample(read_set, file_type, header)
        if remark is not None:
            tell(remark)
    except InputError as error:
        error.path = path
        errors.append(error)
    if errors:
        raise InputError.of(errors)
    return read_set


def _check_reference(read_set: ReadSet, file_type: FileType, *, path: str) -> list[InputError]:
    if not file_type.needs_reference or read_set.reference_arn is not None:
        return []
    return [
        InputError(
            f"a {file_type} needs the ARN of its reference",
            code="reference.missing",
            path=path,
            hint="add --reference arn:aws:omics:REGION:ACCOUNT:referenceStore/ID/reference/ID",
        )
    ]


def _plan(
    read_set: ReadSet, config: UploadConfig, sizes: Sequence[int], bytes_per_s: float | None
) -> Plan:
    sources = [
        inspect_source(files, which)
        for files, which in zip(read_set.files, PartSource, strict=False)
    ]
    found = (file for source in sources for file in source.files)
    for file, size in zip(found, sizes, strict=False):
        if file.identity.size != size:
            raise InputError(
                "changed its size while it was looked at: it is still being written",
                code="file.growing",
                path=file.path,
                hint="wait until it is complete, with --settle 30s for example",
            )
    return make_plan(sources, part_size=config.part_size_bytes, bytes_per_s=bytes_per_s)
