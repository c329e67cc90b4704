"""The run that a file comes from: its id and its flow cell, read from names and small documents.

Sources, read 2026-11: https://support-docs.illumina.com (run folders and read names),
https://nanoporetech.github.io/ont-output-specifications (MinKNOW's output structure) and
https://pacbiofileformats.readthedocs.io/en/13.1/FileStructure.html (Revio and Vega).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from turboupload import limits

__all__ = [
    "PLATFORMS",
    "Platform",
    "Run",
    "illumina_run",
    "is_run_folder",
    "named_run",
    "nanopore_run",
    "nanopore_run_of_group",
    "pacbio_run",
    "run_info",
    "run_of_read",
]

Platform = Literal["illumina", "ont", "pacbio"]

PLATFORMS: Final = {"illumina": "Illumina", "ont": "Oxford Nanopore", "pacbio": "PacBio"}
"""How a person calls them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run of a sequencer, as far as it is known.

    Attributes:
        platform: Whose sequencer.
        run: The run's id, such as the name of its folder.
        flowcell: The flow cell; for PacBio the movie, which a cell has one of.
        short: What tells this run from every other, as short as it can be. A flow cell of Illumina
            is used once; one of Oxford Nanopore can be washed, so its run belongs to it.
    """

    platform: Platform
    run: str | None = None
    flowcell: str | None = None
    short: str

    @property
    def words(self) -> str:
        """Where data of this run come from, for `generated_from`; never longer than that takes."""
        maker = PLATFORMS[self.platform]
        said = [f"run {self.run}"] if self.run else []
        if self.flowcell:
            part = "movie" if self.platform == "pacbio" else "flow cell"
            said.append(f"{part} {self.flowcell}")
        longest = limits.TEXT_LENGTHS["generated_from"]
        whole = f"{maker} {', '.join(said)}"
        return whole if len(whole) <= longest else f"{maker} {said[0]}"[:longest]


# Date, instrument, number, and the flow cell, whose last form is iSeq's.
_ILLUMINA: Final = re.compile(
    r"(?:\d{2})?\d{6}_(?=[A-Z-]*\d)[A-Z0-9-]{4,}_\d{1,6}_"
    r"((?=[A-Z]*\d)[A-Z0-9]{8,12}|000000000-[A-Z0-9]{5}|[A-Z]{3}\d{3}(?:-\d{2,4}){3})"
)
_MINKNOW: Final = re.compile(r"\d{8}_\d{4}_[A-Za-z0-9-]+_([A-Za-z0-9_-]+)_([0-9a-f]{8})")
_PACBIO: Final = re.compile(r"r\d{4,6}[A-Za-z]{0,2}_\d{8}_\d{6}")
# With which side of the instrument a flow cell was on, as every instrument but the smallest has it.
_SIDE: Final = re.compile(r"[AB](?=[A-Z0-9]{8,}$)")
_RUN_ID: Final = re.compile(r"<Run\b[^>]*\bId=\"([^\"<>]{1,100})\"")
_FLOWCELL: Final = re.compile(r"<Flowcell>\s*([A-Za-z0-9_-]{1,60})\s*</Flowcell>")
_READ: Final = re.compile(r"@([A-Za-z0-9_-]+):(\d+):([A-Za-z0-9-]+):\d+:\d+:\d+:\d+(?:[\s:/]|$)")
_READ_GROUP: Final = re.compile(r"([0-9a-f]{8})(?:[0-9a-f]{32}|(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})_")


def illumina_run(run: str | None, flowcell: str) -> Run:
    """A run of Illumina's, which its flow cell tells from every other."""
    return Run(platform="illumina", run=run, flowcell=flowcell, short=flowcell)


def named_run(folders: Iterable[str]) -> Run | None:
    """The run by the names of the folders that a file is in, the innermost first."""
    for name in folders:
        if (found := _MINKNOW.fullmatch(name)) is not None:
            return nanopore_run(found[1], found[2], name)
        if (found := _ILLUMINA.fullmatch(name)) is not None:
            return illumina_run(name, _SIDE.sub("", found[1]))
    return None


def is_run_folder(name: str) -> bool:
    """Whether a folder is called as instruments call that of a run."""
    return any(each.fullmatch(name) for each in (_ILLUMINA, _MINKNOW, _PACBIO))


def run_info(text: str) -> Run | None:
    """The run that Illumina's `RunInfo.xml` describes."""
    run, flowcell = _RUN_ID.search(text), _FLOWCELL.search(text)
    return illumina_run(run[1], flowcell[1]) if run and flowcell else None


def run_of_read(line: str) -> Run | None:
    """The run by the first line of a FASTQ, where the read has the name that Illumina gave it."""
    found = _READ.match(line)
    return illumina_run(f"{found[1]}:{found[2]}", found[3]) if found else None


def nanopore_run(flowcell: str | None, short_id: str, folder: str | None = None) -> Run:
    """A run of Oxford Nanopore's.

    Args:
        flowcell: The flow cell.
        short_id: The first eight digits of the run's id.
        folder: The run's folder, if a file is still in it.
    """
    short = f"{flowcell}_{short_id}" if flowcell else short_id
    return Run(platform="ont", run=folder or short_id, flowcell=flowcell, short=short)


def nanopore_run_of_group(read_groups: Iterable[str]) -> Run | None:
    """The run by the ids of a BAM's read groups, as dorado writes them, where there is one run."""
    found = {match[1] for each in read_groups if (match := _READ_GROUP.match(each)) is not None}
    return nanopore_run(None, found.pop()) if len(found) == 1 else None


def pacbio_run(movie: str, folders: Iterable[str]) -> Run:
    """A run of PacBio's: its movie, and the folder of the run, if the file is still in it."""
    run = next((each for each in folders if _PACBIO.fullmatch(each)), None)
    return Run(platform="pacbio", run=run, flowcell=movie, short=movie)
