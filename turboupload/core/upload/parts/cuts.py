"""How the parts that a service has were cut, and which cut is used where two hosts differ.

Two hosts that begin the same files at the same moment share one upload, because its client token
does not depend on the cut (two uploads might become two read sets). On unlike links they cut the
files differently, and each replaces parts of the other. So a host that sees parts of another cut
takes that cut where it is the larger one, or where the service has nothing of its own. That way all
come to the largest. Parts that are there already are then compared, as in any upload that others
have worked on, and only what is missing is sent.
"""

from __future__ import annotations

from collections.abc import Sequence

from turboupload import limits
from turboupload.core.model import PartSource, Source
from turboupload.core.records import UploadPart
from turboupload.core.upload.plan import Plan
from turboupload.units import MIB

__all__ = [
    "cut_to_take",
    "infer_mixed_size",
    "infer_part_size",
    "is_of_other_files",
    "may_be_cut_short",
]

GRAIN = MIB
"""Part sizes are multiples of it unless a user said otherwise, in bytes. A part that was cut short
on its way may have any size, so a single one of another size says nothing of a cut."""


def infer_part_size(
    parts: Sequence[UploadPart], sources: Sequence[Source], *, planned: int
) -> int | None:
    """The part size by which these sources were cut; None where no single one fits.

    A source's parts are all of one size but the last, which has the rest. The size that we would
    choose ourselves is preferred, since a lone last part fits more than one.
    """
    for part_size in (planned, *sorted({part.size for part in parts}, reverse=True)):
        if _all_fit(parts, part_size, sources):
            return part_size
    return None


def infer_mixed_size(parts: Sequence[UploadPart], sources: Sequence[Source]) -> int | None:
    """The part size of an upload in which a smaller cut has left parts; None where there is none.

    Those are behind the larger cut's last part. So they are in an upload of a longer file with the
    same head: this tells what to compare, and proves nothing.
    """
    sizes = {source.part_source: source.size for source in sources}
    if any(part.source not in sizes for part in parts):
        return None
    for part_size in sorted({part.size for part in parts}, reverse=True):
        inside = [
            part for part in parts if (part.number - 1) * part_size < sizes.get(part.source, 0)
        ]
        if inside and _all_fit(inside, part_size, sources):
            return part_size
    return None


def cut_to_take(parts: Sequence[UploadPart], plan: Plan, *, has_own: bool) -> int | None:
    """The part size of another host by which our files should be cut, too; None where ours stays.

    Args:
        parts: What the service has, without what we sent in an earlier cut.
        plan: How we cut them.
        has_own: Whether the service has taken parts of our cut.
    """
    others = [each for each in parts if not _all_fit([each], plan.part_size, plan.sources)]
    size = _largest_cut(others, plan.sources)
    if size is None and not has_own:
        size = _cut_before_last(parts, plan)
    if size is None or size > plan.part_size:
        return size
    return size if not has_own and _all_fit(parts, size, plan.sources) else None


def is_of_other_files(part: UploadPart, sources: Sequence[Source]) -> bool:
    """Whether no cut of these files has such a part, nor its beginning.

    It is of a source that we don't have, or behind the end.
    """
    size = next((each.size for each in sources if each.part_source is part.source), 0)
    return (part.number - 1) * part.size >= size


def may_be_cut_short(size: int) -> bool:
    """Whether a part of so many bytes may be the beginning of a larger one, and not of a cut."""
    return size % GRAIN != 0


def _largest_cut(parts: Sequence[UploadPart], sources: Sequence[Source]) -> int | None:
    whole_files = {(source.part_source, source.size) for source in sources}
    for size in sorted({part.size for part in parts}, reverse=True):
        alike = [part for part in parts if part.size == size]
        is_a_cut = (
            not may_be_cut_short(size)
            or len(alike) > 1
            or any((part.source, part.size) in whole_files for part in alike)
        )
        if is_a_cut and _all_fit(alike, size, sources):
            return size
    return None


def _cut_before_last(parts: Sequence[UploadPart], plan: Plan) -> int | None:
    """The larger cut that a last part tells alone: what is before it, divided by its number."""
    sizes = {source.part_source: source.size for source in plan.sources}
    for part in parts:
        before = sizes.get(part.source, 0) - part.size
        if part.number > 1 and before > 0 and before % (part.number - 1) == 0:
            cut = before // (part.number - 1)
            larger = cut > plan.part_size and not may_be_cut_short(cut)
            if larger and _all_fit(parts, cut, plan.sources):
                return cut
    return None


def _all_fit(parts: Sequence[UploadPart], part_size: int, sources: Sequence[Source]) -> bool:
    sizes = {source.part_source: source.size for source in sources}
    return 0 < part_size <= limits.MAX_PART_BYTES and all(
        _fits(part, part_size, sizes) for part in parts
    )


def _fits(part: UploadPart, part_size: int, sizes: dict[PartSource, int]) -> bool:
    size = sizes.get(part.source)
    if size is None or -(-size // part_size) > limits.MAX_PARTS:
        return False
    offset = (part.number - 1) * part_size
    return 0 <= offset < size and part.size == min(part_size, size - offset)
