"""The HealthOmics ETag: its names, and the comparison of two.

A FASTQ's ETag is the hash of the complete uncompressed text and can be computed exactly. A BAM's,
uBAM's or CRAM's is the hash of its alignment records as SAM text, "alignment section" in the user
guide's words; the exact form of that text isn't documented. An equal hash proves equal content
either way; a different one proves a difference only for FASTQ.

Source: https://docs.aws.amazon.com/omics/latest/dev/etags-and-provenance.html (read 2026-11).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from turboupload.core.formats import FORMATS, chosen_type, has_exact_etag
from turboupload.core.records import ETag
from turboupload.errors import ConfigError
from turboupload.value import Value

__all__ = [
    "DEFAULT_FAMILY",
    "FAMILIES",
    "ContentETag",
    "ETagComparison",
    "ETagOutcome",
    "compare_etag",
    "etag_algorithm",
]

FAMILIES = {"MD5up": "md5", "SHA256up": "sha256", "SHA512up": "sha512"}
"""The service's ETag families, and the hash of each."""

DEFAULT_FAMILY: Final = "MD5up"
"""The default family of a store."""


class ContentETag(Value, frozen=True):
    """A complete ETag that can be compared.

    Attributes:
        algorithm: Such as `FASTQ_MD5up`.
        source1: The hash of the first source, in hexadecimal; empty if the reply lacks it.
        source2: The hash of the second source of a FASTQ pair. A reply may lack it even for a pair.
    """

    algorithm: str
    source1: str
    source2: str | None = None

    @classmethod
    def of(cls, etag: ETag | None) -> ContentETag | None:
        """The ETag of a read set; None if it is missing (yet), or incomplete."""
        if etag is None or not etag.algorithm or not (etag.source1 or etag.source2):
            return None
        return cls(etag.algorithm, etag.source1 or "", etag.source2 or None)

    @property
    def family(self) -> str:
        """The part after the underscore, such as `MD5up`."""
        return self.algorithm.rpartition("_")[2]

    @property
    def sources(self) -> tuple[str, ...]:
        """The hash of each source."""
        return (self.source1,) if not self.source2 else (self.source1, self.source2)


class ETagOutcome(StrEnum):
    """The outcome of comparing two ETags."""

    EQUAL = "equal"
    DIFFERENT = "different"
    INCOMPARABLE = "incomparable"


class ETagComparison(Value, frozen=True):
    """The outcome of a comparison, and what it proves.

    Attributes:
        outcome: Equal, different, or not comparable.
        is_proof: Whether the outcome is certain.
        sentence: What is and isn't known, in plain words.
    """

    outcome: ETagOutcome
    is_proof: bool
    sentence: str

    @property
    def proves_equal(self) -> bool:
        """Whether it is proven that the store holds the content of these files."""
        return self.is_proof and self.outcome is ETagOutcome.EQUAL

    @property
    def proves_different(self) -> bool:
        """Whether it is proven that the store holds other content."""
        return self.is_proof and self.outcome is ETagOutcome.DIFFERENT


def etag_algorithm(file_type: str, family: str = DEFAULT_FAMILY) -> str:
    """The service's name for an ETag algorithm; uBAM uses BAM's.

    Raises:
        ConfigError: The file type or the family is unknown.
    """
    kind = chosen_type(file_type)
    if family not in FAMILIES:
        raise ConfigError(
            f"{family!r} is not an ETag family", hint=f"use one of {', '.join(FAMILIES)}"
        )
    return f"{FORMATS[kind].etag}_{family}"


def compare_etag(local: ContentETag, remote: ContentETag, reservation: str = "") -> ETagComparison:
    """Compares the ETag computed here with the one that the service reports.

    Args:
        local: Computed here.
        remote: As the service reports it.
        reservation: Why the same alignments may have another hash elsewhere, as a sentence.
    """
    if local.algorithm != remote.algorithm:
        return ETagComparison(
            ETagOutcome.INCOMPARABLE,
            False,
            f"the service's ETag is {remote.algorithm} and the one computed here "
            f"{local.algorithm}: nothing is known",
        )
    ours = (_plain(local.source1), _plain(local.source2))
    theirs = (_plain(remote.source1), _plain(remote.source2))
    strange = [
        that for this, that in zip(ours, theirs, strict=True) if _written_otherwise(this, that)
    ]
    if strange:
        return ETagComparison(
            ETagOutcome.INCOMPARABLE,
            False,
            f"the service's ETag ({strange[0]}) is not written as a hash of {local.family} is: "
            "nothing is known",
        )
    exact = has_exact_etag(local.algorithm)
    # A hash that a reply lacks proves nothing either way. But we know that there is no second file
    # here.
    differing = [index for index in range(2) if theirs[index] not in ("", ours[index])]
    missing = [index for index in range(2) if ours[index] and not theirs[index]]
    if not differing and missing:
        there, lacking = 2 - missing[0], missing[0] + 1
        return ETagComparison(
            ETagOutcome.INCOMPARABLE,
            False,
            f"the ETag of source {there} is equal; the service gives none of source {lacking}, so "
            "that source is not proven",
        )
    if not differing:
        what = "every byte of the uncompressed reads" if exact else "every alignment record"
        return ETagComparison(
            ETagOutcome.EQUAL, True, f"the ETags are equal: the store holds {what} of these files"
        )
    if not exact:
        more = f". {reservation[:1].upper()}{reservation[1:]}" if reservation else ""
        return ETagComparison(
            ETagOutcome.DIFFERENT,
            False,
            "the ETags differ. How the service hashes alignments isn't documented in full, so this "
            f"doesn't prove that the content differs; neither is it proven to be the same{more}",
        )
    return ETagComparison(ETagOutcome.DIFFERENT, True, _difference(ours, theirs, differing))


def _plain(text: str | None) -> str:
    """A hash without what HTTP puts around an ETag."""
    return (text or "").strip().removeprefix("W/").strip('"').lower()


def _written_otherwise(ours: str, theirs: str) -> bool:
    """Whether two hashes can't be compared, as only one is hexadecimal, or of this length."""
    if not (ours and theirs):
        return False
    return len(theirs) != len(ours) or (_is_hexadecimal(ours) and not _is_hexadecimal(theirs))


def _is_hexadecimal(text: str) -> bool:
    return set(text) <= set("0123456789abcdef")


def _difference(ours: tuple[str, str], theirs: tuple[str, str], differing: Sequence[int]) -> str:
    if ours == theirs[::-1]:
        return "the ETags of the two sources are swapped: the store has R1 as R2 and R2 as R1"
    if theirs[1] and not ours[1]:
        return "the ETags differ: there is one source here, but two in the store"
    which = [f"source {index + 1}" for index in differing]
    return (
        f"the ETags of {' and '.join(which)} differ: the store holds other reads than these files"
    )
