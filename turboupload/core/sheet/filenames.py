"""What the names of sequencing files say: sample, lane and mate, and a name for the read set.

Illumina's names are `SAMPLE_S1_L001_R1_001.fastq.gz`: the sample's name, its number on the sample
sheet, the lane (not where lanes were merged), the read (`R1`, `R2`, or `I1`, `I2` for an index
read) and a chunk that is 001 today.
Source: https://support.illumina.com/help/BaseSpace_Sequence_Hub_OLH_009008_2/Source/Informatics/BS/NamingConvention_FASTQ-files-swBS.htm
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from turboupload.core.formats import without_suffix

__all__ = ["IlluminaName", "default_name", "illumina_name", "merged_name", "stem_of"]

_ILLUMINA = re.compile(
    r"(?P<sample>.+?)_S(?P<number>[0-9]+)(?:_L(?P<lane>[0-9]{3}))?"
    r"_(?P<read>[RI][1-4])_(?P<chunk>[0-9]{3})"
)
_LANE = re.compile(r"_L\d{3}(?=_|$)")
_NUMBER = re.compile(r"[._-]\d+$")
_FIRST_CHUNK = re.compile(r"(?<=_R[12])_001$")
_MARK = re.compile(r"[._-](?:R|read|p|pair)?1(?=[._-]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class IlluminaName:
    """A file name that Illumina's software gave.

    Attributes:
        sample: The sample's name.
        number: Its number on the run's sample sheet; 0 for reads of no sample.
        lane: The flow cell's lane, where lanes were not merged.
        read: `R1`, `R2`, or `I1`, `I2` for an index read.
        chunk: 1 today; older software wrote several files a lane.
    """

    sample: str
    number: int
    lane: int | None
    read: str
    chunk: int


def stem_of(path: str) -> str:
    """The file's name without its folder and the ending that tells its format."""
    name = posixpath.basename(path)
    return without_suffix(name) or name


def illumina_name(path: str) -> IlluminaName | None:
    """The parts of a name that Illumina's software gave; None for any other name."""
    match = _ILLUMINA.fullmatch(stem_of(path))
    if match is None:
        return None
    return IlluminaName(
        sample=match["sample"],
        number=int(match["number"]),
        lane=int(match["lane"]) if match["lane"] else None,
        read=match["read"],
        chunk=int(match["chunk"]),
    )


def default_name(sources: Sequence[str]) -> str:
    """A read set's default name: what its files' names have in common.

    The lane stays, so that the lanes of a sample get names of their own, and so that a name does
    not change when rows are added to a sheet.

    Args:
        sources: One path or URI, or two.
    """
    stem = stem_of(sources[0]).strip()
    match = _ILLUMINA.fullmatch(stem)
    if match is not None and not match["read"].startswith("I"):
        chunk = "" if match["chunk"] == "001" else f"_{match['chunk']}"
        return f"{stem[: match.start('read') - 1]}{chunk}"
    if len(sources) == 2:
        # The chunk of Illumina's names, in names of people's own: it says nothing of the sample.
        first, second = (_FIRST_CHUNK.sub("", each) for each in (stem, stem_of(sources[1])))
        return _without_mates_mark(first, second)
    return stem


def merged_name(lanes: Iterable[Sequence[str]]) -> str | None:
    """A read set's name where its lanes or chunks are merged; None where they share no name.

    Args:
        lanes: Of each lane or chunk its path, or its two.
    """
    names = [default_name(lane) for lane in lanes]
    for less in (_LANE, _NUMBER):
        names = [less.sub("", name) or name for name in names]
        if len(set(names)) == 1:
            return names[0]
    return None


def _without_mates_mark(first: str, second: str) -> str:
    """The first name less every mark that says 1 where the second says 2."""
    kept, end = [], 0
    for match in _MARK.finditer(first):
        if second[match.start() : match.end()] == f"{match[0][:-1]}2":
            kept.append(first[end : match.start()])
            end = match.end()
    return "".join([*kept, first[end:]]).lstrip("._-") or first
