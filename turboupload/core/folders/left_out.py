"""Why a file of a folder becomes no read set, and what its owner may do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from turboupload.core.formats import type_in_name

__all__ = ["REASONS", "LeftOut", "Reason", "what_lacks"]


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason.

    Attributes:
        words: What follows "left out, ".
        hint: What to do, where something is to be done.
        harmless: Whether such files need not be in a store.
    """

    words: str
    hint: str | None = None
    harmless: bool = False


REASONS: Final[Mapping[str, Reason]] = MappingProxyType(
    {
        # Files that may be missed.
        "ora": Reason(
            "compressed by DRAGEN ORA, which HealthOmics does not read",
            "make gzipped FASTQ of them first, with Illumina's `orad` or with DRAGEN",
        ),
        "not-gzipped": Reason(
            "not gzipped, as HealthOmics wants FASTQ", "compress them: `bgzip FILE`, or `gzip FILE`"
        ),
        "three-reads": Reason(
            "of samples with a third read, where R2 may be a UMI or a cell barcode and R3 the mate",
            "say which two are the mates, such as --mates R1,R3: a read set holds no third file",
        ),
        "no-first-read": Reason("R2 without an R1"),
        "bcl": Reason(
            "base calls (BCL), of which BCL Convert or DRAGEN makes FASTQ",
            "look into the folder that BCL Convert or DRAGEN wrote",
            harmless=True,
        ),
        "not-utf8": Reason(
            "in names that are not UTF-8, which no sheet can hold", "rename them, such as by convmv"
        ),
        "folders": Reason("in folders, which --recursive looks into"),
        "unseen": Reason("in folders that can't be looked through"),
        "empty": Reason("empty"),
        "no-file": Reason("no files that can be read"),
        "unreadable": Reason("unreadable"),
        "other-content": Reason("of other content than their names say"),
        # Files that belong to a run and to no read set.
        "not-mates": Reason("reads beside those that --mates names", harmless=True),
        "index-reads": Reason("index reads (I1, I2) and UMIs", harmless=True),
        "undetermined": Reason("reads of no sample (Undetermined)", harmless=True),
        "unclassified": Reason("reads of no barcode (unclassified, unassigned)", harmless=True),
        "failed-reads": Reason("reads that failed the instrument's own filter", harmless=True),
        "signal": Reason(
            "raw signal (POD5, FAST5), which a sequence store does not take", harmless=True
        ),
        "index": Reason("indexes, which HealthOmics makes itself", harmless=True),
        "checksums": Reason("checksums that came with the data", harmless=True),
        "other": Reason("of no type that can be uploaded", harmless=True),
    }
)
"""By code, the most important first."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Files of a folder that become no read set, all for one reason.

    Attributes:
        code: A key of `REASONS`.
        paths: The files, sorted.
    """

    code: str
    paths: tuple[str, ...]

    @property
    def reason(self) -> Reason:
        """The reason in words."""
        return REASONS[self.code]


_LACKING: Final = frozenset({"unseen", "unreadable", "empty", "no-first-read"})
"""Reasons that mean missing or incomplete data."""


def what_lacks(left_out: Iterable[LeftOut]) -> LeftOut | None:
    """What makes a folder incomplete, so that a sheet of it may lack data; None where nothing does.

    Args:
        left_out: The files of the folder that are in no row.
    """
    for each in left_out:
        paths = each.paths
        if each.code == "no-file":
            # Links that lead nowhere, if they are called like data.
            paths = tuple(path for path in paths if type_in_name(path) is not None)
        elif each.code not in _LACKING:
            continue
        if paths:
            return LeftOut(each.code, paths)
    return None
