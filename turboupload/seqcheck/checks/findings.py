"""The result of a check: facts and findings about each file.

Facts and findings can be turned into plain JSON with `as_dict`.
"""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from msgspec import structs

from turboupload.errors import InputError
from turboupload.value import Value

if TYPE_CHECKING:
    from turboupload.seqcheck.sam_header import SamHeader

__all__ = ["Depth", "FileFacts", "Finding", "Findings", "HeaderFacts", "PairFacts", "Severity"]


class Severity(StrEnum):
    """How bad a finding is: an error stops an upload, a warning and a note don't."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Depth(StrEnum):
    """How much of a file was read: only its type, samples, or all of it."""

    NONE = "none"
    SAMPLED = "sampled"
    WHOLE = "whole"


class Finding(Value, frozen=True, kw_only=True):
    """One finding about a file.

    Attributes:
        severity: How bad it is.
        code: A stable word for machines, such as `bgzf.eof`.
        path: The file.
        sentence: What was found, in words that follow "FILE: ".
        advice: What to do; None if unknown.
    """

    severity: Severity
    code: str
    path: str
    sentence: str
    advice: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The finding as plain JSON."""
        return {**structs.asdict(self), "severity": self.severity.value}

    def rejection(self) -> InputError:
        """The finding as an exception."""
        return InputError(self.sentence, code=self.code, path=self.path, hint=self.advice)

    def __str__(self) -> str:
        return f"{self.path}: {self.sentence}"


class HeaderFacts(Value, frozen=True, kw_only=True):
    """The facts of a BAM's or CRAM's header; see `sam_header` for the fields.

    Attributes:
        header: The header itself.
        total_length: The sum of the reference sequences' lengths, in bases.
        with_md5: How many reference sequences carry an M5.
    """

    header: SamHeader
    total_length: int
    with_md5: int

    @classmethod
    def of(cls, header: SamHeader) -> HeaderFacts:
        """Takes the facts from a header."""
        return cls(
            header=header,
            total_length=header.sequences.total_length,
            with_md5=header.sequences.with_md5,
        )

    def as_dict(self) -> dict[str, Any]:
        """The facts as plain JSON: read groups in full, reference sequences as numbers."""
        return {
            "sort_order": self.header.sort_order,
            "read_groups": [dataclasses.asdict(g) for g in self.header.read_groups],
            "samples": list(self.header.samples),
            "sequences": len(self.header.sequences),
            "total_length": self.total_length,
            "with_md5": self.with_md5,
        }


class FileFacts(Value, frozen=True, kw_only=True):
    """The facts about one file after a check.

    Attributes:
        path: The file.
        size_bytes: Its size.
        file_type: The name of a `FileType`; None if it can't be uploaded, or if the samples don't
            show whether it is BAM or UBAM.
        detail: A sentence fragment, such as "a BGZF-compressed FASTQ".
        compression: How the content is wrapped.
        depth: How much of it was read.
        records: Records in it; None if the file was only sampled.
        reads: Records that are neither secondary nor supplementary; None for CRAM, whose blocks are
            not decoded.
        bases: Bases in those reads; for CRAM, in all records.
        shortest: The shortest read of a FASTQ, in bases.
        longest: The longest read of a FASTQ, in bases.
        first_read: The name line of a FASTQ's first record.
        header: What a BAM's or CRAM's header says.
    """

    path: str
    size_bytes: int = 0
    file_type: str | None = None
    detail: str = ""
    compression: str = "none"
    depth: Depth = Depth.NONE
    records: int | None = None
    reads: int | None = None
    bases: int | None = None
    shortest: int | None = None
    longest: int | None = None
    first_read: str | None = None
    header: HeaderFacts | None = None

    def as_dict(self) -> dict[str, Any]:
        """The facts as plain JSON."""
        plain = structs.asdict(self)
        plain["depth"] = self.depth.value
        plain["header"] = self.header.as_dict() if self.header else None
        return plain


class PairFacts(Value, frozen=True, kw_only=True):
    """Two FASTQ files taken as R1 and R2, and the places where their read names agree.

    Attributes:
        first: R1.
        second: R2.
        agreed_at: Places such as `start`, `25%`, `end` or `everywhere`.
    """

    first: str
    second: str
    agreed_at: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The facts as plain JSON."""
        return {"first": self.first, "second": self.second, "agreed_at": list(self.agreed_at)}


class Findings(Value, frozen=True, kw_only=True):
    """The result of a check.

    Attributes:
        files: Facts by file, in the order given.
        pairs: The files taken as R1 and R2.
        findings: All findings, file by file.
    """

    files: tuple[FileFacts, ...] = ()
    pairs: tuple[PairFacts, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether no finding stops an upload."""
        return not self.errors

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that stop an upload."""
        return self._of(Severity.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that a person should look at."""
        return self._of(Severity.WARNING)

    @property
    def sample(self) -> str | None:
        """The one sample that all read groups name; None if there are none or several."""
        samples = {s for f in self.files if f.header for s in f.header.header.samples}
        return samples.pop() if len(samples) == 1 else None

    def rejections(self) -> list[InputError]:
        """The errors as exceptions; `InputError.of` joins them."""
        return [each.rejection() for each in self.errors]

    def _of(self, severity: Severity) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.severity is severity)
